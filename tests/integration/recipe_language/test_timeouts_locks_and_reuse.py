# SPDX-License-Identifier: GPL-3.0-or-later

"""What verdicts alone do not show: no process is left, no secret is shown, locks exclude, results are reused."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import chdir
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.tests.integration.recipe_language.conftest import Ran
from call_rack_recipes import Results, rack_recipes, results

SECRET = "password-of-this-test"
HOSTS = "r01,r02"


def ran(recipe: str, rack: Any, *options: str) -> Results:
    done = rack_recipes("run", recipe, "-i", rack.inventory, "--limit", HOSTS, *options)
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
    assert feature("timeout").results.steps["leaves", "r01"]["reason"] == "timed out after 1 s"
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
