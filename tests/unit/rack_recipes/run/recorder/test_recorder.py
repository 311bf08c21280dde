# SPDX-License-Identifier: GPL-3.0-or-later

"""What the recorder does at Ansible's events, with Ansible's own plays, a real journal and a real store."""

from __future__ import annotations

import gc
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.playbook.task import Task

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import (
    ABOUT,
    Playbook,
    an_inventory,
    play,
    task,
)
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import delta, first, log, planned, step
from rack_recipes.errors import JournalError, UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.step_results_and_end_status import CUT_OFF, was_cut_off
from rack_recipes.run import current_run as holder
from rack_recipes.run.current_run import current
from rack_recipes.run.host import worker_stop
from rack_recipes.run.launcher.progress_and_summary import summarize
from rack_recipes.run.recorder import begin_run, cached_results_and_waivers
from rack_recipes.run.recorder.recorder import Recorder
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs


@pytest.fixture(autouse=True)
def _project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RACK_RECIPES_DB", raising=False)
    monkeypatch.setattr(holder, "_HOLDER", holder._Holder())


def records(path: Path) -> list[dict[str, Any]]:
    return [*JournalReader(path).records()]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    warnings: list[str] = []
    shown: list[str] = []
    made = Recorder(warnings.append, shown.append)
    made.warnings, made.shown = warnings, shown  # type: ignore[attr-defined]
    yield made
    if made.store_writer:
        made.store_writer.finish()


def stored(run_id: str) -> dict[tuple[str, str], tuple[str, str]]:
    opened = connect_store("sqlite:///.rack-recipes/results.db")
    found = {(row["step"], row["host"]): (row["verdict"], row["reason"]) for row in recorded_runs.steps(opened, run_id)}
    opened.dispose()
    return found


def test_a_play_without_stages_is_not_recorded(recorder: Recorder):
    recorder.guarded(recorder.play_starts, play(task(0, action="ansible.builtin.debug")))
    assert recorder.run is None
    assert recorder.exit_code() is None
    assert not Path(".rack-recipes").exists()


def test_what_ansible_warned_of_is_in_the_journal_without_secrets(recorder: Recorder):
    about = {**ABOUT, "params": {"password": {"secret": True}}}
    recorder.play_starts(play(task(1, {"name": "a"}), about=about, variables=an_inventory(password="hunter2-and-more")))
    run = current()
    (run.folder / "ansible.log").write_text("[WARNING]: hunter2-and-more is weak\n")
    recorder.exit_code()
    *_others, warning, end = records(run.path)
    assert (warning["text"], end["kind"]) == ("Ansible: ******** is weak", "end")


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
    assert recorder.exit_code() is None
    ends = [record for record in records(run.path) if record["kind"] == "end"]
    assert [(each["status"], each["exit_code"], each["counts"]) for each in ends] == [
        ("failed", 1, {"error": 2, "failed": 1, "passed": 2})
    ]


def ended(stage: Task, host: str, msg: str = "", action: str = "rack.recipes.stage", **more: Any) -> SimpleNamespace:
    """As much of Ansible's result as is asked for."""
    given = SimpleNamespace(
        resolved_action=action, run_once=stage.run_once, args=stage.args, _uuid=stage._uuid, ignore_errors=False,
        get_name=lambda: "Check the arguments",
    )  # fmt: skip
    return SimpleNamespace(task=given, host=SimpleNamespace(name=host), result={"msg": msg, **more})


def test_no_worker_looks_for_garbage_in_what_was_there_before(recorder: Recorder):
    gc.unfreeze()
    recorder.guarded(recorder.play_starts, play(task(1, {"name": "a"})))
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


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
    recorder.task_ended(ended(stages[0], "r2", "the worker was killed", failed=True))
    recorder.task_ended(ended(stages[0], "r3", "1 passed in 0.1 s"))
    recorder.task_ended(ended(stages[1], "r1", "no room", unreachable=True))
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    assert stored(current().run_id) == {
        ("a", "r1"): ("passed", ""),
        ("a", "r2"): ("error", "the worker was killed"),
        ("a", "r3"): ("error", "it gave no result"),
        ("total", ""): ("error", "no room"),
    }


