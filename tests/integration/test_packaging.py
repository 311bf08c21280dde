# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user installs: the wheel, and an editable install, each in an environment of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import yaml

from ansible_collections.rack.recipes.tests.integration.docs.markdown_links import dead_links
from rack_recipes.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
INSIDE = "ansible_collections/rack/recipes"
SHIPPED = ("plugins", "playbooks", "roles", "recipes", "scriptlets", "data", "meta")
FILES = ("galaxy.yml", "README.md", "LICENSE", "pyproject.toml", "hatch_build.py")
CALLBACK = "rack.recipes.recorder"
TAG = f"v{VERSION}"
AUTHORS = """\
from typing import Any
from rack_recipes import ContextView, Faild, Scriptlet, debug_trace, run_program, run_recipe

class Own(Scriptlet):
    @debug_trace
    def run(self, ctx: ContextView, params: dict[str, Any]) -> None:
        reveal_type(run_program(["uname"]))
        ctx.chek("a", 1)

assert run_recipe("a.yml").verdicts["a"] == run_recipe("a.yml", only="a").verdicts["a", "h"]
"""


def environment_in(home: Path) -> dict[str, str]:
    """The environment of somebody who has this home folder, and nothing of ours; the cache of pip is shared."""
    cache = os.environ.get("PIP_CACHE_DIR") or f"{Path.home()}/.cache/pip"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON", "XDG_"))}
    path = [each for each in os.environ["PATH"].split(os.pathsep) if not Path(each, "rack-recipes").exists()]
    return {**kept, "HOME": str(home), "PATH": os.pathsep.join(path), "PIP_CACHE_DIR": cache}


