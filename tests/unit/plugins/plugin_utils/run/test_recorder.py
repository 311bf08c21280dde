# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the recorder does at Ansible's events, with Ansible's own plays, a real journal and a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.playbook.task import Task

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import JournalError, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.follow import Follower
from ansible_collections.rack.recipes.plugins.plugin_utils.run import current as holder
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import current
from ansible_collections.rack.recipes.plugins.plugin_utils.run.recorder import Recorder
from ansible_collections.rack.recipes.plugins.plugin_utils.store import load
from ansible_collections.rack.recipes.plugins.plugin_utils.store.engine import engine
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.run.journals import delta, step
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.run.plays import play, task


@pytest.fixture(autouse=True)
def _project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RACK_RECIPES_DB", raising=False)
    monkeypatch.setattr(holder, "_HOLDER", holder._Holder())


def records(path: Path) -> list[dict[str, Any]]:
    return [line.record for line in Follower(path).read() if line.record]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    warnings: list[str] = []
    made = Recorder(warnings.append)
    made.warnings = warnings  # type: ignore[attr-defined]
    yield made
    if made.storing:
        made.storing.finish()


def stored(run_id: str) -> dict[tuple[str, str], tuple[str, str]]:
    opened = engine("sqlite:///.rack-recipes/results.db")
    found = {(row["step"], row["host"]): (row["verdict"], row["reason"]) for row in load.steps(opened, run_id)}
    opened.dispose()
    return found


def test_a_play_without_stages_is_not_recorded(recorder: Recorder):
    recorder.guarded(recorder.play_starts, play(task(0, action="ansible.builtin.debug")))
    assert recorder.run is None
    assert recorder.ends() is None
    assert not Path(".rack-recipes").exists()


def test_a_run_from_its_start_to_the_store(recorder: Recorder):
    stage = task(1, {"name": "a"}, {"name": "b", "hosts": "odd"})
    whole = play(stage)
    recorder.play_starts(whole)
    run = current()
    assert recorder.run is run
    facts = whole.get_variable_manager().get_vars(host=whole.get_variable_manager()._inventory.get_host("r1"))
    assert facts["ansible_facts"]["rack_recipes"] == {"run_id": run.run_id, "context": {}}
    append(
        run.path,
        [delta("a.key_v1", 7), step("a", "r1", n=2), step("b", "r1", n=3), step("a", "r2", "failed", 1, "hot")],
    )
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    assert run.stored == ""
    assert stored(run.run_id) == {
        ("a", "r1"): ("passed", ""),
        ("b", "r1"): ("passed", ""),
        ("a", "r2"): ("failed", "hot"),
        ("a", "r3"): ("error", "it gave no result"),
        ("b", "r3"): ("error", "it gave no result"),
    }
    assert recorder.ends() is None
    ends = [record for record in records(run.path) if record["kind"] == "end"]
    assert [(each["status"], each["exit_code"], each["counts"]) for each in ends] == [
        ("failed", 1, {"error": 2, "failed": 1, "passed": 2})
    ]


def ended(stage: Task, host: str, msg: str = "", action: str = "rack.recipes.stage") -> SimpleNamespace:
    """As much of Ansible's result as is asked for."""
    given = SimpleNamespace(resolved_action=action, run_once=stage.run_once, args=stage.args)
    return SimpleNamespace(task=given, host=SimpleNamespace(name=host), result={"msg": msg})


def test_a_host_s_facts_follow_its_stage(recorder: Recorder):
    stage = task(1, {"name": "a"})
    whole = play(stage)
    recorder.task_ended(ended(stage, "r1"))
    recorder.play_starts(whole)
    append(current().path, [delta("a.key_v1", 7), step("a", "r1", n=2)])
    variables = whole.get_variable_manager()
    host = variables._inventory.get_host("r1")
    recorder.task_ended(ended(stage, "r1", action="ansible.builtin.debug"))
    assert variables.get_vars(host=host)["ansible_facts"]["rack_recipes"]["context"] == {}
    recorder.task_ended(ended(stage, "r1"))
    assert variables.get_vars(host=host)["ansible_facts"]["rack_recipes"]["context"] == {"a.key_v1": 7}