def test_a_stage_that_ansible_could_not_begin_has_its_verdicts_at_once(recorder: Recorder):
    """Such a result does not itself say that it failed. Steps on other hosts may wait for the verdicts."""
    stage = task(1, {"name": "a"}, {"name": "b", "hosts": "odd"})
    recorder.play_starts(play(stage))
    run = current()
    append(run.path, [step("a", "r1")])
    for host in ("r1", "r2"):
        recorder.task_failed(ended(stage, host, "Task failed: 'gone' is undefined"))
    assert {place: (end.verdict, end.reason, end.blocks) for place, end in run.results.ended.items()} == {
        ("a", "r1"): ("passed", "", False),
        ("b", "r1"): ("error", "Task failed: 'gone' is undefined", True),
        ("a", "r2"): ("error", "Task failed: 'gone' is undefined", True),
    }


def test_a_step_without_result_names_the_task_that_failed_on_its_host(recorder: Recorder):
    """As where a role refuses its arguments, or a host cannot be reached for its facts."""
    stage = task(1, {"name": "a"})
    recorder.play_starts(play(stage))
    run = current()
    facts, ignored = "ansible.builtin.setup", ended(stage, "r3", "not so bad", "ansible.builtin.command")
    ignored.task.ignore_errors = True
    recorder.task_failed(ignored)
    recorder.task_ended(ended(stage, "r2", "ssh:\n no route", facts, unreachable=True))
    recorder.task_failed(ended(stage, "r1", "x" * 1000, facts))
    recorder.exit_code()
    failed = "it gave no result; the last task that failed on this host is 'Check the arguments': "
    assert {host: reason for (_step, host), (_verdict, reason) in stored(run.run_id).items()} == {
        "r1": failed + "x" * 500,
        "r2": f"{failed}ssh: no route",
        "r3": "it gave no result",
    }


def test_only_the_first_play_with_stages_begins_a_run(recorder: Recorder):
    recorder.play_starts(play(task(1, {"name": "a"})))
    run = recorder.run
    recorder.play_starts(play(task(1, {"name": "other"})))
    assert recorder.run is run


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
    assert recorder.run.left_out == left_out
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
    assert recorder.exit_code() == 2
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
    assert recorder.exit_code() == 5
    assert f"the results are not in the store ({text}); they are safe in" in recorder.warnings[-1]  # type: ignore[attr-defined]


def test_a_failure_before_there_is_a_run_is_none_either(recorder: Recorder):
    recorder.guarded(broken, OSError("no space"))
    assert recorder.exit_code() == 5


def test_where_no_run_can_be_recorded_nothing_is_run(recorder: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_RUNS", "/proc/nowhere")
    recorder.guarded(recorder.play_starts, play(task(1, {"name": "a"})))
    assert recorder.exit_code() == 2
    told = "rack.recipes.recorder: nothing is run: no run can be recorded: /proc/nowhere: No such file or directory"
    assert recorder.warnings == [told]  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="no run can be recorded"):
        current()


def test_results_that_a_worker_could_not_write_down_are_told_once(recorder: Recorder):
    stage = task(1, {"name": "a"})
    recorder.play_starts(play(stage))
    for host in ("r1", "r2"):
        result = ended(stage, host, "journal.jsonl: No space left on device")
        result.result["rack_recipes_unrecorded"] = True
        recorder.task_ended(result)
    run = current()
    assert run.unwritable == run.stored == "journal.jsonl: No space left on device"
    assert recorder.failures == [run.unwritable]
    assert recorder.exit_code() == 5
    told = recorder.warnings[-1]  # type: ignore[attr-defined]
    assert told.endswith(f"is kept by the hosts for a day: rack-recipes run --resume {run.run_id}")


