# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole stages with real children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor import stage_run
from ansible_collections.rack.recipes.plugins.module_utils.executor.process import attempt
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import StageRun
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet, Skipped
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    OK,
    Fail,
    Pass,
    children_of,
    open_files,
    python,
    request,
)

RETRY = {"max": 3, "delay_sec": 0.2}


class Skip(Scriptlet):
    def run(self, ctx, params):
        raise Skipped("no such hardware: eth9")


class Span(Scriptlet):
    """Keeps when it ran; it ends once all that it is to meet have begun."""

    def run(self, ctx, params):
        started = time.monotonic()
        Path(f"{ctx.step}.began").touch()
        while not all(Path(f"{name}.began").exists() for name in params.get("meets", ())):
            time.sleep(0.005)
        ctx.set(f"{ctx.step}.span_v1", [started, time.monotonic()])


class Put(Scriptlet):
    def run(self, ctx, params):
        for key, value in params.items():
            ctx.set(key, value, scope="run" if key.startswith("run.") else None)


class Count(Scriptlet):
    """Passes at the third attempt; what it counts outlives it in the context."""

    def run(self, ctx, params):
        count = ctx.get("count_v1", 0) + 1
        ctx.set("count_v1", count)
        ctx.measure("count", count)
        print(f"attempt {count}")
        if count < 3:
            raise Failed(f"only {count}")


@pytest.fixture(autouse=True)
def nothing_stays():
    """No stage leaves a child or an open file behind, nor its way to wait for children."""
    before = open_files(), signal.getsignal(signal.SIGCHLD)
    yield
    assert children_of(os.getpid()) == []
    assert (open_files(), signal.getsignal(signal.SIGCHLD)) == before


def spans(ran):
    return {delta["step"]: delta["after"] for delta in ran.deltas}


def overlap(one, other):
    return one[0] < other[1] and other[0] < one[1]


def span(name, meets="", **fields):
    """A step that can only end while those that it meets run."""
    return python(Span, name, args={"meets": list(meets)}, timeout=60, **fields)


# Records


def test_what_is_recorded_of_a_step(work):
    ran = work.run(work.script(f"echo hello; echo log >&2; {OK}"))
    (record,) = ran.records
    head = {"kind": "step", "stage": 1, "n": 0, "host": "r1", "step": "script", "verdict": "passed", "reason": ""}
    assert {name: record[name] for name in head} == head
    assert record["measurements"] == []
    assert 0 < record["seconds"] < 30
    assert record["attempts"][0]["stdout"].startswith("hello\n")
    assert record["attempts"][0]["stderr"] == "log\n"
    assert record["started"] <= record["attempts"][0]["started"]


def test_what_is_recorded_of_a_change(work):
    ran = work.run(python(Put, args={"a_v1": {"x": 1}}), own={"a_v1": [3, 5]})
    assert [record["kind"] for record in ran.records] == ["delta", "step"]
    assert ran.deltas[0].pop("time").endswith("Z")
    assert ran.deltas[0] == {
        "kind": "delta",
        "stage": 1,
        "n": 0,
        "host": "r1",
        "step": "Put",
        "attempt": 1,
        "scope": "host",
        "key": "a_v1",
        "after": {"x": 1},
        "based_on": 3,
        "who": "Put",
    }


def test_a_stage_without_steps(work):
    assert work.run().records == []


# Faults


def test_a_step_that_hangs_is_stopped(work):
    ran = work.run(work.script("echo before; sleep 600", timeout=1.5), python(Pass))
    assert ran.reasons == {"script": "timed out after 1.5 s", "Pass": ""}
    assert ran.verdicts == {"script": "error", "Pass": "passed"}
    record = ran.steps["script"]["attempts"][0]
    assert (record["stdout"], record["signal"]) == ("before\n", signal.SIGTERM)
    assert 1.5 <= record["seconds"] < 60


def test_a_step_that_closes_its_streams_is_waited_for(work):
    ran = work.run(work.script("exec > /dev/null 2>&1 < /dev/null; sleep 0.3; exit 4"))
    assert ran.attempt["exit_code"] == 4
    assert ran.attempt["seconds"] >= 0.3


def test_a_step_without_envelope(work):
    assert work.run(work.script("echo hello; exit 3")).outcome == (
        "error",
        "printed no envelope as its last line, but 6 bytes that end with: hello (exit code 3)",
    )


def test_bytes_that_are_no_text(work):
    ran = work.run(work.script(f"printf 'a\\377b\\0c\\n'; printf '\\300' >&2; {OK}"))
    assert ran.outcome == ("passed", "")
    assert ran.attempt["stdout"].startswith("a\\xffb\\x00c\n")
    assert ran.attempt["stderr"] == "\\xc0"


