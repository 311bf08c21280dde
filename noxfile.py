# SPDX-License-Identifier: GPL-3.0-or-later

"""Every check of the project, cheap ones first. `make test` runs all that are on by default.

Most sessions use the environment that nox itself runs in: `.venv`, made by `make test`. So start them as
`.venv/bin/python -m nox`, with `--session NAME`, `--tags lint` or `--list`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import nox
from packaging.requirements import Requirement

sys.path += ["tests/rack", "tests/tools"]
import own_world
import python_interpreters
import side_by_side

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "none"
nox.options.error_on_external_run = False

ROOT = Path(__file__).parent
PYTHON = sys.executable
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
CONTROLLER_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
TARGET_VERSIONS = [f"{major}.{minor}" for major, minor in python_interpreters.VERSIONS]
TIMES = ROOT / ".nox" / "times"
# Parts of the tests that run beside each other: what no other part has is in `integration` and `unit`. A fork out of a
# process with few tests is cheap, so `targets` is a part.
APART = {
    "rack": ("tests/integration/rack",),
    "soak": ("tests/integration/soak", "tests/integration/docs"),
    "faults": (
        *(f"tests/integration/faults/{name}" for name in ("controller", "database", "server")),
        "tests/unit/rack_recipes/store",
    ),
    "hosts": ("tests/integration/faults/hosts", "tests/integration/faults/safety"),
    "run": ("tests/integration/run",),
    "attacks": ("tests/integration/attacks", "tests/integration/awx"),
    "commands": ("tests/unit/rack_recipes/cli", "tests/unit/rack_recipes/run"),
    "targets": ("tests/unit/plugins/module_utils",),
}
LEFT_OUT = tuple(f"--ignore={path}" for paths in APART.values() for path in paths)
# What begins late and takes long is waited for alone. Nothing makes those quicker that mostly wait, for hosts,
# databases and browsers, so they begin first; those of `unit` compute, and take what the others leave.
LONG_FIRST = ("rack", "faults", "run", "soak", "hosts", "integration", "attacks", "commands", "unit", "targets")
LANES = {name: APART.get(name, (f"tests/{name}", *LEFT_OUT)) for name in LONG_FIRST}
# What depends on Ansible's own code: all of it is tested on the newest release, and on the oldest one in `make soak`.
SLICE = tuple(
    f"tests/integration/run/test_{name}"
    for name in (
        "context_between_steps.py",
        "handwritten_playbooks.py::test_two_playbooks_of_one_command_are_two_runs",
        "handwritten_playbooks.py::test_stages_may_stand_in_roles_and_imported_files_and_under_conditions",
        "handwritten_playbooks.py::test_a_stage_that_is_included_did_not_pass_whoever_ignores_it",
        "handwritten_playbooks.py::test_a_report_needs_no_flush_before_it",
        "host_failures.py",
        "python_search.py",
    )
)
WHOLE = (
    "tests/integration",
    *(f"--ignore=tests/integration/{name}" for name in ("docs", "faults", "rack", "soak", "test_packaging.py")),
)
PLUGINS = tuple(f"plugins/{name}/" for name in ("action", "callback", "filter", "lookup", "modules"))
# Ansible's checks that take long: by the Python that they run on, and by the number of files.
ON_EACH_PYTHON = ("compile", "import")
OVER_ALL = ("pep8", "pylint")
# Sessions that run beside the tests, those of a line one after the other. The benchmark needs no quiet machine: its
# threshold is half of what it reaches, and a ratio of CPU times.
FIRST = {
    "types and rules": ("mypy", "ansible_lint", "bench"),
    "Ansible's own checks": (f"units({TARGET_VERSIONS[0]})", f"units({TARGET_VERSIONS[-1]})", "sanity"),
}
MIDDLE = {"other environments": ("core-2.20", "molecule")}
nox.options.sessions = [
    "ruff",
    "imports",
    "shellcheck",
    "weight",
    "changelog",
    "galaxy",
    "docs",
    "all_tests",
    "slowest",
]

own_world.set_environment()
if not os.access(Path.home(), os.W_OK):
    (ROOT / ".nox" / "home").mkdir(parents=True, exist_ok=True)
    own_world.set_home(ROOT / ".nox" / "home")
os.environ["PATH"] = os.pathsep.join((str(Path(PYTHON).parent), os.environ["PATH"]))
if not sys.stdout.isatty():
    os.environ["NO_COLOR"] = "1"
MANY_HOSTS = ("--only", "many,floor", "--hosts", "10,100,300,1000", "--steps", "20", "--rounds", "3")


@nox.session(tags=["lint"])
def ruff(session: nox.Session) -> None:
    """Rules and format of all Python code."""
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(tags=["lint"])
def mypy(session: nox.Session) -> None:
    """Strict types of the code for the controller, of the code for targets, and of the tests' own tools."""
    folder = str(collections_folder())
    session.run("mypy", env={"MYPYPATH": folder})
    scripts = ("noxfile.py", "hatch_build.py", "tests/demo", "tests/rack", "tests/tools")
    session.run("mypy", *scripts, env={"MYPYPATH": f"tests/demo:tests/rack:tests/tools:{folder}"})


