# SPDX-License-Identifier: GPL-3.0-or-later

"""Which stages one process runs on all hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import means, play, task
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run, planned
from rack_recipes.run.current_run import RunInputs
from rack_recipes.run.recorder.stages_in_one_process import Recap, run_in_one_process

HOSTS = ("r1", "r2", "r3")


def stage(**keywords: Any) -> Any:
    made = task(1, {"name": "a"})
    made._uuid = "t1"
    for name, value in {"ignore_errors": True, "ignore_unreachable": True, **keywords}.items():
        setattr(made, name, value)
    return made


def chosen(
    made: Any, tmp_path: Path, strategy: str = "linear", recipe: Any = (), rescue: Any = (), **settings: Any
) -> bool:
    inputs = RunInputs(recipe=dict(recipe))
    run = a_run(tmp_path, planned("a", *HOSTS), hosts=HOSTS, inputs=inputs, **{"one_process_from": 3, **settings})
    plays = play(made)
    plays.strategy = strategy
    made._parent.rescue = [*rescue]
    found = [*run_in_one_process(run, [plays], means())]
    assert bool(made.run_once) == bool(found)
    assert [name for name, _task in found] == ["t1"][: len(found)]
    assert not any(written.run_once or written.delegate_to for _name, written in found)
    return bool(found)


def test_a_stage_that_asks_for_nothing_else(tmp_path: Path):
    assert chosen(stage(), tmp_path)
    assert chosen(stage(), tmp_path, strategy="ansible.builtin.linear")


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        *({"when": ["x is defined"], "loop": [1], "delegate_to": "r9", "throttle": 1, "timeout": 5}.items()),
        *({"until": ["x"], "retries": 2, "async_val": 5, "register": "x", "ignore_errors": False}.items()),
        *({"ignore_unreachable": False, "failed_when": ["x"], "remote_user": "{{ x }}", "port": "{{ x }}"}.items()),
        *({"environment": [{"X": "{{ x }}"}], "become_user": "{{ x }}", "connection": "psrp"}.items()),
    ],
)
def test_a_keyword_that_is_about_the_process_of_a_host(keyword: str, value: Any, tmp_path: Path):
    assert not chosen(stage(**{keyword: value}), tmp_path)


@pytest.mark.parametrize(
    "settings",
    [{"one_process_from": 4}, {"one_process_from": 0}, {"debug": True}, {"log_level": "info"}, {"serve": True}],
)
def test_settings_that_keep_a_process_for_each_host(settings: dict[str, Any], tmp_path: Path):
    assert not chosen(stage(), tmp_path, **settings)


def test_what_else_keeps_a_process_for_each_host(tmp_path: Path):
    module = stage()
    module.args["steps"][0]["type"] = "ansible"
    assert not chosen(module, tmp_path)
    assert not chosen(stage(), tmp_path, strategy="free")
    assert not chosen(stage(), tmp_path, rescue=[stage()])
    assert not chosen(stage(), tmp_path, recipe={"fail_fast": True})


def test_outside_of_ansible_there_is_no_recap_to_count_in():
    Recap().count(["r1"], "ok")
