# SPDX-License-Identifier: GPL-3.0-or-later

"""Tries and rounds in time, and what is kept of very many.

Python scriptlets in check mode: only what checks their arguments runs.
"""

from __future__ import annotations

import statistics
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor import stage_run
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_state import StageState
from ansible_collections.rack.recipes.plugins.module_utils.executor.step import step_run as module
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.retries_and_hooks import (
    RoundFigures,
    retry_delay,
)
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.step_run import StepRun
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    OK,
    python,
    request,
    step,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table


@table("retry", "pauses")
def test_pauses(retry, pauses):
    assert [retry_delay(retry, tries) for tries in (1, 2, 3)] == pauses


@pytest.mark.parametrize(
    ("retry", "pause"),
    [
        ({"delay_sec": 1, "backoff": 2}, 7 * 24 * 3600.0),
        ({"delay_sec": 1, "backoff": 2, "max_delay_sec": 60}, 60.0),
        ({"delay_sec": 0, "backoff": 2}, 0.0),
        ({"delay_sec": 1, "backoff": 1}, 1.0),
    ],
)
def test_the_pause_after_very_many_tries(retry, pause):
    assert retry_delay(retry, 100_000) == pause


def figures(rounds, name="x"):
    found = [item for item in rounds.measurements() if item["name"].startswith(f"{name}.")]
    return {item["name"].rpartition(".")[2]: item["value"] for item in found}


def of(values):
    rounds = RoundFigures()
    for value in values:
        rounds.add([{"name": "x", "value": value, "unit": "ms"}])
    return figures(rounds)


def test_figures_are_measurements():
    rounds = RoundFigures()
    for value in (4, 2, 6):
        rounds.add(
            [
                {"name": "rx", "value": value, "unit": "frames", "limits": {"max": 9}, "verdict": "passed"},
                {"name": "state", "value": "up", "unit": ""},
                {"name": "ok", "value": True, "unit": ""},
                {"name": "rx", "value": 1.5, "unit": "s"},
                {"name": "bare", "value": 0},
            ]
        )
    assert rounds.measurements()[:6] == [
        {"name": "rx.count", "value": 3, "unit": ""},
        {"name": "rx.min", "value": 2, "unit": "frames"},
        {"name": "rx.mean", "value": 4.0, "unit": "frames"},
        {"name": "rx.max", "value": 6, "unit": "frames"},
        {"name": "rx.stdev", "value": (8 / 3) ** 0.5, "unit": "frames"},
        {"name": "rx.p95", "value": 5.8, "unit": "frames"},
    ]
    assert [item["unit"] for item in rounds.measurements()[7:12]] == ["s"] * 5
    assert [item["name"] for item in rounds.measurements()[12:]] == [
        f"bare.{figure}" for figure in ("count", "min", "mean", "max", "stdev", "p95")
    ]


def test_nothing_measured_has_no_figures():
    rounds = RoundFigures()
    rounds.add([])
    assert rounds.measurements() == []


def test_one_round():
    assert of([5]) == {"count": 1, "min": 5, "mean": 5.0, "max": 5, "stdev": 0.0, "p95": 5}


@pytest.mark.parametrize("offset", [0, 10**9, 10**15, 2**62, 1e15, -1e12])
def test_figures_keep_their_digits_far_from_zero(offset):
    values = [offset + step % 7 for step in range(1000)]
    near = [value - offset for value in values]
    found = of(values)
    assert found["stdev"] == pytest.approx(statistics.pstdev(near), rel=1e-12)
    assert found["mean"] == pytest.approx(offset + statistics.fmean(near), rel=1e-15)
    assert (found["count"], found["min"], found["max"]) == (1000, min(values), max(values))


def test_small_noise_on_a_large_offset():
    values = [1e8 + step % 11 / 1024 for step in range(5000)]
    assert of(values)["stdev"] == pytest.approx(statistics.pstdev(step % 11 / 1024 for step in range(5000)), rel=1e-9)


def test_the_exact_quantile_of_ten_thousand_rounds_and_none_of_more():
    values = [(step * 7919) % 10_000 for step in range(10_000)]
    assert of(values)["p95"] == 9499.05
    beyond = of([*values, 5])
    assert "p95" not in beyond
    assert (beyond["count"], beyond["min"], beyond["max"]) == (10_001, 0, 9999)


def test_memory_is_bounded():
    rounds = RoundFigures()
    for value in range(30_000):
        rounds.add([{"name": "x", "value": value}])
    assert len(rounds._series["x", ""]._kept) <= 10_000


def test_figures_too_large_for_a_number_are_left_out():
    assert of([1.7e308, -1.7e308, 1.7e308]) == {"count": 3, "min": -1.7e308, "max": 1.7e308, "p95": 1.7e308}


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


class Probe(Scriptlet):
    options = {"src": {"type": "path", "required": True}, "count": {"type": "int", "default": 1}}

    def validate(self, ctx, params):
        print("validating", params["count"])
        if params["src"] == "bad":
            raise ValueError("bad is no disk")
        if params["src"] == "worse":
            raise Failed("worse is no disk")
        if params["src"] == "hang":
            while True:
                pass

    def run(self, ctx, params):
        ctx.set("ran_v1", True)


class Plain:
    def run(self, ctx, params):
        raise AssertionError("not to be run")


@pytest.mark.parametrize(
    ("args", "outcome"),
    [
        ({"src": "good"}, ("skipped", "check mode: its arguments are right")),
        ({"src": "bad"}, ("error", "bad is no disk")),
        ({"src": "worse"}, ("error", "worse is no disk")),
        ({"src": "hang"}, ("error", "timed out after 3 s")),
        ({}, ("error", "argument 'src' is required")),
        ({"src": "good", "count": "many"}, ("error", "argument 'count': expected a whole number, got 'many'")),
        ({"sorce": "good"}, ("error", "argument 'sorce' is not an argument, did you mean 'src'?")),
    ],
)
def test_validate_is_asked(work, args, outcome):
    ran = work.run(python(Probe, args=args, options=Probe.options, timeout=3), check=True)
    assert ran.outcome == outcome
    assert ran.deltas == []
    assert ran.only["attempts"] == []


WHEN = [{"value": "${parts_v1.bmc}", "eq": "tested"}]


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"args": {"src": "good"}}, ("skipped", "check mode: its arguments are right")),
        ({"args": {"src": "bad"}}, ("error", "bad is no disk")),
        (
            {"invalid": "'bmc_address' is undefined"},
            ("skipped", "check mode: when: ${parts_v1.bmc}: the context has no key parts_v1; there is none"),
        ),
    ],
)
def test_a_condition_over_what_only_a_run_gives(work, fields, outcome):
    step = python(Probe, options=Probe.options, when=WHEN, **fields)
    assert work.run(step, check=True).outcome == outcome
    assert work.run(step).outcome[0] == "error"


def test_a_class_without_validate(work):
    assert work.run(python(Plain), check=True).outcome == ("skipped", "check mode: its arguments are right")


def test_a_class_that_is_not_there(work):
    step = {**python(Plain), "module": "os", "function": "Missing"}
    del step["class"]
    assert work.run(step, check=True).outcome == ("error", "os has no scriptlet class Missing")
