# SPDX-License-Identifier: GPL-3.0-or-later

"""A run as it begins: its first record, and why it may not begin."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ansible.release
import pytest
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from ansible.template import trust_as_template

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import (
    ABOUT,
    GROUPS,
    an_inventory,
    means,
    play,
    task,
)
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import first as record_of
from rack_recipes.errors import CatalogError, UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import RunStep
from rack_recipes.run.current_run import Run
from rack_recipes.run.recorder.begin_run import TEST_ID, begin_run
from rack_recipes.run.run_folders import hold_run_until_exit
from rack_recipes.settings import Settings
from rack_recipes.version import VERSION

ALL = GROUPS["all"]


@pytest.fixture(autouse=True)
def _project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run folders are in it."""
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict())


def begun(*plays: Any, **extra_vars: Any) -> Run:
    return begin_run(plays, Settings(), means(an_inventory(**extra_vars)))


def first(run: Run) -> dict[str, Any]:
    [record] = JournalReader(run.path).records()
    assert record
    return record


def test_values_of_vaults_are_known_of_hosts_in_the_run_and_of_others():
    vaulted = {"r1": ["of-r1-vault"], "r9": ["of-r9-vault", "r9-in-a-param"]}
    given = replace(
        means(an_inventory(url="http://r9-in-a-param@host", conf={"a_token": {"x": ["named-deep"]}})),
        vaulted=lambda _hosts: (vaulted, "no names"),
    )
    about = {**ABOUT, "params": {"url": {}, "conf": {"type": "dict"}}}
    run = begin_run([play(task(1, {"name": "a"}), about=about)], Settings(), given)
    assert first(run)["params"] == {"url": "http://********@host", "conf": {"a_token": {"x": ["********"]}}}
    assert run.inputs.secrets == ("named-deep", "r9-in-a-param")
    assert run.secret_registry.secrets_for("") == ["of-r1-vault"]
    assert run.secret_registry.others_of("r1") == ["of-r9-vault", "r9-in-a-param"]
    assert run.hidden("of-r1-vault of-r9-vault") == "******** of-r9-vault"
    assert run.inputs.warnings == ("no names",)


def test_the_key_of_a_language_model_is_hidden_and_no_host_gets_it():
    run = begin_run([play(task(1, {"name": "a"}))], Settings(summary_key="sk-zebra-7777"), means(an_inventory()))
    assert run.hidden("sk-zebra-7777") == "********"
    assert run.inputs.secrets == ()


def test_a_run_begins_with_its_plan_and_its_hosts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_RUN_ID", "R7")
    stages = (
        task(1, {"name": "a", "idx": 3}, {"name": "b", "hosts": "odd"}),
        task(2, {"name": "total", "idx": 9, "scope": "run"}),
    )
    run = begin_run([play(*stages)], Settings(runs="kept"), means())
    assert run.steps["total"] == RunStep("total", 2, 9, "run", ("",))
    assert (run.run_id, run.hosts, run.path) == ("R7", ALL, Path("kept/R7/journal.jsonl"))
    assert Path("kept/R7").stat().st_mode & 0o777 == 0o700
    record = first(run)
    assert set(record) - {"_"} == {
        "kind",
        "run",
        "time",
        "recipe",
        "hosts",
        "steps",
        "controller",
        "user",
        "versions",
        "attributes",
    }
    assert record["recipe"] == ABOUT
    assert record["hosts"] == [*ALL]
    both = ["odd", "rack"]
    assert record["attributes"] == {"r1": {"groups": both}, "r2": {"groups": ["rack"]}, "r3": {"groups": both}}
    assert record["steps"][1] == {"name": "b", "stage": 1, "idx": 0, "scope": "host", "hosts": ["r1", "r3"]}
    assert record["versions"] == {
        "rack.recipes": VERSION,
        "ansible-core": ansible.release.__version__,
        "python": platform.python_version(),
    }
    assert record["controller"]
    assert record["user"]


@pytest.mark.parametrize(
    ("names", "extra", "test"),
    [
        (("N-{{ 1 + 1 }}", ""), {}, "N-2"),
        (("", "N-2"), {}, "N-2"),
        (("", ""), {}, "cfg"),
        (("N-1", "N-1"), {TEST_ID: "cfg"}, "cfg"),  # as the settings have it
        (
            ("N-1", "N-2"),
            {},
            "rack_recipes_test_id: a playbook is one run with one name, and its plays give N-1 and N-2",
        ),
    ],
)
def test_a_play_names_the_test_of_its_playbook(names: tuple[str, str], extra: dict[str, str], test: str) -> None:
    plays = [play(task(number, {"name": f"s{number}"}), about={}) for number in (1, 2)]
    for each, name in zip(plays, names, strict=True):
        each.vars = {**each.vars, TEST_ID: trust_as_template(name)}
    given = means(an_inventory(**extra))
    if " " in test:
        with pytest.raises(UsageError, match=re.escape(test)):
            begin_run(plays, Settings(test_id="cfg"), given)
    else:
        assert begin_run(plays, Settings(test_id="cfg"), given).inputs.recipe["test_id"] == test


