# SPDX-License-Identifier: GPL-3.0-or-later

"""Tries and rounds in time, and what is kept of very many."""

from __future__ import annotations

import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor import stage_run
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_state import StageState
from ansible_collections.rack.recipes.plugins.module_utils.executor.step import step_run as module
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.step_run import StepRun
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, request, step

FAIL = 'echo \'{"status": "failed", "reason": "cold"}\''


def starts(ran):
    """When each attempt started, in seconds after the first."""
    moments = [attempt["started"] for attempt in ran.only["attempts"]]
    seconds = [int(m[11:13]) * 3600 + int(m[14:16]) * 60 + float(m[17:-1]) for m in moments]
    return [second - seconds[0] for second in seconds]


def test_pauses_grow_up_to_the_longest(work):
    retry = {"max": 5, "delay_sec": 0.1, "backoff": 2, "max_delay_sec": 0.3}
    found = starts(work.run(work.script(FAIL, retry=retry)))
    expected = [0, 0.1, 0.3, 0.6, 0.9]
    assert all(wanted <= moment < wanted + 20 for wanted, moment in zip(expected, found))
    assert len(found) == 5


def test_no_try_starts_after_the_deadline(work):
    started = time.monotonic()
    ran = work.run(work.script(FAIL, retry={"max": 100, "delay_sec": 0.8, "deadline_sec": 2}))
    assert time.monotonic() - started < 60
    assert 2 <= len(ran.only["attempts"]) <= 3
    assert ran.outcome == ("failed", "cold")


def test_without_a_controller_no_round_follows(work, monkeypatch):
    monkeypatch.setattr(stage_run, "TICK", 0.05)
    started = time.monotonic()
    ran = work.run(
        work.script(OK, repeat={"for_sec": 600, "delay_sec": 300}), alive=lambda: time.monotonic() < started + 0.5
    )
    assert ran.outcome == ("error", "stopped: the controller was not heard of any more")
    assert ran.only["rounds"] == {"count": 1, "passed": 1}


def test_without_a_controller_no_hook_follows(work, monkeypatch):
    monkeypatch.setattr(stage_run, "TICK", 0.05)
    hook = work.script("touch hooked", "site.after")
    started = time.monotonic()
    ran = work.run(work.script("sleep 60"), hooks={"post_step": [hook]}, alive=lambda: time.monotonic() < started + 0.3)
    assert ran.outcome[1].startswith("stopped: ")
    assert not (work.folder / "hooked").exists()


@pytest.mark.parametrize(
    ("verdicts", "kept"),
    [
        ("p" * 20, list(range(20))),
        ("p" * 21, [*range(5), *range(6, 21)]),
        ("p" * 500, [*range(5), *range(485, 500)]),
        ("p" * 50 + "f" + "p" * 50, [*range(5), 50, *range(86, 101)]),
        ("w" * 500, [*range(5), *range(485, 500)]),
        ("f" * 500, [*range(105), *range(485, 500)]),
    ],
)
def test_of_very_many_attempts_those_are_kept_that_tell_something(work, verdicts, kept):
    given = request(work.script(OK))
    step_run = StepRun(given["steps"][0], StageState(given, work.launcher(given), [].append))
    fields = {"p": {"verdict": "passed"}, "f": {"verdict": "failed"}, "w": {"verdict": "failed", "waiting": True}}
    for number, verdict in enumerate(verdicts):
        step_run._keep({"number": number, **fields[verdict]})
    assert [record["number"] for record in step_run.attempts] == kept
    assert len(kept) <= module.FIRST + module.LAST + module.BETWEEN


def test_deltas_tell_the_number_of_their_attempt_also_after_very_many(work):
    script = 'echo >> n; echo \'{"status": "ok", "outputs": {"n_v1": \'$(wc -l < n)\'}}\''
    ran = work.run(work.script(script, repeat={"count": 30}))
    assert [delta["attempt"] for delta in ran.deltas] == list(range(1, 31))
    assert [attempt.get("round", 1) for attempt in ran.only["attempts"]] == [*range(1, 6), *range(16, 31)]
    assert ran.only["rounds"] == {"count": 30, "passed": 30}


SKIPS = "skipped", "would have run if not in check mode"


def ansible(work, *verdicts, **fields):
    """A step that is a module of Ansible's, which skips itself in its own check mode; how it ends each time."""
    done = work.folder / "done"

    def call(params, ctx, emit):
        with done.open("a") as file:
            file.write(".")
        verdict = verdicts[done.stat().st_size - 1]
        print('{"status": "ok"}', flush=True)
        emit({"kind": "ending", "verdict": verdict, "reason": SKIPS[1] if verdict == "skipped" else ""})

    return step("a", kind="call", call=call, **fields)


def test_rounds_of_which_none_was_run_have_not_passed(work):
    ran = work.run(ansible(work, "skipped", repeat={"count": 3}))
    assert ran.outcome == SKIPS
    assert ran.only["rounds"] == {"count": 1, "passed": 0}


def test_rounds_end_where_one_is_skipped(work):
    ran = work.run(ansible(work, "passed", "skipped", "passed", repeat={"count": 3}))
    assert ran.outcome == SKIPS
    assert ran.only["rounds"] == {"count": 2, "passed": 1}


def test_a_skipped_round_waits_for_nothing(work):
    ran = work.run(ansible(work, "skipped", repeat={"count": 3, "until": [{"value": "${a.b_v1}", "eq": 1}]}))
    assert ran.outcome == SKIPS


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        (["skipped"] * 3, ("skipped", f"all of its instances were skipped: {SKIPS[1]}")),
        (["passed", "skipped", "passed"], ("skipped", "1 of 3 did not pass: a[2] (skipped)")),
        (
            ["failed", "skipped", "skipped"],
            ("failed", "3 of 3 did not pass: a[1] (failed), a[2] (skipped), a[3] (skipped)"),
        ),
    ],
)
def test_a_loop_says_whether_all_were_skipped(work, verdicts, outcome):
    ran = work.run(ansible(work, *verdicts, loop=[1, 2, 3]))
    assert (ran.verdicts["a"], ran.reasons["a"]) == outcome
    assert ran.steps["a"]["blocks"]


@pytest.mark.parametrize("again", [{"repeat": {"count": 3}}, {"retry": {"max": 3}}])
def test_an_argument_may_be_the_number_of_the_try(work, again):
    says = 'echo "{\\"status\\": \\"failed\\", \\"outputs\\": {\\"s.n_v1\\": $RACK_PARAM_N}}"'
    if "repeat" in again:
        says = says.replace("failed", "ok")
    ran = work.run(work.script(says, args={"n": "${step.attempt}"}, options={"n": {"type": "int"}}, **again))
    assert [delta["after"] for delta in ran.deltas] == [1, 2, 3]