@pytest.mark.parametrize(
    ("number", "code", "why"),
    [(signal.SIGTERM, 143, "ended by SIGTERM"), (0, 1, "ansible-playbook ended early")],
)
def test_a_run_that_ends_early_is_closed(recorder: Recorder, number: int, code: int, why: str):
    recorder.play_starts(play(task(1, {"name": "a"}, {"name": "b"}), task(2, {"name": "c"}), hosts="r1"))
    run = current()
    append(run.path, [step("a", "r1")])
    recorder.interrupted(number)
    last = records(run.path)[-1]
    assert (last["status"], last["exit_code"], last["counts"]) == ("interrupted", code, {"error": 2, "passed": 1})
    assert stored(run.run_id) == {
        ("a", "r1"): ("passed", ""),
        ("b", "r1"): ("error", f"not run: {why}"),
        ("c", "r1"): ("error", f"not run: {why}"),
    }
    assert not [line for line in recorder.warnings if "not in the store" in line]  # type: ignore[attr-defined]


@pytest.mark.parametrize("verdicts", [("passed", "passed"), ("passed", "failed")])
def test_a_signal_that_comes_when_all_is_done_does_not_make_the_run_an_interrupted_one(
    recorder: Recorder, verdicts: tuple[str, str]
):
    recorder.play_starts(play(task(1, {"name": "a"}, {"name": "b"}), hosts="r1"))
    run = current()
    append(run.path, [step(name, "r1", verdicts[n], n + 1, checks=1) for n, name in enumerate("ab")])
    recorder.interrupted(signal.SIGINT)
    last = records(run.path)[-1]
    is_passed = {*verdicts} == {"passed"}
    assert (last["status"], last["exit_code"]) == (("passed", 0) if is_passed else ("failed", 1))
    assert last["counts"] == dict(Counter(sorted(verdicts)))
    assert stored(run.run_id) == {("a", "r1"): (verdicts[0], ""), ("b", "r1"): (verdicts[1], "")}


def test_a_step_that_the_signal_has_ended_is_not_done(recorder: Recorder):
    recorder.play_starts(play(task(1, {"name": "a"}), hosts="r1"))
    run = current()
    append(run.path, [{**step("a", "r1", "error"), "reason": f"stopped: {worker_stop.INTERRUPTED}"}])
    recorder.interrupted(signal.SIGINT)
    assert records(run.path)[-1]["status"] == "interrupted"


@pytest.mark.parametrize(
    ("asked", "by", "why"),
    [
        ((), "a signal (SIGTERM)", "ended by SIGTERM"),
        (("token:alice",), "token:alice", "token:alice has stopped the run"),
        (("token:alice", "root"), "root", "root has stopped the run"),
    ],
)
def test_the_end_says_who_has_stopped_the_run_and_when(recorder: Recorder, asked: Sequence[str], by: str, why: str):
    """In the journal, and in the store from there."""
    recorder.play_starts(play(task(1, {"name": "a"}), hosts="r1"))
    run, moment = current(), "2026-11-30T10:00:00.000000Z"
    for who in asked:
        append(
            run.path, [{"kind": "warning", "time": moment, "text": f"{who} has stopped this run", "stopped_by": who}]
        )
    recorder.interrupted(signal.SIGTERM)
    last = records(run.path)[-1]
    assert last["stopped"] == {"by": by, "time": moment if asked else last["stopped"]["time"]}
    assert last["stopped"]["time"] <= last["time"]
    assert stored(run.run_id) == {("a", "r1"): ("error", f"not run: {why}")}
    opened = connect_store(run.settings.db)
    assert recorded_runs.run(opened, run.run_id)["stopped"] == last["stopped"]
    opened.dispose()


def test_what_the_end_cuts_off_has_a_reason_that_an_analysis_knows(recorder: Recorder):
    assert f"stopped: {worker_stop.INTERRUPTED}" in CUT_OFF
    assert worker_stop.INTERRUPTED in CUT_OFF
    recorder.play_starts(play(task(1, {"name": "a"}), hosts="r1"))
    recorder.interrupted(0)
    assert was_cut_off(records(current().path)[-2])