def test_every_step_is_tried_whatever_another_did(work):
    ran = work.run(python(Fail), work.script("kill -SEGV $$"), python(Pass))
    assert ran.verdicts == {"Fail": "failed", "script": "error", "Pass": "passed"}


@pytest.mark.parametrize(("goes_on", "then"), [(False, "blocked"), (True, "passed")])
def test_a_step_without_anything_to_test_is_skipped(work, goes_on, then):
    ran = work.run(python(Skip, continue_on_fail=goes_on), python(Pass, depends_on=["Skip"]))
    assert ran.verdicts == {"Skip": "skipped", "Pass": then}
    assert ran.reasons["Skip"] == "no such hardware: eth9"


# Retry


def test_every_attempt_is_kept(work):
    started = time.monotonic()
    ran = work.run(python(Count, retry=RETRY))
    assert time.monotonic() - started >= 0.4
    attempts = ran.only["attempts"]
    assert [(each["verdict"], each["reason"], each["stdout"]) for each in attempts] == [
        ("failed", "only 1", "attempt 1\n"),
        ("failed", "only 2", "attempt 2\n"),
        ("passed", "", "attempt 3\n"),
    ]
    assert ran.outcome == ("marginal", "passed only at try 3, before it failed: only 1; only 2")
    assert [(delta["attempt"], delta["after"], delta["based_on"]) for delta in ran.deltas] == [
        (1, 1, 0),
        (2, 2, 1),
        (3, 3, 2),
    ]
    assert ran.only["measurements"] == [{"name": "count", "value": 3, "unit": ""}]
    assert ran.only["seconds"] >= 0.4


def test_a_step_that_never_passes_has_its_last_verdict(work):
    ran = work.run(python(Count, retry={"max": 2, "delay_sec": 0}))
    assert ran.outcome == ("failed", "only 2")
    assert len(ran.only["attempts"]) == 2


def test_a_step_that_was_stopped_is_tried_again(work):
    script = "[ -e tried ] || { touch tried; sleep 600; }\n" + OK
    ran = work.run(work.script(script, timeout=1.5, retry=RETRY))
    assert [each["verdict"] for each in ran.only["attempts"]] == ["error", "passed"]


def test_arguments_that_do_not_fit_are_not_tried_again(work):
    ran = work.run(python(Pass, args={"a": "${b_v1}"}, retry=RETRY))
    assert ran.outcome == ("error", "${b_v1}: the context has no key b_v1; there is none")
    assert ran.only["attempts"] == []


def test_others_run_while_one_waits_for_its_next_attempt(work):
    steps = python(Count, retry={"max": 3, "delay_sec": 0.3}, parallel=True), span("beside", parallel=True)
    ran = work.run(*steps)
    assert [record["step"] for record in ran.records if record["kind"] == "step"] == ["beside", "Count"]


def test_nothing_runs_beside_a_step_that_waits_for_its_next_attempt(work):
    ran = work.run(python(Count, retry=RETRY), python(Pass))
    assert list(ran.verdicts) == ["Count", "Pass"]


# Order


def test_parallel_steps_overlap(work):
    ran = work.run(*(span(name, "abc", parallel=True) for name in "abc"))
    assert ran.verdicts == dict.fromkeys("abc", "passed")
    assert all(overlap(*pair) for pair in combinations(spans(ran).values(), 2))


def test_steps_that_are_not_parallel_never_overlap(work):
    parallel = {"a": "ab", "b": "ab", "c": "", "d": "de", "e": "de", "f": "", "g": ""}
    times = spans(work.run(*(span(name, meets, parallel=bool(meets)) for name, meets in parallel.items())))
    for one, other in combinations(times, 2):
        assert overlap(times[one], times[other]) == ({one, other} in ({"a", "b"}, {"d", "e"})), (one, other)


def test_no_more_than_the_slots_overlap(work):
    pairs = ("s0", "s1"), ("s2", "s3"), ("s4", "s5")
    times = spans(work.run(*(span(name, pair, parallel=True) for pair in pairs for name in pair), slots=2))
    begins = [begin for begin, _end in times.values()]
    assert max(sum(begin <= moment < end for begin, end in times.values()) for moment in begins) == 2


@pytest.mark.parametrize("field", ["depends_on", "after"])
def test_a_step_starts_after_what_it_waits_for(work, field):
    times = spans(
        work.run(
            span("a", "c", parallel=True), span("b", parallel=True, **{field: ["a"]}), span("c", "a", parallel=True)
        )
    )
    assert times["a"][1] <= times["b"][0]
    assert overlap(times["a"], times["c"])


