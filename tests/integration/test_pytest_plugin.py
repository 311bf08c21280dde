# SPDX-License-Identifier: GPL-3.0-or-later

"""The pytest plugin: recipe files as tests, and the fixture that runs recipes; each in a pytest of its own."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest

from call_rack_recipes import Done, call

PLUGIN = "rack_recipes.programs.pytest_plugin.plugin"
CASES = Path(__file__).parent / "cases" / "pytest_plugin"
RECIPES = ("parameters", "slow", "unchecked", "verdicts")
INVENTORY = """\
all:
  vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  children: {leafs: {hosts: {leaf1: {}, leaf2: {}}}, spines: {hosts: {spine1: {}}}}
"""


@dataclass(frozen=True)
class Test:
    """One test of the inner pytest: what became of it, and what is said of it."""

    __test__ = False

    outcome: str
    text: str
    properties: dict[str, str]
    seconds: float


class Ended(NamedTuple):
    """An inner pytest that several tests look at: how it ended, its tests by name, and its runs."""

    done: Done
    tests: dict[str, Test]
    runs: list[Path]

    def outcomes(self, *names: str) -> dict[str, str]:
        """The outcomes of all tests, or of those that begin with one of the names."""
        return {name: test.outcome for name, test in self.tests.items() if name.startswith(names or "")}


@pytest.fixture
def tests(project: Path) -> Path:
    """A project with the files of these tests; the working folder."""
    return fill(project)


def fill(project: Path) -> Path:
    shutil.copytree(CASES, project, dirs_exist_ok=True, ignore=shutil.ignore_patterns("conftest.py"))
    (project / "inventory.yml").write_text(INVENTORY)
    (project / "pytest.ini").write_text("[pytest]\n")
    return project


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The recipe with every verdict, in a pytest that has all plugins that are installed here."""
    with chdir(fill(tmp_path_factory.mktemp("judged"))):
        done = inner("verdicts.recipe.yml", PYTEST_DISABLE_PLUGIN_AUTOLOAD="", RACK_RECIPES_LOG_LEVEL="info")
        return Ended(done, results(), [path.absolute() for path in runs()])


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Three recipes in one pytest."""
    with chdir(fill(tmp_path_factory.mktemp("several"))):
        done = inner("slow.recipe.yml", "parameters.recipe.yml", "unchecked.recipe.yml")
        return Ended(done, results(), [path.absolute() for path in runs()])


def inner(*words: object, **env: str) -> Done:
    """Run pytest here, with the plugin, and as if it were not installed besides; nor are the plugins of others."""
    ours = ("-p", "no:rack_recipes", "-p", PLUGIN, "-p", "no:cacheprovider", "--junitxml=tests.xml")
    return call(sys.executable, "-m", "pytest", *ours, *words, **{"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env})


def results() -> dict[str, Test]:
    """The tests of the last run of the inner pytest, by name."""
    return {case.attrib["name"]: as_test(case) for case in ET.parse("tests.xml").iter("testcase")}


def as_test(case: ET.Element) -> Test:
    marks = {"failure": "failed", "error": "error", "skipped": "skipped"}
    found = [child for child in case if child.tag in marks]
    text = "\n".join(f"{child.get('message')}\n{child.text}" for child in found)
    properties = {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}
    return Test(marks[found[-1].tag] if found else "passed", text, properties, float(case.attrib["time"]))


def outcomes() -> dict[str, str]:
    return {name: test.outcome for name, test in results().items()}


def runs() -> list[Path]:
    return sorted(Path(".rack-recipes/runs").glob("*/journal.jsonl"))


def test_each_verdict_has_its_outcome(judged: Ended):
    assert judged.done.code == 1, judged.done.stdout + judged.done.stderr
    assert len(judged.runs) == 1
    assert judged.outcomes() == {
        "good[localhost]": "passed",
        "near[localhost]": "passed",
        "bad[localhost]": "failed",
        "second[localhost]": "passed",
        "broken[localhost]": "error",
        "needs_bad[localhost]": "failed",
        "not_now[localhost]": "skipped",
        "no_port[1][localhost]": "skipped",
        "no_port[2][localhost]": "skipped",
        "blocked_port[1][localhost]": "failed",
        "each[a][localhost]": "passed",
        "each[b][localhost]": "failed",
        "names[localhost]": "passed",
        "late[localhost]": "failed",
        "total": "passed",
    }
    found = judged.tests
    assert found["near[localhost]"].properties == {"verdict": "marginal"}
    assert found["second[localhost]"].properties == {"verdict": "passed", "flake": "passed at try 2"}
    assert found["not_now[localhost]"].text.startswith("when: ")
    assert found["needs_bad[localhost]"].text.startswith("blocked: bad did not pass (failed)\nneeds_bad on localhost: ")
    assert found["blocked_port[1][localhost]"].text.startswith("blocked: bad did not pass (failed)\nblocked_port[1] ")
    assert found["blocked_port[1][localhost]"].properties == {"verdict": "blocked"}
    said = judged.done.stdout.partition("short test summary info")[2]
    assert "verdicts.recipe.yml::bad[localhost] - failed: value: 7 frames" in said
    assert "ERROR verdicts.recipe.yml::broken[localhost] - error: " in said


def test_a_waived_failure_is_an_expected_one(tests: Path):
    Path("waivers.yml").write_text("waivers: [{step: bad, reason: RMA 1, who: alice, until: 2099-12-31}]")
    done = inner("verdicts.recipe.yml", "-rx", "-k", "bad and not needs")
    assert done.code == 0, done.stdout + done.stderr
    assert "1 xfailed" in done.stdout
    assert "waived by alice until 2099-12-31: RMA 1; failed: value: 7 frames is above max 5 frames" in done.stdout


def test_a_failure_shows_all_that_there_is_to_see(judged: Ended):
    text = judged.tests["bad[localhost]"].text
    assert text.startswith("failed: value: 7 frames is above max 5 frames\n")
    assert "  failed: value = 7 frames (max 5)\n" in text
    assert "  try 1: failed: value: 7 frames is above max 5 frames\n" in text
    assert re.search(r"bad on localhost: \S+verdicts\.recipe\.yml:\d+:\d+, run \d{8}-\d{6}-\w{6}", text)
    assert "Traceback" not in text
    printed = judged.done.stdout
    _before, shown, rest = printed.partition(" bad[localhost] ")
    assert shown, printed
    own = rest.partition(" needs_bad[localhost] ")[0]
    assert "Captured stdout call" in own
    assert "bad@localhost end: failed: value: 7 frames" in own.partition("Captured log call")[2]
    assert "gives 7" in own
    assert "this is the log" in own
    assert "collect.py" not in printed


def test_instances_that_only_the_run_knows_are_told_by_their_step(judged: Ended):
    text = judged.tests["late[localhost]"].text
    assert "  late[y]: failed: value: 8 is above max 5\n" in text
    assert "late[x]" not in text
    assert "    stdout: " in text


def test_the_duration_is_that_of_the_step(several: Ended):
    found = several.tests
    assert found["slow[localhost]"].seconds > 0.5
    assert found["quick[localhost]"].seconds < found["slow[localhost]"].seconds


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            (),
            {
                "test_fixture.py",
                "parameters.recipe.yml",
                "slow.recipe.yml",
                "unchecked.recipe.yml",
                "verdicts.recipe.yml",
            },
        ),
        (("plain.yml",), {"plain.yml"}),
        (("-o", "rack_recipes_files=pl*.yml deep/*.yml"), {"test_fixture.py", "plain.yml", "deep/other.yml"}),
    ],
)
def test_which_files_are_collected(tests: Path, words: tuple[str, ...], expected: set[str]):
    done = inner("--collect-only", "-q", *words)
    assert done.code == 0, done.stdout + done.stderr
    assert {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line} == expected
    assert runs() == []


FAILED_BEFORE = {
    "--lf": ("lastfailed", {"verdicts.recipe.yml::each[b][localhost]": True}),
    "--sw": (
        "stepwise",
        {
            "last_failed": "verdicts.recipe.yml::each[b][localhost]",
            "last_test_count": 15,
            "last_cache_date_str": "2026-01-01T00:00:00",
        },
    ),
}


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--lf", ["each[b][localhost]"]),
        ("--sw", ["each[b][localhost]", "names[localhost]", "late[localhost]", "total"]),
    ],
)
def test_what_failed_before_is_known_again(tests: Path, option: str, expected: list[str]):
    name, content = FAILED_BEFORE[option]
    cache = Path(".pytest_cache/v/cache", name)
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps(content))
    done = inner("verdicts.recipe.yml", "-p", "cacheprovider", "-p", "stepwise", "--collect-only", "-q", option)
    assert [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line] == expected, done.stdout


def test_a_file_that_is_no_recipe_is_not_ours(tests: Path):
    done = inner("inventory.yml")
    assert done.code == 4
    assert "not found: " in done.stderr


def test_a_wrong_recipe_is_an_error_with_its_place(tests: Path):
    Path("wrong.recipe.yml").write_text("test_meta: {test_id: A}\nsteps:\n  - {name: a, modul: t.value}\n")
    done = inner("wrong.recipe.yml")
    assert done.code == 2
    assert "wrong.recipe.yml:3:15: expected a key of step 'a', got 'modul' (did you mean 'module'?)" in done.stdout
    assert "Traceback" not in done.stdout


def test_over_the_hosts_of_an_inventory(tests: Path):
    limits = ("--rack-limit", "leaf2", "--rack-limit", "spines")
    done = inner("parameters.recipe.yml", "--rack-inventory", "inventory.yml", "--rack-param", "ports=[1, 2]", *limits)
    assert done.code == 0, done.stdout + done.stderr
    assert set(outcomes()) == {
        *(f"port[{port}][{host}]" for port in (1, 2) for host in ("leaf2", "spine1")),
        "leafs_only[leaf2]",
    }


def test_a_step_without_hosts_is_a_skip(several: Ended):
    assert several.outcomes("port", "leafs") == {"port[3][localhost]": "passed", "leafs_only[?]": "skipped"}
    assert "no host of this run matches its hosts" in several.tests["leafs_only[?]"].text
    assert len(several.runs) == 3


def test_a_recipe_without_hosts_fails(tests: Path):
    assert inner("parameters.recipe.yml", "-k", "leafs_only").code == 1
    assert "no host of this run matches" in results()["leafs_only[?]"].text


def test_a_limit_that_matches_no_host(tests: Path):
    words = ("--collect-only", "--rack-inventory", "inventory.yml", "--rack-limit", "lefs")
    done = inner("parameters.recipe.yml", *words)
    assert done.code == 2
    assert "no host matches --rack-limit 'lefs' here (did you mean 'leafs'?)" in done.stdout


def test_a_step_is_no_test_where_its_recipe_does_not_run(tests: Path):
    step = "{name: a, hosts: 'leaf1:leaf2', type: shell, module: t.value, success: none}"
    Path("narrow.recipe.yml").write_text(f"{{test_meta: {{test_id: N}}, hosts: leaf1, steps: [{step}]}}")
    done = inner("narrow.recipe.yml", "--collect-only", "-q", "--rack-inventory", "inventory.yml")
    assert [line for line in done.stdout.splitlines() if "::" in line] == ["narrow.recipe.yml::a[leaf1]"]


def test_an_inventory_that_is_not_there(tests: Path):
    done = inner("parameters.recipe.yml", "--rack-inventory", "absent.yml")
    assert done.code == 4
    assert "--rack-inventory: expected a file, a folder or a list of hosts, got 'absent.yml'" in done.stderr


def test_an_inventory_that_cannot_be_read(tests: Path):
    (tests / "broken.yml").write_text("all: [\n")
    done = inner("parameters.recipe.yml", "--rack-inventory", "broken.yml")
    assert done.code != 0
    assert "the inventory cannot be read: Completely failed to parse inventory source" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_parameter_without_a_value_is_told_once_for_its_file(tests: Path):
    steps = "steps: [{name: s, type: shell, module: t.value}, {name: u, type: shell, module: t.value}]"
    text = f"{{test_meta: {{test_id: P}}, params: {{password: {{secret: true}}}}, {steps}}}"
    (tests / "asks.recipe.yml").write_text(text)
    inner("asks.recipe.yml", "verdicts.recipe.yml", "-k", "asks or good")
    assert outcomes() == {"s[localhost]": "error", "u[localhost]": "skipped", "good[localhost]": "passed"}
    reason = "nothing was run: parameter 'password': expected text, got no value, and it has no default"
    assert reason in results()["s[localhost]"].text
    assert "nothing was run: see s[localhost]" in results()["u[localhost]"].text


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        ("ports", "--rack-param: expected NAME=VALUE, got 'ports'"),
        ("prots=[1]", "--rack-param: no recipe here has a parameter 'prots'"),
        ("ports=x", "ports"),
    ],
)
def test_a_wrong_parameter(tests: Path, param: str, expected: str):
    done = inner("parameters.recipe.yml", "--rack-param", param)
    assert done.code != 0
    assert expected in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_only_what_is_wanted_is_run(tests: Path):
    words = ("--rack-inventory", "inventory.yml", "-k", "(needs_bad or good or late) and leaf2")
    assert inner("verdicts.recipe.yml", *words).code == 1
    ran = {(one["step"], one["host"]) for one in records() if one["kind"] == "step" and one.get("attempts")}
    assert ran == {(step, "leaf2") for step in ("good", "bad", "names", "late[x]", "late[y]")}
    assert set(outcomes()) == {"good[leaf2]", "needs_bad[leaf2]", "late[leaf2]"}


def records() -> Iterator[dict[str, Any]]:
    for line in runs()[-1].read_text().splitlines():
        if line:
            yield json.loads(line)


def test_what_no_step_can_say_is_an_error(several: Ended):
    assert several.done.code == 1
    assert {name for name, outcome in several.outcomes().items() if outcome in ("failed", "error")} == {
        "silent[localhost]"
    }
    assert several.outcomes("silent") == {"silent[localhost]": "error"}
    assert re.search(r"run \S+ is unchecked \(exit code 1\)", several.tests["silent[localhost]"].text)


def test_the_fixture_runs_recipes(tests: Path):
    done = inner("test_fixture.py")
    assert done.code == 0, done.stdout + done.stderr
    assert runs() == []


@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="needs pytest-xdist")
@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize("dist", ["load", "loadfile"])
def test_workers_share_one_run(tests: Path, dist: str):
    done = inner("verdicts.recipe.yml", "-p", "xdist", "-n", "3", "--dist", dist)
    assert done.code == 1, done.stdout + done.stderr
    assert [*map(list(outcomes().values()).count, ("failed", "error"))] == [5, 1]
    assert len(runs()) == 1