def test_a_run_that_ends_early_without_a_store(recorder: Recorder, monkeypatch: pytest.MonkeyPatch):
    recorder.interrupted(signal.SIGTERM)
    assert recorder.run is None
    monkeypatch.setenv("RACK_RECIPES_DB", "sqlite:////proc/no/such/folder.db")
    recorder.play_starts(play(task(1, {"name": "a"}), hosts="r1"))
    recorder.interrupted(signal.SIGTERM)
    run = current()
    assert records(run.path)[-1]["status"] == "interrupted"
    told = recorder.warnings[-1]  # type: ignore[attr-defined]
    assert told.endswith(f"they are safe in {run.path.absolute()}: rack-recipes flush {run.run_id}")


class Guard:
    """Keeps what the recorder asks of its guard."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.close: Callable[[int], None] | None = None

    def watch(self, close: Callable[[int], None]) -> None:
        self.asked.append("watch")
        self.close = close

    def only_storing(self) -> None:
        self.asked.append("only_storing")

    def release(self) -> None:
        self.asked.append("release")

    def uninterrupted(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_a_run_is_guarded_from_its_beginning_to_its_end(recorder: Recorder):
    recorder.guard = guard = Guard()  # type: ignore[assignment]
    recorder.play_starts(play(task(0, action="ansible.builtin.debug")))
    assert guard.asked == []
    recorder.play_starts(play(task(1, {"name": "a"}), hosts="r1"))
    assert (guard.asked, guard.close) == (["watch"], recorder.interrupted)
    recorder.exit_code()
    assert guard.asked == ["watch", "only_storing", "release"]


def test_a_store_that_is_away(recorder: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_DB", "sqlite:////proc/no/such/folder.db")
    recorder.play_starts(play(task(1, {"name": "a"})))
    run = current()
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    assert run.stored
    assert "/proc" in run.stored
    assert recorder.exit_code() == 5
    told = recorder.warnings[-1]  # type: ignore[attr-defined]
    assert str(run.path.absolute()) in told
    assert told.endswith(f": rack-recipes flush {run.run_id}")


def test_all_plays_of_the_playbook_are_one_run(recorder: Recorder):
    first, second = play(task(1, {"name": "a"}), hosts="r1"), play(task(1, {"name": "a"}), hosts="all:!r1")
    closing = play(task(2, {"name": "close", "always": True}))
    other = play(task(0, action="ansible.builtin.debug"))
    recorder.playbook_starts(Playbook(other, first, second, closing))
    for each in (other, first, second, second, closing):
        recorder.play_starts(each.copy())
    run = current()
    assert run.hosts == ("r1", "r2", "r3")
    assert {name: (step.stage, step.hosts) for name, step in run.steps.items()} == {
        "a": (1, run.hosts),
        "close": (2, run.hosts),
    }


def test_plays_of_two_recipes_are_refused_before_anything_runs(recorder: Recorder):
    mine, other = (
        play(task(1, {"name": "a"})),
        play(task(1, {"name": "b"}), about={"path": "b.yml", "digest": "sha256:1"}),
    )
    recorder.playbook_starts(Playbook(mine, other))
    for each in (mine, other):
        recorder.guarded(recorder.play_starts, each.copy())
    with pytest.raises(UsageError, match=r"^a playbook runs one recipe, .* of r\.yml and of b\.yml: put each"):
        current()
    assert recorder.exit_code() == 2


def test_each_playbook_is_a_run_of_its_own(recorder: Recorder):
    runs = []
    for name in ("a", "b"):
        whole = play(task(1, {"name": name}), hosts="r1")
        recorder.playbook_starts(Playbook(whole))
        recorder.play_starts(whole.copy())
        runs.append(current())
        append(current().path, [step(name, "r1")])
        assert recorder.exit_code() is None
    assert [set(run.steps) for run in runs] == [{"a"}, {"b"}]
    assert [stored(run.run_id) for run in runs] == [{("a", "r1"): ("passed", "")}, {("b", "r1"): ("passed", "")}]
    recorder.playbook_starts(Playbook())
    with pytest.raises(UsageError, match="no run has begun: no play of this playbook has had a stage yet"):
        current()


def test_a_stage_that_nobody_planned_is_refused(recorder: Recorder):
    recorder.playbook_starts(Playbook(play()))
    recorder.play_starts(play())
    recorder.guarded(recorder.task_starts, task(1, {"name": "a"}))
    with pytest.raises(UsageError, match="its stage was not planned when the run began: what is included"):
        current()
    assert recorder.exit_code() == 2


def test_steps_that_a_condition_of_their_task_leaves_out_are_skipped(recorder: Recorder):
    stages = task(1, {"name": "a"}, {"name": "b", "hosts": "odd"}), task(2, {"name": "c"})
    recorder.play_starts(play(*stages, hosts="r1,r2"))
    recorder.task_skipped(ended(task(1), "r1", action="ansible.builtin.debug", false_condition="x"))
    recorder.task_skipped(ended(stages[0], "r1", "no step of this stage is for r1", skipped=True))
    recorder.task_skipped(ended(stages[0], "r1", skipped=True, false_condition="is_leaf"))
    append(current().path, [step("a", "r2")])
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    assert stored(current().run_id) == {
        ("a", "r1"): ("skipped", "left out by its task: when: is_leaf"),
        ("b", "r1"): ("skipped", "left out by its task: when: is_leaf"),
        ("a", "r2"): ("passed", ""),
        ("c", "r1"): ("error", "it gave no result"),
        ("c", "r2"): ("error", "it gave no result"),
    }


BY_TAGS = "nothing was tested: no step of this run passed (a: left out by its tags)"


@pytest.mark.parametrize(
    ("only", "others", "has_failed", "code", "told"),
    [
        (("slwo",), (), False, 1, f"{BY_TAGS}; --tags: no step has the tag or name 'slwo' (did you mean 'slow'?)"),
        (("x",), (), False, 1, f"{BY_TAGS}; --tags: no step has the tag or name 'x'; there are a, slow"),
        (("x",), (), True, None, f"{BY_TAGS}; --tags: no step has the tag or name 'x'; there are a, slow"),
        (("x",), (("debug", ["x"]),), False, None, ""),
        (("x",), (("debug", ["always"]),), False, 1, ""),
        (("x",), (("rack.recipes.verdict", ["always"]),), False, None, None),
    ],
)
def test_a_run_that_tested_nothing_ends_with_1(
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    only: tuple[str, ...],
    others: Sequence[tuple[str, list[str]]],
    has_failed: bool,
    code: int | None,
    told: str | None,
):
    """Where tags chose another task, or where a host has failed, Ansible's own code says what is to be said."""
    monkeypatch.setattr(begin_run, "_ansible_options", lambda: {"tags": [*only]})
    more = [task(0, action=action) for action, _tags in others]
    for each, (_action, tags) in zip(more, others, strict=True):
        each.tags = tags
    whole = play(task(1, {"name": "a", "tags": ["slow"]}), *more, hosts="r1", only=only)
    recorder.playbook_starts(Playbook(whole))
    recorder.play_starts(whole)
    path = current().path
    assert recorder.exit_code(has_failed=has_failed) == code
    texts = [record["text"] for record in records(path) if record["kind"] == "warning"]
    assert not texts if told is None else texts[0].startswith(told)
    assert records(path)[-1]["kind"] == "end"