def test_a_step_is_blocked_by_what_did_not_pass(work):
    ran = work.run(
        python(Fail),
        python(Pass, "b", depends_on=["Fail"]),
        python(Pass, "c", depends_on=["b"]),
        python(Pass, "d", depends_on=["e0", "Fail"]),
        python(Pass, "e"),
    )
    assert ran.verdicts == {"Fail": "failed", "b": "blocked", "c": "blocked", "d": "blocked", "e": "passed"}
    assert ran.reasons == {
        "Fail": "too hot",
        "b": "Fail did not pass (failed)",
        "c": "b did not pass (blocked)",
        "d": "Fail did not pass (failed)",
        "e": "",
    }
    assert (ran.steps["b"]["attempts"], ran.steps["b"]["seconds"]) == ([], 0.0)


def test_an_order_blocks_nothing(work):
    assert work.run(python(Fail), python(Pass, after=["Fail"])).verdicts["Pass"] == "passed"


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("passed", "passed"), ("marginal", "passed"), ("cached", "passed"), ("waived", "passed")]
    + [(bad, "blocked") for bad in ("failed", "error", "skipped", "blocked", "unreachable")],
)
def test_verdicts_of_earlier_stages_block_or_not(work, verdict, expected):
    ran = work.run(python(Pass, depends_on=["earlier"]), settled={"earlier": verdict})
    assert ran.verdicts == {"Pass": expected}


def test_what_is_unknown_blocks_nothing(work):
    assert work.run(python(Pass, depends_on=["left_out_by_its_tags"])).outcome == ("passed", "")


def test_steps_that_wait_for_each_other_end_the_stage(work):
    ran = work.run(python(Pass, "a", depends_on=["b"]), python(Pass, "b", depends_on=["a"]), python(Pass, "c"))
    reason = "cannot start: what it waits for cannot start before it"
    assert ran.reasons == {"a": reason, "b": reason, "c": reason}
    assert set(ran.verdicts.values()) == {"error"}


# Context


def test_a_step_sees_what_those_before_it_set(work):
    def run(self, ctx, params):
        ctx.set("sum_v1", ctx.get("a_v1") + ctx.get("b_v1") + ctx.get("run.c_v1"))

    add = type("Add", (Scriptlet,), {"run": run})
    script = work.script('echo \'{"status":"ok","outputs":{"b_v1":20}}\'')
    ran = work.run(python(Put, args={"a_v1": 1, "run.c_v1": 300}), script, python(add))
    assert {delta["key"]: delta["after"] for delta in ran.deltas}["sum_v1"] == 321


@pytest.mark.parametrize("reads", [[], ["b_v1"]])
def test_a_class_cannot_read_what_it_does_not_declare(work, reads):
    """Its result would be used again although that key has changed."""

    def run(self, ctx, params):
        ctx.check("a", ctx.get("a_v1", 0), max=5)

    ran = work.run(python(type("Judge", (Scriptlet,), {"run": run}), reads=reads), own={"a_v1": [1, 7]})
    reason = f"the key a_v1 is not among those that the scriptlet reads ({', '.join(reads) or 'none'}):"
    assert ran.verdicts == {"Judge": "error"}
    assert ran.reasons["Judge"].startswith(reason)


def test_scopes_and_versions(work):
    own, run = {"a_v1": [4, 0]}, {"run.a_v1": [7, 0]}
    steps = [python(Put, f"put{number}", args={"a_v1": number, "run.a_v1": number}) for number in (1, 2)]
    ran = work.run(*steps, own=own, run=run)
    assert [(delta["key"], delta["scope"], delta["based_on"]) for delta in ran.deltas] == [
        ("a_v1", "host", 4),
        ("run.a_v1", "run", 7),
        ("a_v1", "host", 5),
        ("run.a_v1", "run", 8),
    ]


def test_versions_count_every_change_by_whomever(work):
    def run(self, ctx, params):
        Span().run(ctx, params)  # until both have started, from version 1
        ctx.set("a_v1", ctx.step)

    put = type("Late", (Scriptlet,), {"run": run})
    both = [python(put, name, args={"meets": ["x", "y"]}, parallel=True) for name in "xy"]
    ran = work.run(*both, python(Put, args={"a_v1": "z"}), own={"a_v1": [1, 0]})
    assert [delta["based_on"] for delta in ran.deltas if delta["key"] == "a_v1"] == [1, 1, 3]


