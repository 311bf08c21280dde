# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that SSH hosts run on behalf of devices, which have neither SSH nor Python."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import no_sandbox
from call_rack_recipes import CHECKOUT, Done, rack_recipes, results

DEVICES = ("bmc1", "bmc2", "bmc3")
JUMP = {"bmc1": "r01", "bmc2": "r01", "bmc3": "r02"}
UNDEFINED = "'gone' is undefined"


@pytest.fixture
def devices(steps: Path) -> Path:
    """A project with the recipe and the inventory of these tests."""
    shutil.copytree(Path(__file__).parent / "cases" / "delegates", steps, dirs_exist_ok=True)
    return steps


def run(recipe: str, rack: Any, *options: object, **env: object) -> Done:
    return rack_recipes("run", recipe, "-i", rack.inventory, "-i", "inventory.yml", *options, **env)


def write(*steps: dict[str, Any], name: str = "recipe.yml", **recipe: Any) -> str:
    visit = {"name": "visit", "type": "shell", "module": "t.visit", "delegate_to": "r01"}
    visit["success"] = {"ctx_has_keys": ["t.seen_v1"]}
    made = {"test_meta": {"test_id": "T-1"}, "hosts": "devices", **recipe}
    Path(name).write_text(json.dumps({**made, "steps": [{**visit, **step} for step in steps or ({},)]}))
    return name


@pytest.mark.skipif(bool(no_sandbox()), reason=no_sandbox())
def test_everything_that_a_delegated_step_can_do(devices: Path, rack: Any):
    done = run("everything.yml", rack, "--report")
    assert done.code == 1, done.stderr
    found = results()
    for device in DEVICES:
        own = {step: row for (step, host), row in found.steps.items() if host == device}
        said = {step: (row["verdict"], row["through"], row["reason"]) for step, row in own.items()}
        jump = JUMP[device]
        passed = ("passed", jump, "")
        assert said.pop("a_group")[:2] == ("error", f"jump_{'b' if device == 'bmc3' else 'a'}")
        verdict, through, reason = said.pop("undefined")
        assert (verdict, through) == ("error", None)
        assert UNDEFINED in reason
        assert said == {
            **dict.fromkeys(("visit", "loop", "loop[1]", "loop[2]", "sandboxed", "closing", "one_at_a_time"), passed),
            **({"some": passed} if device == "bmc3" else {}),
            "left_out": ("skipped", None, "when: false"),
            "flaky": ("passed", "r02", ""),
            "slow": ("error", "r02", "timed out after 1 s (through r02)"),
            "bad": ("failed", "r02", "the link is down (through r02)"),
            "after_bad": ("blocked", None, "bad did not pass (failed)"),
            "module": ("passed", "r01", ""),
            "module_fails": ("failed", "r01", "no (through r01)"),
            "after_undefined": ("blocked", None, "undefined did not pass (error)"),
            "here": ("passed", "localhost", ""),
        }
        assert found.context["t.command_v1", device]["stdout"] == "r01"
        assert "********" in own["visit"]["stderr"]
    assert (found.steps["once", ""]["verdict"], found.steps["once", ""]["through"]) == ("passed", "r02")
    assert found.context["t.seen_v1", ""]["from"] == "r02"
    assert ("visit", "bmc1", "temperature", 21.5, "C") in found.measurements
    first, second = sorted(found.context["t.span_v1", device] for device in ("bmc1", "bmc2"))
    assert first[1] <= second[0]
    kept = [row for row in json.loads(rack_recipes("show", "--json").stdout)["artifacts"] if row["step"] == "visit"]
    assert [(row["host"], bool(row["path"])) for row in kept] == [(device, True) for device in DEVICES]
    files = [path.read_bytes() for path in Path(".rack-recipes").rglob("*") if path.is_file()]
    assert not any(b"password-of-the-devices" in data for data in files)
    assert {Path(path).suffix for path in done.answer["report"]} >= {".html", ".xlsx"}
    [verdicts] = Path(".rack-recipes").rglob("verdicts.csv")
    assert verdicts.read_text(encoding="utf-8-sig").startswith("host,through,step,verdict,")