def test_a_condition_that_leaves_out_all_tests_is_no_success(recorder: Recorder):
    stages = task(1, {"name": "a"}), task(2, {"name": "b"})
    recorder.playbook_starts(Playbook(whole := play(*stages, hosts="r1")))
    recorder.play_starts(whole)
    for stage in stages:
        recorder.task_starts(stage)
        recorder.task_skipped(ended(stage, "r1", skipped=True, false_condition="memry is defined"))
    assert recorder.exit_code() == 1
    assert "(a: left out by its task: when: memry is defined, b: " in recorder.warnings[-1]  # type: ignore[attr-defined]


def test_what_becomes_of_an_included_stage_is_said_of_no_planned_one(recorder: Recorder):
    """Also where both have one number."""
    included = task(1, {"name": "a"})
    recorder.play_starts(play(task(1, {"name": "a"}), hosts="r1,r2"))
    recorder.task_skipped(ended(included, "r1", skipped=True, false_condition="is_leaf"))
    recorder.task_ended(ended(included, "r2", "it comes too late", failed=True))
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    assert set(stored(current().run_id).values()) == {("error", "it gave no result")}


def status_of(run_id: str) -> str:
    store = connect_store("sqlite:///.rack-recipes/results.db")
    found: str = recorded_runs.run(store, run_id)["status"]
    store.dispose()
    return found