@pytest.mark.parametrize(("test_id", "is_told"), [("", True), ("N-1", False)])
def test_stages_beside_a_role_leave_the_test_without_a_name_which_is_said(test_id: str, is_told: bool) -> None:
    stages = (task(1, {"name": "a"}), task(2, {"name": "b"}))
    stages[0]._role = SimpleNamespace(get_name=lambda: "part", get_default_vars=dict, _role_path="")
    warnings = begin_run([play(*stages, about={})], Settings(test_id=test_id), means()).inputs.warnings
    assert [text.startswith("beside its roles this playbook has stages of its own") for text in warnings] == [
        True
    ] * is_told


def test_all_that_is_said_of_the_recipe(monkeypatch: pytest.MonkeyPatch):
    arguments = {"check": True, "subset": "leafs", "tags": ["all"], "skip_tags": ["slow"]}
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(arguments))
    about = {
        **ABOUT,
        "labels": {"team": "fabric"},
        "references": ["RFC 2544"],
        "params": {"vlan": {"type": "int", "default": 12}, "password": {"type": "str", "secret": True}},
        "hooks": {"pre_step": [{"module": "x"}]},
        "locks": {"pdu": {}},
        "canary": {"count": 2},
        "time_box": 3600,
        "fail_fast": True,
        "priority": 5,
        "options": {"only": ["a"], "seed": 7},
    }
    run = begun(play(task(1, {"name": "a", "cache_key": "k"}), about=about), password="s3cret")
    assert (run.inputs.params, run.inputs.secrets) == ({"vlan": 12, "password": "s3cret"}, ("s3cret",))
    assert run.inputs.canary == ("r1", "r2")
    record = first(run)
    assert record["recipe"] == ABOUT
    assert record["steps"][0]["cache_key"] == "k"
    told = ("params", "labels", "references", "canary", "time_box", "fail_fast", "options")
    assert {name: record[name] for name in told} == {
        "params": {"vlan": 12, "password": "********"},
        "labels": {"team": "fabric"},
        "references": ["RFC 2544"],
        "canary": ["r1", "r2"],
        "time_box": 3600,
        "fail_fast": True,
        "options": {"only": ["a"], "seed": 7, "check": True, "limit": "leafs", "skip_tags": ["slow"]},
    }
    assert "s3cret" not in run.path.read_text()


@pytest.mark.parametrize(("canary", "hosts"), [({"hosts": "odd"}, ("r1", "r3")), ({"count": 9}, ALL), ({}, ())])
def test_who_goes_first(canary: dict[str, Any], hosts: tuple[str, ...]):
    assert begun(play(task(1, {"name": "a"}), about={**ABOUT, "canary": canary})).inputs.canary == hosts


def test_a_canary_that_is_no_host_of_the_recipe_is_refused():
    for hosts, canary, meant in (("rack", "od", " (did you mean 'odd'?)"), ("r2", "r1", "")):
        about = {**ABOUT, "canary": {"hosts": canary}}
        told = f"the canary '{canary}' is no host of the recipe{meant}: all hosts would start at once"
        with pytest.raises(UsageError, match=f"^{re.escape(told)}$"):
            begun(play(task(1, {"name": "a"}), hosts=hosts, about=about))


def test_a_step_for_none_of_the_hosts_is_told_by_the_record():
    run = begun(play(task(1, {"name": "a", "hosts": "none"}, {"name": "b"})))
    assert [(step["name"], step["hosts"]) for step in first(run)["steps"]] == [("a", []), ("b", [*ALL])]


def test_a_merge_hook_that_is_not_there_refuses_the_run():
    with pytest.raises(CatalogError, match=r"no merge hook 'site\.gone'"):
        begin_run([play(task(1, {"name": "a"}))], Settings(merge=(("*", "hook site.gone"),)), means())
    assert not Path(".rack-recipes").exists()


def test_a_run_goes_on_where_another_stopped():
    append(".rack-recipes/runs/R0/journal.jsonl", [{**record_of(run_id="R0"), "recipe": ABOUT}])
    run = begun(play(task(1, {"name": "a"})), rack_recipes_resume="R0")
    assert run.reusable.earlier
    assert first(run)["resumes"] == run.reusable.earlier.run_id == "R0"