def test_what_a_device_is_asked_is_its_own_and_a_limit_leaves_the_delegate_alone(devices: Path, rack: Any):
    recipe = write({"args": {"address": "{{ address }}"}, "delegate_to": "{{ groups['jump_' ~ site] | first }}"})
    assert run(recipe, rack, "--limit", "bmc3").code == 0
    seen = {host: value for (_key, host), value in results().context.items()}
    assert seen == {"bmc3": {"address": "192.0.2.3", "from": "r02"}}


def test_a_delegate_that_is_down_is_named_and_its_devices_go_on_later(devices: Path, rack: Any):
    recipe = write({"delegate_to": "{{ groups['jump_' ~ site] | first }}"})
    rack.kill("r02")
    try:
        done = run(recipe, rack)
    finally:
        rack.revive("r02")
    assert (done.code, done.answer["status"]) == (3, "unreachable")
    found = results()
    assert found.verdicts() == {("visit", host): "unreachable" if host == "bmc3" else "passed" for host in DEVICES}
    assert "Connection refused" in found.steps["visit", "bmc3"]["reason"]
    assert found.steps["visit", "bmc3"]["reason"].endswith(" (through r02)")
    assert run(recipe, rack, "--resume", "last").code == 0
    again = results()
    assert [again.steps["visit", host]["source_run"] for host in DEVICES] == [found.run["run_id"]] * 2 + [None]
    assert [again.steps["visit", host]["through"] for host in DEVICES] == ["r01", "r01", "r02"]


def test_a_result_is_used_again_only_through_the_same_host(devices: Path, rack: Any):
    recipe = write({"cache_key": "seen", "delegate_to": "{{ jump }}"})
    found = []
    for jump in ("r01", "r02", "r01"):
        assert run(recipe, rack, "--limit", "bmc1", "--", "-e", f"jump={jump}").code == 0
        found.append(results().steps["visit", "bmc1"])
    assert [(row["verdict"], row["through"]) for row in found] == [
        ("passed", "r01"),
        ("passed", "r02"),
        ("cached", "r01"),
    ]


@pytest.mark.skipif(bool(os.geteuid()), reason="becomes another user, which only root may without a password")
def test_a_step_becomes_the_user_of_the_recipe_and_not_that_of_the_device_s_variables(devices: Path, rack: Any):
    shutil.copytree(CHECKOUT / "tests" / "integration" / "cases" / "scriptlets" / "s", devices / "scriptlets" / "s")
    success = {"values": [{"value": "${s.who_v1}", "eq": "nobody"}]}
    recipe = write({"module": "s.who", "become": "nobody", "success": success})
    done = run(recipe, rack, "--limit", "bmc1", "-e", "ansible_python_interpreter=/usr/bin/python3")
    assert done.code == 0, done.stderr


def test_a_canary_batches_only_and_check_mode(devices: Path, rack: Any):
    recipe = write(
        {"delegate_to": "{{ groups['jump_' ~ site] | first }}"},
        {"name": "other", "delegate_to": "{{ gone }}"},
        canary={"count": 1},
        serial=[1],
    )
    assert run(recipe, rack).code == 1
    found = results()
    assert found.steps["other", "bmc1"]["verdict"] == "error"
    assert {place: row["verdict"] for place, row in found.steps.items() if place[0] == "visit"} == {
        ("visit", "bmc1"): "passed",
        ("visit", "bmc2"): "blocked",
        ("visit", "bmc3"): "blocked",
    }
    assert run(recipe, rack, "--only", "visit").code == 0
    assert {row["verdict"] for row in results().steps.values()} == {"passed"}
    checked = run(recipe, rack, "--only", "visit", "--check")
    assert checked.answer["status"] == "rehearsed", checked.stdout
    shown = rack_recipes("run", recipe, "-i", rack.inventory, "-i", "inventory.yml", "--only", "visit", "--dry-run")
    assert (shown.code, "through {{ groups['jump_' ~ site] | first }}" in shown.stdout) == (0, True)


def test_a_group_is_no_delegate(devices: Path, rack: Any):
    done = run(write({"delegate_to": "jump_a"}), rack)
    assert done.code == 2
    assert "visit: delegate_to: 'jump_a' is a group and no host: name one host, such as" in done.stdout + done.stderr
    assert not [*Path(".rack-recipes", "runs").rglob("journal.jsonl")]