@pytest.mark.parametrize(
    ("results", "words", "status"),
    [
        (("r1", "r2"), {}, "unchecked"),
        (("r1",), {}, "failed"),
        (("r1",), {"strategy": "free"}, "running"),
        (("r1", "r2"), {"strategy": "free"}, "unchecked"),
    ],
)
def test_a_report_behind_the_last_stage_ends_the_run(
    recorder: Recorder, results: tuple[str, ...], words: dict[str, Any], status: str
):
    """As a flush does: no result comes of a host that failed before its last stage. Of a free one it may still come."""
    report = task(0, action="rack.recipes.report")
    whole = play(task(1, {"name": "a"}), report, hosts="r1,r2")
    for word, value in words.items():
        setattr(whole, word, value)
    recorder.play_starts(whole)
    append(current().path, [step("a", host) for host in results])
    recorder.task_starts(report)
    assert status_of(current().run_id) == status
    assert {host for _step, host in stored(current().run_id)} == ({*results} if status == "running" else {"r1", "r2"})


def test_a_report_in_a_batch_leaves_the_run_of_later_ones_open(recorder: Recorder):
    report, variables = task(0, action="rack.recipes.report"), an_inventory()
    recorder.play_starts(whole := play(task(1, {"name": "a"}), report, hosts="r1,r2", variables=variables))
    for host, status in (("r1", "running"), ("r2", "unchecked")):
        variables._inventory.restrict_to_hosts([variables._inventory.get_host(host)])
        recorder.play_starts(whole.copy())
        append(current().path, [step("a", host)])
        recorder.task_starts(report)
        assert status_of(current().run_id) == status


def test_a_report_that_is_included_before_the_last_stage_ends_nothing(recorder: Recorder):
    include, report = task(0, action="ansible.builtin.include_role"), task(0, action="rack.recipes.report")
    recorder.play_starts(play(task(1, {"name": "a"}), include, task(2, {"name": "b"}), hosts="r1"))
    report._parent = include.copy()
    recorder.task_starts(report)
    assert stored(current().run_id) == {}
    assert status_of(current().run_id) == "running"


def test_tags_hold_in_each_play(recorder: Recorder):
    stages = [task(1, {"name": "a"}, {"name": "b", "tags": ["slow"]}) for _play in range(2)]
    plays = [play(stage, skip=("slow",), hosts=host) for stage, host in zip(stages, ("r1", "r2"), strict=True)]
    recorder.playbook_starts(Playbook(*plays))
    for each in plays:
        recorder.play_starts(each.copy())
    assert current().left_out == {"b"}
    assert [stage.tags for stage in stages] == [["a"], ["a"]]


def test_what_steps_do_is_shown(recorder: Recorder):
    recorder.play_starts(play(task(1, {"name": "a"})))
    run = current()
    append(run.path, [log("set", "a.key_v1: 1\nmore"), step("a", "r1")])
    recorder.task_ended(ended(task(1, {"name": "a"}), "r1"))
    assert recorder.shown == [  # type: ignore[attr-defined]
        f"12:00:00.000 {run.run_id} a@r1 set: a.key_v1: 1",
        f"12:00:00.000 {run.run_id} a@r1 set: more",
    ]


def test_a_step_without_a_result_blocks_unless_it_may_fail(recorder: Recorder):
    recorder.play_starts(play(task(1, {"name": "a"}, {"name": "b", "continue_on_fail": True}), hosts="r1"))
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    assert {name: end.blocks for (name, _host), end in current().results.ended.items()} == {"a": True, "b": False}