def test_a_step_that_does_not_run_leaves_keys_as_they_were(work):
    ran = work.run(
        python(Put, "sets", args={"a_v1": 1}),
        python(Put, "not_now", args={"a_v1": 2}, when=False),
        python(Put, "left_out", args={"a_v1": 3}, skip="left out by --skip"),
        python(Put, "blocked", args={"a_v1": 4}, depends_on=["left_out"]),
        python(Put, "last", args={"b_v1": "${a_v1}", "a_v1": 5}),
    )
    assert list(ran.verdicts.values()) == ["passed", "skipped", "skipped", "blocked", "passed"]
    assert [(delta["step"], delta["key"], delta["after"], delta["based_on"]) for delta in ran.deltas] == [
        ("sets", "a_v1", 1, 0),
        ("last", "b_v1", 1, 0),
        ("last", "a_v1", 5, 1),
    ]


def test_an_envelope_counts_like_a_class(work):
    text = 'echo \'{"status":"ok","outputs":{"a_v1":1},"measurements":[{"name":"m","value":2,"unit":"s"}]}\''
    ran = work.run(work.script(text), work.script(text, "again"), python(Put, args={"a_v1": 2}))
    assert [(delta["step"], delta["based_on"]) for delta in ran.deltas] == [("script", 0), ("Put", 1)]
    assert ran.steps["again"]["measurements"] == [{"name": "m", "value": 2, "unit": "s"}]


def test_the_same_value_is_no_change(work):
    assert work.run(python(Put, args={"a_v1": {"x": 1}}), own={"a_v1": [1, {"x": 1}]}).deltas == []


def test_what_a_failed_step_set_is_kept(work):
    def run(self, ctx, params):
        ctx.set("a_v1", 1)
        raise Failed("afterwards")

    ran = work.run(python(type("Half", (Scriptlet,), {"run": run})), python(Put, args={"a_v1": 2}))
    assert [(delta["step"], delta["based_on"]) for delta in ran.deltas] == [("Half", 0), ("Put", 1)]


def test_a_step_of_the_run(work):
    def run(self, ctx, params):
        ctx.set("run.all_v1", ctx.values("a_v1"))

    step = python(type("All", (Scriptlet,), {"run": run}), scope="run")
    ran = work.run(step, host="", run={"run.all_v1": [2, {}]}, hosts={"r1": {"a_v1": [1, 1]}, "r2": {"a_v1": [1, 2]}})
    assert (ran.deltas[0]["scope"], ran.deltas[0]["host"], ran.deltas[0]["based_on"]) == ("run", "", 2)
    assert ran.deltas[0]["after"] == {"r1": 1, "r2": 2}


def test_references_are_resolved_when_the_step_starts(work):
    ran = work.run(
        python(Put, args={"a_v1": {"x": [1, 2]}}),
        python(Put, "second", args={"b_v1": "${a_v1.x}", "c_v1": "x=${a_v1.x.1}"}),
    )
    assert {delta["key"]: delta["after"] for delta in ran.deltas[1:]} == {"b_v1": [1, 2], "c_v1": "x=2"}


def test_a_reference_into_nothing_is_an_error_of_the_step(work):
    ran = work.run(python(Put, args={"a_v1": "${b_v1}"}), python(Pass))
    assert ran.reasons == {"Put": "${b_v1}: the context has no key b_v1; there is none", "Pass": ""}


def test_the_criterion_sees_the_whole_context(work):
    steps = [
        python(Put, args={"a_v1": 1}, success={"ctx_has_keys": ["a_v1", "r_v1"]}),
        python(Pass, success={"ctx_has_keys": ["a_v1", "b_v1"]}),
    ]
    ran = work.run(*steps, run={"r_v1": [1, 1]})
    assert ran.reasons == {"Put": "", "Pass": "the context has no key b_v1"}
    assert ran.verdicts == {"Put": "passed", "Pass": "failed"}


# The lease


@pytest.fixture
def watchful(monkeypatch):
    """The executor looks at its lease more often than it usually does."""
    monkeypatch.setattr(stage_run, "TICK", 0.05)


def test_without_a_controller_what_runs_is_ended_and_the_rest_not_tried(work, watchful):
    ran = work.run(
        python(Pass),
        work.script("touch ready; sleep 600", parallel=True),
        python(Pass, "later", depends_on=["script"]),
        alive=lambda: not os.path.exists("ready"),
    )
    lost = "the controller was not heard of any more"
    assert ran.reasons == {"Pass": "", "later": f"not run: {lost}", "script": f"stopped: {lost}"}
    assert ran.verdicts == {"Pass": "passed", "later": "error", "script": "error"}


