# SPDX-License-Identifier: GPL-3.0-or-later

"""Each feature of the language as a recipe that runs on two or three SSH hosts, and what verdicts alone do not show.

A case is `cases/NAME.yml`, whose first comments say what it needs, and `cases/NAME.json`, its expected results;
`--update` writes the latter. `conftest.py` lists the comments.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable
from contextlib import chdir
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.integration.recipe_language.conftest import Ran, said_by
from call_rack_recipes import Results, rack_recipes, results, run_recipe

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.stem for path in CASES.glob("*.yml"))
INVENTORY = re.compile(r"(?<= -i )/\S*/(?=inventory\.yml`)")  # its folder in the advice to debug
VARYING = {"s.span_v1", "s.command_v1"}


def case(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.repeats if "repeats" in said_by(name) else ())


@pytest.mark.parametrize("name", [*map(case, NAMES)])
def test_feature(name: str, feature: Callable[[str], Ran], golden: Callable[[Path, str], None]):
    if said_by(name).get("root") and os.geteuid():
        pytest.skip("becomes another user, which only root may without a password")
    ran = feature(name)
    found = told(ran.done.code, ran.done.answer, ran.results)
    golden(CASES / f"{name}.json", json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def told(code: int, answer: dict[str, Any], found: Results) -> dict[str, Any]:
    """What a case compares."""
    steps: dict[str, dict[str, list[Any]]] = defaultdict(dict)
    for (step, host), row in found.steps.items():
        flake = ["flake"] if row.get("flake") else []
        steps[step][host or "run"] = [row["verdict"], INVENTORY.sub("", row["reason"] or ""), *flake]
    context: dict[str, dict[str, Any]] = defaultdict(dict)
    for (key, host), value in found.context.items():
        if key not in VARYING:
            context[key][host or "run"] = value
    return {
        "code": code,
        "status": answer["status"],
        "counts": answer["counts"],
        "steps": dict(steps),
        "context": dict(context),
    }


@pytest.mark.usefixtures("features")
def test_a_script_as_it_is_ends_the_same_in_each_way(feature: Callable[[str], Ran], rack: Any):
    name = "scripts_as_they_are"
    fused = feature(name)
    wanted = told(fused.done.code, fused.done.answer, fused.results)
    for options, settings in ((("--stepwise",), {}), ((), {"RACK_RECIPES_ONE_PROCESS_FROM": 0})):
        done = run_recipe(f"{name}.yml", *options, on=rack, hosts=HOSTS, **settings)
        assert told(done.code, done.answer, done.results) == wanted


SECRET = "password-of-this-test"
HOSTS = "r01,r02"


def ran(recipe: str, rack: Any, *options: str) -> Results:
    done = run_recipe(recipe, *options, on=rack, hosts=HOSTS)
    assert done.code in (0, 1), done.stdout + done.stderr
    return results()


def commands() -> list[str]:
    """The command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip())
        except OSError:
            continue
    return found


def test_a_timeout_leaves_no_process(feature: Callable[[str], Ran]):
    assert feature("failures").results.steps["leaves", "r01"]["reason"] == "timed out after 1 s"
    assert [command for command in commands() if "sleep 4322" in command] == []


def test_a_secret_is_in_no_file(features: Path, rack: Any):
    (features / "ansible.cfg").write_text((features / "ansible.cfg").read_text() + "verbosity = 3\n")
    found = ran("secret.yml", rack, "--param-file", "secret.json", "--report", "--debug")
    assert found.verdicts() == {("tells", "r01"): "passed", ("tells", "r02"): "passed"}
    assert "********" in found.steps["tells", "r01"]["stderr"]
    written = [path for path in features.rglob("*") if path.is_file() and path.name != "secret.json"]
    assert len(written) > 5
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []


def spans(found: Results, key: str = "s.span_v1") -> dict[str, list[int]]:
    return {host: value for (name, host), value in found.context.items() if name == key}


def test_a_lock_of_the_run_is_held_by_one_host_at_a_time(feature: Callable[[str], Ran]):
    found = spans(feature("locks").results)
    (_start, end), (later, _end) = sorted(found.values())
    assert end <= later


def test_a_lock_of_a_host_keeps_parallel_steps_apart_and_lets_settle(feature: Callable[[str], Ran]):
    folder, _done, found = feature("locks")
    steps = found.steps
    for host in HOSTS.split(","):
        rows = sorted((steps[name, host]["started"], steps[name, host]["seconds"]) for name in ("one", "two"))
        assert rows[0][0] != rows[1][0]
    with chdir(folder):
        history = json.loads(rack_recipes("ctx", "history", "s.span_v1", "--json").stdout)["changes"]
    for host in HOSTS.split(","):
        held = sorted(entry["after"] for entry in history if entry["host"] == host and entry["step"] in ("one", "two"))
        assert all(earlier[1] + 200 <= later[0] for earlier, later in pairwise(held))


def test_a_cached_result_names_its_run(feature: Callable[[str], Ran], rack: Any):
    folder, _done, first = feature("cache")
    with chdir(folder):
        again = ran("cache.yml", rack)
        other = ran("cache.yml", rack, "--param", "value=2")
    assert {row["verdict"] for row in first.steps.values()} == {"passed", "failed"}
    assert [again.steps[step, "r01"]["verdict"] for step in ("costly", "fails")] == ["cached", "failed"]
    assert first.run["run_id"] in again.steps["costly", "r01"]["reason"]
    assert again.context["s.a_v1", "r01"] == 1
    assert other.steps["costly", "r01"]["verdict"] == "passed"
    assert other.context["s.a_v1", "r01"] == 2


def test_resume_from_a_step(feature: Callable[[str], Ran], rack: Any):
    folder, _done, first = feature("retry")
    with chdir(folder):
        again = ran("retry.yml", rack, "--resume-from", "too_few")
    assert first.run["run_id"] in again.steps["flake", "r01"]["reason"]
    assert again.steps["too_few", "r01"]["reason"] == "not yet"