@nox.session(tags=["lint"])
def imports(session: nox.Session) -> None:
    """Which folder of the library may import which: the contracts in pyproject.toml."""
    session.run("lint-imports", "pyproject.toml", silent=True)


@nox.session(tags=["lint"])
def shellcheck(session: nox.Session) -> None:
    """All shell scripts, including those that are shipped."""
    found = (path for ending in ("sh", "bash") for path in Path().glob(f"[!.]*/**/*.{ending}"))
    scripts = [".ci/run", *map(str, sorted(found))]
    session.run("shellcheck", *scripts)


@nox.session(tags=["lint"])
def weight(session: nox.Session) -> None:
    """Lines and words beside their bounds, which may only fall: tests/tools/weight_bounds.yml."""
    session.run(PYTHON, "tests/tools/weight.py")


@nox.session(tags=["lint"])
def changelog(session: nox.Session) -> None:
    """The changelog fragments of the next release."""
    session.run("antsibull-changelog", "lint")


@nox.session(tags=["lint"])
def ansible_lint(session: nox.Session) -> None:
    """Playbooks, roles, examples and metadata, by the profile for published collections."""
    session.run("ansible-lint", "--profile", "production", "--offline")


@nox.session(tags=["lint"])
def galaxy(session: nox.Session) -> None:
    """The collection as an archive for Galaxy."""
    session.run(PYTHON, "tests/tools/build_collection.py", session.create_tmp())


