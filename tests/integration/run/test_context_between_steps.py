# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of the context reach other steps, stages and hosts: by references, templates, facts and run-scoped steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from call_rack_recipes import call, rack_recipes, results, run_recipe, shell, write_recipe

LOOKUP = "{{ lookup('rack.recipes.context', 't.ok_v1') + 1 }}"
FACT = "{{ ansible_facts.rack_recipes.context['t.ok_v1'] + 2 }}"
OTHER = "{{ lookup('rack.recipes.context', 't.ok_v1', host='r02') + 3 }}"
TOTAL = "{{ lookup('rack.recipes.context', 't.total_v1').sum }}"
HOSTS = ("r01", "r02", "r03")


def echo(name: str, value: str) -> dict[str, Any]:
    return shell(name, "echo", args={"value": value}, writes=["t.echo_v1"])


def test_by_every_road(steps: Path, rack: Any):
    recipe = write_recipe(
        [
            shell("ok", writes=["t.ok_v1"]),
            echo("by_reference", "${t.ok_v1}"),
            echo("by_lookup", LOOKUP),
            echo("by_fact", FACT),
            echo("of_another_host", OTHER),
            {"name": "total", "module": "t.total", "scope": "run"},
            echo("of_the_run", "${t.total_v1.sum}"),
            echo("of_the_run_by_lookup", TOTAL),
        ]
    )
    done = run_recipe(recipe, on=rack, hosts=HOSTS)
    assert done.code == 0, done.stderr
    found = results()
    assert found.context["t.total_v1", ""] == {"sum": 3, "hosts": list(HOSTS)}
    assert [row for row in found.measurements if row[0] == "total"] == [("total", "", "hosts", 3, "hosts")]
    for host in HOSTS:
        echoed = [found.steps[step, host]["stdout"] for step in ("by_reference", "by_lookup", "by_fact")]
        assert [line.split(": ")[-1] for line in echoed] == ["1}}\n", "2}}\n", "3}}\n"]
        assert '"t.echo_v1": 4' in found.steps["of_another_host", host]["stdout"]
        assert '"t.echo_v1": 3' in found.steps["of_the_run", host]["stdout"]
        assert found.context["t.echo_v1", host] == 3


def test_tags_select_steps_inside_a_stage(steps: Path):
    recipe = write_recipe([shell("ok"), shell("fail"), shell("echo", args={"value": "7"}, depends_on=["fail"])])
    done = run_recipe(recipe, "--", "--skip-tags", "fail")
    assert done.code == 0, done.stderr
    assert results().verdicts() == {
        ("ok", "localhost"): "passed",
        ("fail", "localhost"): "skipped",
        ("echo", "localhost"): "passed",
    }
    done = run_recipe(recipe, "--report", "--", "--tags", "ok")
    assert done.answer["counts"] == {"passed": 1, "skipped": 2}
    assert done.answer["report"]


def test_a_published_scriptlet_is_a_module(shipped: Path):
    Path("play.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - rack.recipes.numbers_stats: {src: data/numbers.csv}\n      register: found\n"
        "    - ansible.builtin.assert: {that: \"found.context['numbers.stats_v1'].mean == 25\"}\n"
    )
    done = call("ansible-playbook", "play.yml")
    assert done.code == 0, done.stdout + done.stderr


def test_ansible_shows_a_stage_readably(steps: Path):
    recipe = write_recipe([shell("ok"), shell("fail"), shell("late", "ok", depends_on=["fail"])])
    Path("play.yml").write_text(rack_recipes("compile", recipe).stdout)
    done = call("ansible-playbook", "-i", "localhost,", "-c", "local", "play.yml")
    assert done.code == 2
    assert '"msg": "fail failed: the link is down (1 failed, 1 blocked, 1 passed)"' in done.stdout
    assert " s  ok" in done.stdout
    assert " s  fail  the link is down" in done.stdout
    assert " s  late  fail did not pass (failed)" in done.stdout
    assert "failed=1" in done.stdout