def test_a_controller_that_wants_the_end_says_why(work, watchful):
    ran = work.run(
        work.script("touch ready; sleep 600"),
        python(Pass, "later", depends_on=["script"]),
        alive=lambda: not os.path.exists("ready"),
        halts=lambda: "the run was interrupted",
    )
    assert ran.reasons == {"later": "not run: the run was interrupted", "script": "stopped: the run was interrupted"}


def test_of_a_loop_that_was_ended_what_had_not_begun_is_no_error(work, watchful):
    ran = work.run(
        work.script("touch ready; sleep 600", loop=[1, 2, 3]),
        python(Pass, "later", depends_on=["script"]),
        alive=lambda: not os.path.exists("ready"),
        halts=lambda: "the run was interrupted",
    )
    blocked = ("blocked", "not run: the run was interrupted")
    ends = {name: (ran.verdicts[name], ran.reasons[name]) for name in ran.verdicts}
    assert ends.pop("script")[0] == "error"
    assert ends == {
        "script[1]": ("error", "stopped: the run was interrupted"),
        **dict.fromkeys(("script[2]", "script[3]"), blocked),
        "later": ("error", "not run: the run was interrupted"),
    }


def test_without_a_controller_nothing_is_tried_again(work, watchful):
    ran = work.run(
        work.script("touch tried; exit 1", retry={"max": 3, "delay_sec": 600}),
        alive=lambda: not os.path.exists("tried") or time.time() - os.stat("tried").st_mtime < 0.3,
    )
    assert ran.outcome == ("error", "printed no envelope: its stdout is empty (exit code 1)")
    assert len(ran.only["attempts"]) == 1


def test_without_a_controller_who_ignores_it_is_killed(work, watchful, monkeypatch):
    monkeypatch.setattr(attempt, "GRACE", 0.2)
    script = work.script("trap '' TERM; touch ready; while :; do sleep 0.1; done")
    ran = work.run(script, alive=lambda: not os.path.exists("ready"))
    assert ran.attempt["signal"] == signal.SIGKILL


def test_an_executor_that_fails_leaves_no_step_behind(work):
    def write(record):
        raise KeyError("a fault of our own")

    steps = [work.script("echo $$ > pid; exec sleep 600", parallel=True), python(Pass, after=[], parallel=True)]
    whole = request(*steps)
    failing = StageRun(whole, work.launcher(whole), write, lambda: True)
    with pytest.raises(KeyError):
        failing.run()
    assert children_of(os.getpid()) == []


def test_a_fault_of_the_executor_is_not_hidden_by_what_is_closed_then(work, monkeypatch):
    wait4 = os.wait4

    def fails_once(*args):
        monkeypatch.setattr(os, "wait4", wait4)
        raise RuntimeError("a fault of our own")

    monkeypatch.setattr(os, "wait4", fails_once)
    files = open_files()
    with pytest.raises(RuntimeError):
        work.run(work.script(OK))
    assert children_of(os.getpid()) == []
    assert open_files() == files


# Many steps


THOUSAND = """
import json, os, resource
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor import real_stages
Work, open_files, python = real_stages.Work, real_stages.open_files, real_stages.python
os.mkdir("work")
os.chdir("work")
work = Work(os.getcwd())
class Pass(Scriptlet):
    def run(self, ctx, params):
        pass
def seconds(number):
    before = resource.getrusage(resource.RUSAGE_SELF)
    ran = work.run(*(python(Pass, f"s{at}", depends_on=[f"s{at - 1}"], parallel=True) for at in range(number)))
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert list(ran.verdicts.values()) == ["passed"] * number
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
few = min(seconds(100) for _time in range(2))
files = open_files()
many = seconds(1000)
print(json.dumps([few, many, open_files() - files]))
"""


@pytest.mark.repeats  # of test_scripts_leak_nothing below, and of what test_scheduler.py counts
def test_a_thousand_steps_leak_nothing_and_do_not_slow_down(tmp_path):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", THOUSAND], stdout=subprocess.PIPE, cwd=tmp_path, env=env, check=True)
    few, many, leaked = json.loads(done.stdout)
    assert leaked == 0
    assert many / few < 50  # 10 where each costs the same, 100 where each looks at all


def test_scripts_leak_nothing(work):
    files = open_files()
    work.run(*(work.script(OK, f"s{at}") for at in range(50)))
    assert open_files() == files


def test_many_blocked_steps_are_settled_at_once(work):
    started = time.process_time()
    ran = work.run(python(Fail), *(python(Pass, f"s{at}", depends_on=["Fail"]) for at in range(5000)))
    assert len(ran.verdicts) == 5001
    assert time.process_time() - started < 5