def test_merge_policies_are_in_the_record_the_recipe_s_first():
    Path("scriptlets/site").mkdir(parents=True)
    Path("scriptlets/site/merge_power.py").write_text("def merge(key, base, theirs, ours): return ours\n")
    about = {**ABOUT, "context": {"merge": {"power.*": "hook site.merge_power", "b_v1": "fail"}}}
    settings = Settings(merge=(("*", "deep_merge"),))
    record = first(begin_run([play(task(1, {"name": "a", "continue_on_fail": True}), about=about)], settings, means()))
    assert [(each["keys"], each["policy"]) for each in record["merge"]] == [
        ("power.*", "hook site.merge_power"),
        ("b_v1", "fail"),
        ("*", "deep_merge"),
    ]
    assert [each.get("digest", "")[:7] for each in record["merge"]] == ["sha256:", "", ""]
    assert record["steps"][0]["optional"] is True


def test_a_run_starts_with_the_context_that_it_is_given():
    Path("before.json").write_text('{"run": {"a_v1": 1}, "hosts": {"r1": {"b_v1": "s3cret"}, "r9": {"c_v1": 3}}}')
    about = {**ABOUT, "params": {"password": {"type": "str", "secret": True}}}
    run = begun(play(task(1, {"name": "a"}), about=about), rack_recipes_context="before.json", password="s3cret")
    record, *deltas = JournalReader(run.path).records()
    assert record
    assert record["options"] == {"context": "before.json"}
    assert [(each["key"], each["after"], each["who"]) for each in deltas if each] == [
        ("a_v1", 1, "import"),
        ("b_v1", "********", "import"),
    ]
    assert (run.context.get("a_v1", "r2"), run.context.held("r1")) == (1, {"b_v1": [1, "********"]})
    assert run.inputs.unknown_hosts == ("r9",)


def test_what_has_the_name_of_a_secret_inside_of_the_given_context_is_masked():
    login = {"user": "root", "password": "hunter2"}
    shown = {"user": "root", "password": "********"}
    Path("before.json").write_text(json.dumps({"run": {}, "hosts": {"r1": {"login.cfg_v1": login}}}))
    run = begun(play(task(1, {"name": "a"})), rack_recipes_context="before.json")
    assert "hunter2" not in run.path.read_text()
    held = run.context.held("r1")
    assert held == {"login.cfg_v1": [1, shown]}
    assert run.secret_registry.reveal("r1", held)
    assert held == {"login.cfg_v1": [1, login]}


def test_a_run_belongs_to_this_process():
    run = begun(play(task(1, {"name": "a"})))
    with pytest.raises(UsageError, match="still goes on"):
        hold_run_until_exit(run.folder)


@pytest.mark.parametrize(
    ("hosts", "of_step", "extra_vars", "text"),
    [
        ("none", None, {}, "no host matches 'none' here, see the inventory and --limit; the inventory has "),
        ("odd", "none", {}, "no host of this run matches the hosts of any step: a"),
        ("odd", None, {"rack_recipes_params": {"x": 1}}, "expected the name of a parameter of the recipe, got 'x'"),
        ("odd", None, {"rack_recipes_context": "gone.json"}, "gone.json: cannot be read: No such file or directory"),
        ("odd", None, {"rack_recipes_resume": "R9"}, "there is no run 'R9' in .rack-recipes/runs"),
        (
            "odd",
            None,
            {"rack_recipes_resume_from": "b"},
            "there is no earlier run of r.yml (T-1) in .rack-recipes/runs",
        ),
    ],
)
def test_why_nothing_is_begun(hosts: str, of_step: str | None, extra_vars: dict[str, Any], text: str):
    with pytest.raises(UsageError) as caught:
        begun(play(task(1, {"name": "a", "hosts": of_step}), hosts=hosts), **extra_vars)
    assert text in str(caught.value)
    assert not Path(".rack-recipes").exists()


def test_steps_that_are_delegated_to_a_group_begin_nothing():
    """Ansible would take its name for that of a host, and say that it cannot be reached."""
    made = task(1, {"name": "a"}, {"name": "b"})
    for name in ("r1", "unheard_of", trust_as_template("{{ groups['odd'] | first }}")):
        made.delegate_to = name
        begun(play(made))
    made.delegate_to = "odd"
    with pytest.raises(UsageError) as caught:
        begun(play(made))
    assert str(caught.value).startswith("a, b: delegate_to: 'odd' is a group and no host: name one host")


def test_a_play_of_delegates_has_no_pattern_of_its_own():
    plays = [play(task(number, {"name": f"s{number}"}), hosts="none") for number in (1, 2)]
    plays[1].hosts = trust_as_template("{{ 'none' if 'rack.recipes.delegates' }}")
    with pytest.raises(
        UsageError, match=r"^no host matches 'none' here, see the inventory and --limit; the inventory has r1, r2, r3$"
    ):
        begin_run(plays, Settings(), means(an_inventory()))