def call(*command: str | Path, home: Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a home folder of its own, or in another folder."""
    env = environment_in(home)
    return subprocess.run(command, capture_output=True, check=False, cwd=folder or home, env=env, text=True)


def run(*command: str | Path, home: Path, folder: Path | None = None) -> str:
    """The output of a command that must end well."""
    ended = call(*command, home=home, folder=folder)
    assert ended.returncode == 0, f"{command}: exit code {ended.returncode}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def ignore_caches(_folder: str, names: list[str]) -> set[str]:
    return {"__pycache__"} & set(names)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What an install reads, in a folder whose name is no easy one."""
    root = tmp_path_factory.mktemp("packaging") / "my checkout"
    for name in SHIPPED:
        shutil.copytree(ROOT / name, root / name, ignore=ignore_caches)
    shutil.copytree(ROOT / "rack_recipes", root / "rack_recipes", ignore=ignore_caches)
    for name in FILES:
        shutil.copy(ROOT / name, root)
    return root


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, checkout, home=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home folder with a fresh environment in it. The pip of the tests fills it: one of its own would take long."""
    folder = tmp_path_factory.mktemp("home")
    venv.create(folder / "env")
    return folder


# The environment of the tests is an editable install.
@pytest.fixture(scope="module", params=["wheel", pytest.param("editable", marks=pytest.mark.repeats)])
def programs(request, checkout, wheel, home):
    """The folder of the environment's commands; the editable install replaces the wheel's."""
    package = (wheel,) if request.param == "wheel" else ("--editable", checkout)
    pip = (sys.executable, "-m", "pip", "--python", home / "env/bin/python")
    run(*pip, "install", "--quiet", "--no-compile", *package, home=home)
    return home / "env/bin"


def test_the_wheel_holds_the_whole_collection(checkout, wheel):
    names = {name.removeprefix(f"{INSIDE}/") for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    shipped = (path for name in SHIPPED for path in (checkout / name).rglob("*") if path.is_file())
    wanted = {str(path.relative_to(checkout)) for path in shipped}
    library = (path for path in (checkout / "rack_recipes").rglob("*") if path.is_file())
    wanted |= {str(path.relative_to(checkout)) for path in library}
    assert names == wanted | {"galaxy.yml", "README.md"}


def test_links_of_the_package_s_page_and_of_the_pages_in_the_wheel_lead_somewhere(wheel, tmp_path):
    [described] = zipfile.Path(wheel).glob("*.dist-info/METADATA")
    (tmp_path / "PACKAGE.md").write_text(described.read_text(encoding="utf-8").partition("\n\n")[2])
    zipfile.ZipFile(wheel).extractall(tmp_path / "wheel")
    pages = [*tmp_path.rglob("*.md")]
    assert {path.name for path in pages} == {"PACKAGE.md", "README.md"}
    assert [*dead_links(pages, TAG)] == []


@pytest.fixture(scope="module")
def galaxy(tmp_path_factory):
    """A home folder with ansible-core and the collection from Galaxy, and nothing else of ours."""
    folder = tmp_path_factory.mktemp("galaxy")
    venv.create(folder / "env")
    core = f"ansible-core=={metadata.version('ansible-core')}"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        folder / "env/bin/python",
        "install",
        "--quiet",
        "--no-compile",
        core,
        home=folder,
    )
    bin_ = folder / "env/bin"
    run(sys.executable, ROOT / "tests/tools/build_collection.py", folder, home=folder)
    (archive,) = folder.glob("rack-recipes-*.tar.gz")
    run(bin_ / "ansible-galaxy", "collection", "install", "--offline", archive, home=folder)
    (folder / "ansible.cfg").write_text("[defaults]\ncallbacks_enabled = rack.recipes.recorder\n")
    return folder


def test_the_archive_for_galaxy_is_the_collection_alone(galaxy):
    (archive,) = galaxy.glob("rack-recipes-*.tar.gz")
    with tarfile.open(archive) as opened:
        tops = {name.split("/")[0] for name in opened.getnames()}
    assert tops >= {*SHIPPED, "MANIFEST.json", "README.md", "LICENSE", "docs"}
    assert tops.isdisjoint({"tests", "rack_recipes", "noxfile.py", "pyproject.toml"})


def test_what_git_ignores_in_a_checkout_is_not_packed_either(tmp_path):
    ignored = [line for line in (ROOT / ".gitignore").read_text().splitlines() if line and not line.startswith("#")]
    shutil.copy(ROOT / "galaxy.yml", tmp_path)
    (tmp_path / "README.md").touch()
    for line in ignored:
        path = tmp_path / line.strip("/").replace("*", "x")
        (path if line.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        (path / "left" if path.is_dir() else path).touch()
    built = tmp_path / "dist"
    run(Path(sys.executable).with_name("ansible-galaxy"), "collection", "build", "--output-path", built, home=tmp_path)
    with tarfile.open(next(built.glob("*.tar.gz"))) as opened:
        assert {*opened.getnames()} == {"MANIFEST.json", "FILES.json", "README.md", "changelogs"}


def test_links_of_the_collection_lead_somewhere_from_the_page_on_galaxy_too(galaxy, tmp_path):
    (archive,) = galaxy.glob("rack-recipes-*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "all", filter="data")
    (tmp_path / "PAGE.md").write_text((tmp_path / "all/README.md").read_text())
    assert (tmp_path / "all/docs/index.md").is_file()
    assert [*dead_links(tmp_path.rglob("*.md"), TAG)] == []


def test_a_checkout_is_installed_by_the_command_that_the_readme_has(galaxy, tmp_path):
    program, *words = re.findall(r"`(ansible-galaxy collection install \.)`", (ROOT / "README.md").read_text())[
        0
    ].split()
    run(galaxy / "env/bin" / program, *words, home=tmp_path, folder=ROOT)
    assert (tmp_path / ".ansible/collections/ansible_collections/rack/recipes/playbooks/run.yml").is_file()


def test_without_the_library_one_message_says_what_to_install(galaxy):
    """From a playbook, a role and an action; the same message, with the command for the Python that Ansible has."""
    programs = galaxy / "env/bin"
    (galaxy / "recipe.yml").write_text((ROOT / "recipes/numbers.yml").read_text())
    told = (
        f"the Python package rack-recipes {VERSION} is not installed. Install it for the Python of Ansible: {programs}"
    )
    (galaxy / "role.yml").write_text(
        "- {hosts: localhost, gather_facts: false, roles: [rack.recipes.server_burn_in]}\n"
    )
    for words in (
        ("ansible-playbook", "rack.recipes.run", "-e", "recipe=recipe.yml"),
        ("ansible-playbook", "role.yml"),
        ("ansible", "localhost", "-m", "rack.recipes.flush"),
    ):
        done = call(programs / words[0], *words[1:], home=galaxy)
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode != 0, words
        assert told in said, (words, said)
        assert f"-m pip install rack-recipes=={VERSION}" in said
        assert "Traceback" not in said


@pytest.fixture(scope="module")
def finished(galaxy, wheel):
    """The same home after the one command, for which the wheel stands, and a run with its report."""
    programs = galaxy / "env/bin"
    pip = (sys.executable, "-m", "pip", "--python", programs / "python")
    run(*pip, "install", "--quiet", "--no-compile", f"{wheel}[server]", home=galaxy)
    shutil.copytree(ROOT / "data", galaxy / "data", dirs_exist_ok=True)
    words = ("-i", "localhost,", "-c", "local", "-e", "recipe=recipe.yml", "-e", "rack_recipes_report=true")
    run(programs / "ansible-playbook", "rack.recipes.run", *words, home=galaxy)
    return galaxy


def test_after_the_one_command_everything_works(finished):
    assert [*finished.glob(".rack-recipes/runs/*/report/*.html")]


def test_without_ansible_core_a_report_is_written_and_a_page_served(finished):
    """The last test of this home: a report job and a page server run no Ansible."""
    programs = finished / "env/bin"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        programs / "python",
        "uninstall",
        "--yes",
        "ansible-core",
        home=finished,
    )
    assert call(programs / "python", "-c", "import ansible", home=finished).returncode == 1
    run(programs / "rack-recipes", "report", "--to", finished / "again", home=finished)
    assert [*(finished / "again").glob("*.html")]
    serve = (programs / "rack-recipes", "serve", "--web", "--listen", "127.0.0.1:0", "--json")
    with subprocess.Popen(serve, cwd=finished, stdout=subprocess.PIPE, text=True) as served:
        try:
            said = json.loads(served.stdout.readline())
            asked = Request(f"{said['url']}/runs", headers={"Authorization": f"Bearer {said['token']}"})
            assert b"NUM-001" in urlopen(asked, timeout=60).read()
        finally:
            served.terminate()


def test_package_and_collection_have_one_version(wheel):
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    assert wheel.name.split("-")[:2] == ["rack_recipes", version]


def test_the_command_is_there(programs, home):
    assert "usage: rack-recipes" in run(programs / "rack-recipes", "--help", home=home)


def test_python_finds_the_public_names(programs, home):
    script = "import rack_recipes as r; print(*(name for name in r.__all__ if hasattr(r, name)))"
    found = run(programs / "python", "-c", script, home=home).split()
    assert {"Failed", "Scriptlet", "load_run", "run_program"} <= {*found}


def test_a_type_checker_knows_what_is_behind_the_public_names(wheel, tmp_path):
    pytest.importorskip("mypy")
    venv.create(tmp_path / "env")  # without pandas, into which mypy would look for a minute
    [packages] = (tmp_path / "env/lib").glob("python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    (tmp_path / "own.py").write_text(AUTHORS)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", tmp_path / "env/bin/python")
    done = subprocess.run([*mypy, "own.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    found = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    assert found[:-1] == [
        'error: Module "rack_recipes" has no attribute "Faild"; maybe "Failed"?  [attr-defined]',
        'note: Revealed type is "str"',
        'error: "ContextView" has no attribute "chek"; maybe "check"?  [attr-defined]',
    ]


def test_ansible_finds_the_collection(programs, home):
    documented = json.loads(run(programs / "ansible-doc", "--json", "-t", "callback", CALLBACK, home=home))
    assert documented[CALLBACK]["doc"]["short_description"]


def test_a_playbook_runs_a_module_of_the_collection(programs, home):
    (home / "numbers.txt").write_text("1\n2\n6\n")
    arguments = ("localhost", "-m", "rack.recipes.numbers_stats", "-a", f"src={home}/numbers.txt")
    assert "SUCCESS" in run(programs / "ansible", *arguments, home=home)