def test_between_stages_a_flush_is_a_checkpoint(recorder: Recorder):
    """It stores what there is; only behind the last stage each step gets a verdict."""
    flushes = [task(0, action="rack.recipes.flush") for _place in range(2)]
    stages = play(task(1, {"name": "a"}), flushes[0], task(2, {"name": "b"}), hosts="r1")
    recorder.playbook_starts(Playbook(stages, play(flushes[1], hosts="r1")))
    recorder.play_starts(stages.copy())
    run = current()
    append(run.path, [step("a", "r1")])
    recorder.task_starts(flushes[0].copy())
    assert run.stored == ""
    assert stored(run.run_id) == {("a", "r1"): ("passed", "")}
    assert [record["kind"] for record in records(run.path)] == ["run", "step"]
    recorder.task_starts(flushes[1].copy())
    assert stored(run.run_id) == {("a", "r1"): ("passed", ""), ("b", "r1"): ("error", "it gave no result")}


def test_a_secret_is_not_in_what_ansible_said(recorder: Recorder):
    about = {**ABOUT, "params": {"password": {"type": "str", "secret": True}}}
    variables = an_inventory(password="s3cret!")
    stage = task(1, {"name": "a"})
    recorder.play_starts(play(stage, hosts="r1", about=about, variables=variables))
    recorder.task_ended(ended(stage, "r1", "a template has s3cret! in it", failed=True))
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    assert stored(current().run_id) == {("a", "r1"): ("error", "a template has ******** in it")}
    assert "s3cret!" not in current().path.read_text()


def test_a_wrong_parameter_ends_with_its_code(recorder: Recorder):
    about = {**ABOUT, "params": {"vlan": {"type": "int"}, "port": {"type": "int"}}}
    variables = an_inventory(vlan="x")
    recorder.guarded(recorder.play_starts, play(task(1, {"name": "a"}), about=about, variables=variables))
    assert recorder.exit_code() == 2
    assert recorder.warnings[-1].startswith("rack.recipes.recorder: nothing is run: parameter 'vlan'")  # type: ignore[attr-defined]
    assert "; parameter 'port'" in recorder.warnings[-1]  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="parameter 'port'"):
        current()


def test_hosts_that_are_one_are_told_once(recorder: Recorder):
    variables = an_inventory()
    for name in ("r1", "r3"):
        variables._inventory.get_host(name).set_variable("ansible_host", "10.0.0.1")
    for _batch in range(2):
        recorder.play_starts(play(task(1, {"name": "a"}), variables=variables))
    text = "r1, r3 are one host, 10.0.0.1: their steps run beside each other"
    assert recorder.warnings == [f"rack.recipes.recorder: {text}"]  # type: ignore[attr-defined]
    assert summarize(current().path).warnings == (text,)


def test_what_is_left_out_is_told(recorder: Recorder):
    about = {**ABOUT, "canary": {"hosts": "r3"}}
    variables = an_inventory()
    variables._inventory.subset("r1")
    recorder.play_starts(play(task(1, {"name": "a", "hosts": "r9"}, {"name": "b"}), about=about, variables=variables))
    assert recorder.warnings == [  # type: ignore[attr-defined]
        "rack.recipes.recorder: hosts of step a: not among the recipe's hosts, so it does not run there: r9",
        "rack.recipes.recorder: left out, as no host of this run is theirs: a",
        "rack.recipes.recorder: no host of this run is its canary, so none goes first",
    ]


def test_a_refused_write_makes_its_step_an_error_and_blocks(recorder: Recorder):
    """In the journal stands the last word on it, with all that the host said; the host's own is there too."""
    about = {**ABOUT, "context": {"merge": {"power.*": "fail"}}}
    stage = task(1, {"name": "a"})
    recorder.play_starts(play(stage, about=about))
    run = current()
    writes = [delta("power.limits_v1", host, host, scope="run") for host in ("r1", "r2")]
    append(run.path, [writes[0], step("a", "r1", n=2)])
    append(run.path, [writes[1], step("a", "r2", n=2, checks=3)])
    recorder.task_ended(ended(stage, "r2"))
    end = run.results.ended["a", "r2"]
    how = 'but a on r1 had set version 1 at 2026-11-25 12:00:00 UTC to "r1" (merge policy fail)'
    reason = f"wrote power.limits_v1 based on version 0, {how}"
    assert (end.verdict, end.reason, end.blocks, end.checks) == ("error", reason, True, 3)
    assert run.results.ended["a", "r1"].verdict == "passed"
    assert run.context.get("power.limits_v1") == "r1"
    last = [record for record in records(run.path) if record.get("final")]
    assert [(record["step"], record["host"], record["n"], record["checks"]) for record in last] == [("a", "r2", 0, 3)]
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    assert stored(run.run_id)["a", "r2"] == ("error", reason)
    assert len([record for record in records(run.path) if record.get("final")]) == 1


