# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks as a team writes them: with several recipes, with stages in roles and in included files, with reports."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from call_rack_recipes import Done, call, rack_recipes, results, shell, write_recipe

pytestmark = pytest.mark.usefixtures("steps")


def stage(number: int, *scripts: str, **words: Any) -> dict[str, Any]:
    """A stage task; a step has the name of its script."""
    steps = [shell(script, **({} if script == "ok" else {"success": "none"})) for script in scripts]
    return {"name": f"Stage {number}", "rack.recipes.stage": {"number": number, "steps": steps}, **words}


REPORT = {"name": "Write", "rack.recipes.report": {"formats": ["md"]}}
NOTHING = {"name": "Nothing", "ansible.builtin.meta": "noop"}
VERDICT = {
    "name": "Verdict",
    "hosts": "{{ query('rack.recipes.not_passed', 'all') }}",
    "gather_facts": False,
    "tasks": [{"name": "Fail the host for its reasons", "rack.recipes.verdict": {}}],
}


def write(name: str, content: Any) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return name


def play(*tasks: dict[str, Any], **words: Any) -> dict[str, Any]:
    return {"name": "Play", "hosts": "localhost", "gather_facts": False, "tasks": list(tasks), **words}


def ansible(*playbooks: str) -> Done:
    hosts = ("-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}")
    return call("ansible-playbook", *hosts, *playbooks, ANSIBLE_CALLBACKS_ENABLED="rack.recipes.recorder")


def compiled(name: str, *scripts: str) -> str:
    """The playbook of a recipe with these steps."""
    done = rack_recipes("compile", write_recipe([shell(script) for script in scripts], f"{name}.yml"))
    assert done.code == 0, done.stderr
    Path(f"{name}-playbook.yml").write_text(done.stdout, encoding="utf-8")
    return f"{name}-playbook.yml"


def runs() -> list[str]:
    return [row["run_id"] for row in rack_recipes("runs", "--json").answer["runs"]]


def test_two_playbooks_of_one_command_are_two_runs():
    done = ansible(compiled("a", "ok"), compiled("b", "ok"), write("more.yml", [play()]))
    assert done.code == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    assert [results(run_id).run["recipe"] for run_id in runs()] == ["b.yml", "a.yml"]
    assert {results(run_id).run["status"] for run_id in runs()} == {"passed"}


def test_a_run_that_did_not_pass_ends_the_command():
    done = ansible(compiled("a", "fail"), compiled("b", "ok"))
    assert done.code == 2
    assert [results(run_id).run["recipe"] for run_id in runs()] == ["a.yml"]


def test_stages_may_stand_in_roles_and_imported_files_and_under_conditions():
    write("roles/base/tasks/main.yml", [stage(2, "ok")])
    write("roles/links/meta/main.yml", {"dependencies": [{"role": "base"}]})
    write("roles/links/tasks/main.yml", [NOTHING])
    write("last.yml", [stage(4, "fail", ignore_errors=True)])
    imported = {"name": "Last", "ansible.builtin.import_tasks": "last.yml"}
    left_out = stage(5, "gate", when="inventory_hostname == 'another'")
    block = {"name": "Block", "block": [NOTHING], "always": [imported, left_out]}
    done = ansible(write("site.yml", [play(roles=["links"], post_tasks=[block]), VERDICT]))
    assert done.code == 2
    assert {step: (row["verdict"], row["reason"]) for (step, _host), row in results().steps.items()} == {
        "ok": ("passed", ""),
        "fail": ("failed", "the link is down"),
        "gate": ("skipped", "left out by its task: when: inventory_hostname == 'another'"),
    }


def test_a_stage_that_is_included_did_not_pass_whoever_ignores_it():
    write("late.yml", [stage(2, "fail")])
    include = {"name": "Late", "ansible.builtin.include_tasks": "late.yml"}
    done = ansible(write("site.yml", [play(stage(1, "ok"), include, ignore_errors=True), VERDICT]))
    assert done.code == 2
    found = results()
    assert found.verdicts() == {("ok", "localhost"): "passed", ("fail", "localhost"): "error"}
    assert "was not planned when the run began" in found.steps["fail", "localhost"]["reason"]
    assert "`import_tasks`" in done.stdout


def test_where_every_stage_is_included_nothing_passes():
    write("late.yml", [stage(1, "ok")])
    include = {"name": "Late", "ansible.builtin.include_tasks": "late.yml"}
    done = ansible(write("site.yml", [play(include, ignore_errors=True)]))
    assert done.code == 2
    assert "was not planned when the run began" in done.stdout + done.stderr
    assert "callbacks_enabled" not in done.stdout + done.stderr


def test_a_playbook_that_tested_nothing_does_not_end_well():
    done = ansible(write("site.yml", [play(stage(1, "ok", tags=["second"]), NOTHING)]), "--tags", "secnod")
    assert (done.code, results().run["status"]) == (1, "failed")
    assert "no step has the tag or name 'secnod' (did you mean 'second'?)" in " ".join(done.stderr.split())


def test_a_report_needs_no_flush_before_it():
    done = ansible(write("site.yml", [play(stage(1, "ok"), REPORT)]))
    assert done.code == 0, done.stdout
    [path] = Path(".rack-recipes/runs").glob("*/report/report.md")
    assert path.read_text(encoding="utf-8").startswith("# ✓ passed")


def test_without_a_stage_it_is_said_that_there_is_no_run():
    done = ansible(write("site.yml", [play(REPORT)]))
    assert done.code == 2
    failed = next(line for line in done.stdout.splitlines() if "fatal:" in line)
    assert failed.count("no run has begun: no play of this playbook has had a stage yet") == 1


@pytest.mark.parametrize(
    ("role", "variables"),
    [
        ("fabric_health", ("fabric_health_ports", "fabric_health_bgp_ports", "fabric_health_targets")),
        (
            "cabling",
            ("cabling.yml: no host of the inventory is in the plan: it names leaf1, leaf2, the inventory local",),
        ),
    ],
)
def test_a_role_that_tested_nothing_fails_and_says_what_it_needs(role: str, variables: tuple[str, ...]):
    Path("cabling.yml").write_text("- {a: 'leaf1:e1', b: 'leaf2:e1'}\n")
    given = {"fabric_health_mtu": 1500, "fabric_health_max_loss": "{{ 1 + 1 }}", "no_variable_of_it": 1}
    done = ansible(write("role.yml", [play(roles=[{"role": f"rack.recipes.{role}", "vars": given}])]))
    assert done.code == 2
    recorded = {name: value for name, value in given.items() if name.startswith(role)}
    assert (results().run["params"] or {}) == recorded
    assert all(variable in done.stdout for variable in variables), done.stdout
