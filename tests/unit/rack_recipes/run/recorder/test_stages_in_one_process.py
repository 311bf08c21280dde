# SPDX-License-Identifier: GPL-3.0-or-later

"""Which stages one process runs on all hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible import constants

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import means, play, task
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run, planned
from rack_recipes.run.current_run import RunInputs
from rack_recipes.run.recorder.stages_in_one_process import Recap, StageTask, look_less_often, run_in_one_process

HOSTS = ("r1", "r2", "r3")


def stage(**keywords: Any) -> Any:
    made = task(1, {"name": "a"})
    made._uuid = "t1"
    for name, value in {"ignore_errors": True, "ignore_unreachable": True, **keywords}.items():
        setattr(made, name, value)
    return made


def chosen(
    made: Any, tmp_path: Path, strategy: str = "linear", recipe: Any = (), rescue: Any = (), **settings: Any
) -> str:
    """Why it keeps a process for each host."""
    as_written = made.delegate_to
    inputs = RunInputs(recipe=dict(recipe))
    run = a_run(tmp_path, planned("a", *HOSTS), hosts=HOSTS, inputs=inputs, **{"one_process_from": 3, **settings})
    plays = play(made)
    plays.strategy = strategy
    made._parent.rescue = [*rescue]
    was_once = bool(made.run_once)
    (found,) = run_in_one_process(run, [plays], means())
    assert (found.id, found.number, found.hosts) == ("t1", 1, 3)
    assert bool(made.run_once) == (was_once or not found.why)
    assert (bool(found.as_written.run_once), found.as_written.delegate_to) == (was_once, as_written)
    return found.why


def test_a_stage_that_asks_for_nothing_else(tmp_path: Path):
    assert not chosen(stage(), tmp_path)
    assert not chosen(stage(), tmp_path, strategy="ansible.builtin.linear")


@pytest.mark.parametrize(("before", "after"), [(0.001, 0.005), (0.02, 0.02)], ids=["the default", "set by the user"])
def test_ansible_looks_less_often_for_ends(before: float, after: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "DEFAULT_INTERNAL_POLL_INTERVAL", before)
    look_less_often()
    assert after == constants.DEFAULT_INTERNAL_POLL_INTERVAL


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        *({"when": ["x is defined"], "loop": [1], "throttle": 1, "timeout": 5, "until": ["x"], "retries": 2}.items()),
        *({"async_val": 5, "register": "x", "failed_when": ["x"], "remote_user": "{{ x }}", "port": "{{ x }}"}.items()),
        *({"environment": [{"X": "{{ x }}"}], "become_user": "{{ x }}"}.items()),
    ],
)
def test_a_keyword_that_is_about_the_process_of_a_host(keyword: str, value: Any, tmp_path: Path):
    assert keyword in chosen(stage(**{keyword: value}), tmp_path)


@pytest.mark.parametrize(
    ("keywords", "why"),
    [
        ({"delegate_to": "r9"}, "it runs through another host"),
        ({"connection": "psrp"}, "a connection is no process of its own"),
        ({"ignore_errors": False}, "its task does not ignore errors"),
        ({"ignore_unreachable": False}, "its task does not ignore errors"),
        ({"run_once": True}, "its task has run_once"),
    ],
)
def test_keywords_in_other_words(keywords: dict[str, Any], why: str, tmp_path: Path):
    assert chosen(stage(**keywords), tmp_path) == why


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"one_process_from": 4}, "these are fewer than 4"),
        ({"one_process_from": 0}, "the setting one_process_from is 0"),
        ({"debug": True}, "the setting debug is on"),
        ({"log_level": "info"}, "the setting log_level is set"),
        ({"serve": True}, "the run serves its context"),
    ],
)
def test_settings_that_keep_a_process_for_each_host(settings: dict[str, Any], why: str, tmp_path: Path):
    assert chosen(stage(), tmp_path, **settings) == why


def test_what_else_keeps_a_process_for_each_host(tmp_path: Path):
    module = stage()
    module.args["steps"][0]["type"] = "ansible"
    assert chosen(module, tmp_path) == "its step is a module of Ansible's"
    assert chosen(stage(), tmp_path, strategy="free") == "the strategy is free"
    assert chosen(stage(), tmp_path, rescue=[stage()]) == "its block has rescue"
    assert chosen(stage(), tmp_path, recipe={"fail_fast": True}) == "the recipe has fail_fast"


def test_lines_for_who_asks_for_details():
    assert str(StageTask("t1", 2, 12, None, "")) == "stage 2: one process for 12 hosts"
    told = "stage 2: a process for each of 12 hosts, since its block has rescue"
    assert str(StageTask("t1", 2, 12, None, "its block has rescue")) == told


def test_outside_of_ansible_there_is_no_recap_to_count_in():
    Recap().count(["r1"], "ok")
    Recap().take_back("r1", "ok")