def test_what_a_merge_hook_made_is_in_the_journal_before_the_facts_are_set(recorder: Recorder):
    Path("scriptlets/site").mkdir(parents=True)
    Path("scriptlets/site/join.py").write_text("def merge(key, base, theirs, ours): return theirs + ours\n")
    about = {**ABOUT, "context": {"merge": {"*": "hook site.join"}}}
    stage = task(1, {"name": "a"})
    recorder.play_starts(play(stage, about=about))
    run = current()
    append(run.path, [delta("a.key_v1", [host], host, scope="run") for host in ("r1", "r2", "r3")])
    recorder.task_ended(ended(stage, "r1"))
    assert run.context.get("a.key_v1") == ["r1", "r2", "r3"]
    assert [record["after"] for record in records(run.path) if record["kind"] == "merge"] == [["r1", "r2", "r3"]]


def test_the_first_stage_finds_the_context_that_the_run_is_given(recorder: Recorder):
    Path("before.json").write_text('{"hosts": {"r1": {"a.key_v1": 7}, "r8": {}, "r9": {}}}')
    whole = play(task(1, {"name": "a"}), variables=an_inventory(rack_recipes_context="before.json"))
    recorder.play_starts(whole)
    variables = whole.get_variable_manager()
    facts = variables.get_vars(host=variables._inventory.get_host("r1"))["ansible_facts"]["rack_recipes"]
    assert facts["context"] == {"a.key_v1": 7}
    told = "rack.recipes.recorder: the given context has keys of hosts not in this run: r8, r9"
    assert told in recorder.warnings  # type: ignore[attr-defined]


def test_results_are_offered_from_the_store(recorder: Recorder):
    step_said = {"name": "a", "cache_key": "numbers"}
    recorder.play_starts(play(task(1, step_said), hosts="r1"))
    append(current().path, [delta("a.key_v1", 7), step("a", "r1", n=2, inputs="sha256:0", started=now())])
    recorder.task_starts(task(0, action="rack.recipes.flush"))
    run_id = current().run_id
    assert recorder.exit_code() is None
    again = Recorder(lambda _line: None, lambda _line: None)
    again.play_starts(play(task(1, step_said), hosts="r1"))
    [offer] = current().reusable.offers([{"name": "a"}], "r1")["a"]
    assert (offer["kind"], offer["run"], offer["inputs"]) == ("cache", run_id, "sha256:0")
    assert again.exit_code() is None


def test_without_a_store_to_read_nothing_cached_is_used(recorder: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cached_results_and_waivers, "PATIENCE", 0.1)
    monkeypatch.setenv("RACK_RECIPES_DB", "sqlite:////proc/no/such/folder.db")
    recorder.play_starts(play(task(1, {"name": "a", "cache_key": "numbers"})))
    assert recorder.warnings[0].startswith("rack.recipes.recorder: nothing cached is used: ")  # type: ignore[attr-defined]
    assert current().reusable.cached == {}


def test_what_workers_collect_of_an_earlier_run_is_known_to_the_next(recorder: Recorder):
    append(".rack-recipes/runs/R0/journal.jsonl", [{**first(planned("a", "r1"), run_id="R0"), "recipe": ABOUT}])
    stage = task(1, {"name": "a", "module": "gone"})
    recorder.play_starts(play(stage, variables=an_inventory(rack_recipes_resume="R0")))
    earlier = current().reusable.earlier
    assert earlier
    append(earlier.path, [step("a", "r1", inputs="sha256:0")])
    recorder.task_starts(stage)
    assert earlier.offer("a", "r1")