def test_what_ansible_said_of_a_stage_is_the_reason_where_there_is_no_other(recorder: Recorder):
    stages = task(1, {"name": "a"}), task(2, {"name": "total", "scope": "run"})
    stages[1].run_once = True
    recorder.play_starts(play(*stages))
    append(current().path, [step("a", "r1")])
    recorder.task_ended(ended(stages[0], "r1", "1 passed"))
    recorder.task_ended(ended(stages[0], "r2", "the worker was killed"))
    recorder.task_ended(ended(stages[1], "r1", "no room"))
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    assert stored(current().run_id) == {
        ("a", "r1"): ("passed", ""),
        ("a", "r2"): ("error", "the worker was killed"),
        ("a", "r3"): ("error", "it gave no result"),
        ("total", ""): ("error", "no room"),
    }


def test_only_the_first_play_with_stages_begins_a_run(recorder: Recorder):
    recorder.play_starts(play(task(1, {"name": "a"})))
    first = recorder.run
    recorder.play_starts(play(task(1, {"name": "other"})))
    assert recorder.run is first


@pytest.mark.parametrize(
    ("only", "skip", "left_out"),
    [
        (("all",), (), set()),
        (("a",), (), {"b", "total"}),
        (("all",), ("a", "total"), {"a", "total"}),
        (("nothing",), (), {"a", "b", "total"}),
        (("tagged",), ("b",), {"b"}),
    ],
)
def test_tags_select_steps(recorder: Recorder, only: tuple[str, ...], skip: tuple[str, ...], left_out: set[str]):
    stages = (task(1, {"name": "a"}, {"name": "b"}), task(2, {"name": "total", "scope": "run"}))
    for each in stages:
        each.tags = [str(given["name"]) for given in each.args["steps"]]
    whole = play(*stages, only=only, skip=skip)
    recorder.play_starts(whole)
    assert recorder.run
    assert {name for name, _host in recorder.run.unselected} == left_out
    for each in stages:
        names = {str(given["name"]) for given in each.args["steps"]}
        runs = each.evaluate_tags(whole.only_tags, whole.skip_tags, {})
        assert bool(runs) is bool(names - left_out)
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    skipped = {name for (name, _host), (verdict, _why) in stored(recorder.run.run_id).items() if verdict == "skipped"}
    assert skipped == left_out


def test_files_that_are_gone_are_for_the_stage_to_tell(recorder: Recorder):
    stage = task(1, {"name": "a", "type": "shell", "module": "gone", "args": {"src": "gone.csv"}})
    recorder.play_starts(play(stage))
    recorder.guarded(recorder.task_starts, stage)
    assert (recorder.failures, recorder.refused, recorder.warnings) == ([], 0, [])  # type: ignore[attr-defined]


def test_a_refusal_is_told_and_ends_with_its_code(recorder: Recorder):
    recorder.guarded(recorder.play_starts, play(task(1, {"name": "a"}), hosts="nowhere"))
    assert recorder.guarded(recorder.ends) == 2
    assert recorder.warnings[-1].startswith(  # type: ignore[attr-defined]
        "rack.recipes.recorder: nothing is run: no host matches 'nowhere' here"
    )
    with pytest.raises(UsageError, match="no host matches"):
        current()
    recorder.play_starts(play(task(1, {"name": "a"})))
    assert recorder.run is None


def broken(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (JournalError("disk full"), "disk full"),
        (KeyError("x"), "KeyError: 'x'"),
        (AssertionError(), "AssertionError: "),
    ],
)
def test_a_failure_of_the_recorder_is_no_success(recorder: Recorder, error: Exception, text: str):
    recorder.play_starts(play(task(1, {"name": "a"})))
    assert recorder.guarded(broken, error) is None
    assert recorder.failures == [text]
    assert recorder.ends() == 5
    assert f"the results are not in the store ({text}); they are safe in" in recorder.warnings[-1]  # type: ignore[attr-defined]


def test_a_failure_before_there_is_a_run_is_none_either(recorder: Recorder):
    recorder.guarded(broken, OSError("no space"))
    assert recorder.guarded(recorder.ends) == 5


def test_a_store_that_is_away(recorder: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_DB", "sqlite:////proc/no/such/folder.db")
    recorder.play_starts(play(task(1, {"name": "a"})))
    run = current()
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    assert run.stored
    assert "/proc" in run.stored
    assert recorder.ends() == 5
    told = recorder.warnings[-1]  # type: ignore[attr-defined]
    assert str(run.path.absolute()) in told
    assert told.endswith(f": rack-recipes flush {run.run_id}")