@nox.session(tags=["lint"])
def docs(session: nox.Session) -> None:
    """The site, in build/site; a warning is an error."""
    session.run(PYTHON, "-m", "mkdocs", "build", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def all_tests(session: nox.Session) -> None:
    """The session tests, and beside it all that take long; arguments after -- go to pytest."""
    parts = tests_of(session)
    last = parts.popitem()
    side_by_side_or_error(session, {**sessions(FIRST), **parts, **sessions(MIDDLE), **dict([last])})


@nox.session
def tests(session: nox.Session) -> None:
    """Unit and integration tests; arguments after -- go to pytest, which has the terminal then."""
    if session.posargs:
        session.run(PYTHON, "-m", "pytest", *session.posargs)
        return
    side_by_side_or_error(session, tests_of(session))


@nox.session
@nox.parametrize("version", TARGET_VERSIONS, ids=TARGET_VERSIONS)
def units(session: nox.Session, version: str) -> None:
    """The unit tests of the code for targets, by each Python on this machine except the one of the session `tests`."""
    if version == CONTROLLER_VERSION:
        session.skip(f"the session tests runs them by Python {version}")
    if not is_here(version):
        session.skip(f"no Python {version} on this machine")
    tests = ("tests/unit/plugins/modules/", "tests/unit/plugins/module_utils/")
    ansible_test(session, "units", "--venv", "--python", version, *tests)


@nox.session(tags=["lint"])
def sanity(session: nox.Session) -> None:
    """Ansible's own checks; arguments after -- go to ansible-test.

    What takes long is done in part, and wholly in `make soak`: imports are tried on the oldest Python of targets, and
    on this one of the plugins, which import all the rest. pylint looks at what Ansible loads and sends to targets. Of
    pep8 ruff has the rules.
    """
    if session.posargs:
        ansible_test(session, "sanity", *session.posargs)
        return
    skipped = (word for name in ("import", *OVER_ALL) for word in ("--skip-test", name))
    ansible_test(session, "sanity", "--python", CONTROLLER_VERSION, *skipped)
    ansible_test(session, "sanity", "--python", CONTROLLER_VERSION, "--test", "import", *PLUGINS)
    if is_here(TARGET_VERSIONS[0]):
        ansible_test(session, "sanity", "--python", TARGET_VERSIONS[0], *chosen_checks(ON_EACH_PYTHON))
    ansible_test(session, "sanity", "--test", "pylint", *PLUGINS, "plugins/module_utils/")


@nox.session(name="core-2.20", venv_backend="venv")
def core_2_20(session: nox.Session) -> None:
    """Integration tests on the oldest ansible-core and libraries that pyproject.toml admits; -- chooses others."""
    tools = nox.project.dependency_groups(PROJECT, "test") if session.posargs else ("pytest",)
    session.install("--no-compile", "--editable", ".", *oldest_dependencies(), *tools)
    session.run("python", "-m", "pytest", *(session.posargs or SLICE))


@nox.session(name="core-next", venv_backend="venv")
def core_next(session: nox.Session) -> None:
    """Integration tests on the newest ansible-core that pyproject.toml admits, even one that is not released yet."""
    session.install("--no-compile", "--editable", ".", *nox.project.dependency_groups(PROJECT, "test"))
    core = next(text for text in PROJECT["project"]["dependencies"] if text.startswith("ansible-core"))
    session.install("--pre", "--upgrade", core)
    session.run("python", "-m", "pytest", *(session.posargs or WHOLE))


@nox.session
def molecule(session: nox.Session) -> None:
    """Scenarios of extensions/molecule: over SSH hosts of their own, and for root also one over a virtual rack.

    The others over a rack are for `make soak`; arguments after -- go to `molecule test`.
    """
    over_a_rack = ("--scenario-name", "cabling") if os.geteuid() == 0 else ()
    session.run("molecule", "test", *(session.posargs or ("--scenario-name", "default", *over_a_rack)))


@nox.session
def bench(session: nox.Session) -> None:
    """The fleet benchmark's small size, against its threshold; arguments after -- go to it."""
    session.run(PYTHON, "-m", "tests.bench.fleet", *(session.posargs or ["--slice"]))


@nox.session
def slowest(session: nox.Session) -> None:
    """The slowest tests of the last session `tests`, what each is for, and what took most CPU time."""
    session.run(PYTHON, "tests/tools/slowest_tests.py", *(str(TIMES / f"{name}.json") for name in LANES))


@nox.session
def soak(session: nox.Session) -> None:
    """All cases, sweeps and Pythons, the whole fleet benchmark; takes hours, and writes pages of the documentation."""
    seed = session.posargs or [str(int(time.time()))]
    session.run(PYTHON, "-m", "pytest", env={"RACK_SOAK": seed[0]})
    fleet, figures = (PYTHON, "-m", "tests.bench.fleet"), "docs/performance.json"
    many = Path(session.create_tmp(), "many.json").absolute()
    session.run(PYTHON, "tests/bench/results_speed.py", "--write")
    session.run(PYTHON, "tests/bench/server_speed.py", "--write")
    session.run(PYTHON, "tests/bench/group_speed.py", "--write")
    session.run(PYTHON, "tests/bench/one_process.py", "--write")
    session.run(PYTHON, "tests/bench/inventory_split.py", "--write")
    session.run(PYTHON, "tests/bench/pages_speed.py", "--write")
    session.run(*fleet, "--json", figures, "--write", "docs/performance.md")
    session.run(*fleet, *MANY_HOSTS, "--json", str(many), "--write", str(many.with_suffix(".md")))
    session.run(*fleet, "--render", figures, str(many), "--json", figures, "--write", "docs/performance.md")
    for version in TARGET_VERSIONS:
        session.notify(f"units({version})", posargs=[])
    session.notify("core-2.20", posargs=WHOLE)
    session.notify("molecule", posargs=["--all"])
    session.notify("sanity", posargs=chosen_checks(ON_EACH_PYTHON + OVER_ALL))


@nox.session
def hostile(session: nox.Session) -> None:
    """The tests from odd places: under nohup, on a busy machine, in another locale; arguments after -- choose."""
    session.run(PYTHON, "tests/tools/hostile_worlds.py", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Coverage of plugins/ by the unit tests: lines and branches."""
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "tests/unit", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


def tests_of(session: nox.Session) -> dict[str, tuple[str, ...]]:
    """The commands for the tests that are wanted."""
    pytest = (PYTHON, "-m", "pytest")
    if session.posargs:
        return {"tests": (*pytest, *session.posargs)}
    TIMES.mkdir(parents=True, exist_ok=True)
    return {name: (*pytest, *chosen, f"--times={TIMES / name}.json") for name, chosen in LANES.items()}


def sessions(wanted: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The commands for other sessions."""
    return {name: (PYTHON, "-m", "nox", "--session", *names) for name, names in wanted.items()}


def side_by_side_or_error(session: nox.Session, jobs: Mapping[str, Sequence[str]]) -> None:
    """Run commands beside each other; the session fails where one of them does."""
    failed = [name for name, code in side_by_side.run_all(jobs).items() if code]
    if failed:
        session.error(f"failed: {', '.join(failed)}")


def is_here(version: str) -> bool:
    """Whether this machine has a Python of this version, such as 3.9."""
    return any(found.startswith(f"{version}.") for found in python_interpreters.find())


def chosen_checks(names: Iterable[str]) -> list[str]:
    """The arguments by which ansible-test makes these checks only."""
    return [word for name in names for word in ("--test", name)]


def ansible_test(session: nox.Session, *arguments: str) -> None:
    """Run ansible-test on a copy of the checkout."""
    session.run(PYTHON, "tests/tools/run_ansible_test.py", *arguments)


def collections_folder() -> Path:
    """Return the folder of sys.path in which this checkout is a collection; the editable install has made it."""
    folders = (Path(entry) for entry in sys.path)
    return next(folder for folder in folders if (folder / "ansible_collections/rack/recipes").resolve() == ROOT)


def oldest_dependencies() -> list[str]:
    """Return each dependency of the project, pinned to its lower bound."""
    requirements = map(Requirement, PROJECT["project"]["dependencies"])
    return [f"{each.name}=={part.version}" for each in requirements for part in each.specifier if part.operator == ">="]
