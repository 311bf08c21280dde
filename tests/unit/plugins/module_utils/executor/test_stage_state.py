# SPDX-License-Identifier: GPL-3.0-or-later

"""What --debug tells of a stage, and stages with waivers: what a covered failure becomes, and what follows it."""

from __future__ import annotations

import json
import os
import re
import sys

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor import stage_state
from ansible_collections.rack.recipes.plugins.module_utils.executor.process import attempt
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    OK,
    Fail,
    Pass,
    python,
    step,
)


class Probe(Scriptlet):
    options = {"src": {}, "login": {"type": "dict", "options": {"user": {}, "word": {"no_log": True}}}}

    def run(self, ctx, params):
        ctx.set("a_v1", {"x": 1})
        ctx.set("a_v1", {"x": 2}, who="somebody")
        raise Failed("hot")


def logs(ran):
    return [record for record in ran.records if record["kind"] == "log"]


def test_what_is_told_of_a_step(work):
    args = {"src": "x", "login": {"user": "me", "word": "hunter2"}}
    ran = work.run(python(Probe, args=args, options=Probe.options), own={"a_v1": [1, "before"]}, debug=True)
    found = logs(ran)
    assert [record["event"] for record in found] == ["start", "set", "set", "process", "end"]
    head = {"kind": "log", "stage": 1, "n": 0, "host": "r1", "step": "Probe", "attempt": 1}
    assert all({name: record[name] for name in head} == head for record in found)
    assert all(record["time"].endswith("Z") for record in found)
    texts = [record["text"] for record in found]
    assert json.loads(texts[0]) == {"src": "x", "login": {"user": "me", "word": "********"}}
    assert texts[1:3] == ['a_v1 by Probe: "before" -> {"x": 1}', 'a_v1 by somebody: {"x": 1} -> {"x": 2}']
    assert texts[3].startswith("process ")
    assert texts[3].endswith(" ended with exit code 1")
    assert texts[4] == "failed: hot"


def test_each_try_is_told(work):
    ran = work.run(work.script("kill -9 $$", retry={"max": 2}), debug=True)
    assert [(record["event"], record["attempt"]) for record in logs(ran)] == [
        ("start", 1),
        ("process", 1),
        ("end", 1),
        ("start", 2),
        ("process", 2),
        ("end", 2),
    ]
    assert logs(ran)[1]["text"].endswith(" ended with signal 9")


def test_what_a_step_logs_and_its_variables_are_told(work):
    def run(self, ctx, params):
        total = 2 + 3
        sys.stderr.write(f"hot: {total}\n")
        raise OSError("no disk")

    ran = work.run(python(type("Watched", (Scriptlet,), {"run": run})), debug=True)
    (told,) = [record["text"] for record in logs(ran) if record["event"] == "stderr"]
    assert "run: total = 5\nhot: 5\nTraceback (most recent call last):\n" in told
    assert "\nOSError: no disk\n4 frames of rack.recipes:\n" in told


def test_a_long_value_is_cut(work):
    put = 'printf \'{"status":"ok","outputs":{"a_v1":"\'; head -c 100000 /dev/zero | tr "\\0" x; echo \'"}}\''
    (told,) = [record for record in logs(work.run(work.script(put), debug=True)) if record["event"] == "set"]
    assert len(told["text"]) < 3000
    assert told["text"].endswith("xxx...")


def test_scriptlets_know_of_it(work):
    tell = 'echo \'{"status": "ok", "outputs": {"debug_v1": "\'$RACK_DEBUG $RACK_RUN\'"}}\''

    def run(self, ctx, params):
        import os

        ctx.set("class_v1", [os.environ.get("RACK_DEBUG", ""), os.environ.get("RACK_RUN", "")])

    tells = type("Tells", (Scriptlet,), {"run": run})
    values = [delta["after"] for delta in work.run(work.script(tell), python(tells), debug=True).deltas]
    assert values == ["1 run1", ["1", "run1"]]
    values = [delta["after"] for delta in work.run(work.script(tell), python(tells)).deltas]
    assert values == [" run1", ["", "run1"]]


def test_otherwise_it_is_quiet(work):
    assert logs(work.run(work.script(OK))) == []


class Starts(Scriptlet):
    def run(self, ctx, params):
        import subprocess

        print("first line\nsecond line")
        subprocess.run(["sh", "-c", "exit 3"], check=False)
        subprocess.run("true; kill -9 $$", shell=True, check=False)
        os.system("exit 4")
        pid = os.fork()
        if not pid:
            os.execv("/bin/sh", ["sh", "-c", "exit 5"])
        os.waitpid(pid, 0)
        os.waitid(os.P_PID, os.posix_spawn("/bin/sh", ["sh", "-c", "exit 6"], os.environ), os.WEXITED)
        self.left = subprocess.Popen(["sleep", "hunter2"])
        subprocess.run(["echo", "hunter2"], stdout=subprocess.DEVNULL, check=True)


def of_event(ran, event):
    """The texts of a log, with the numbers and times that differ from run to run as N and T."""
    texts = [record["text"] for record in logs(ran) if record["event"] == event]
    return [re.sub(r"process \d+", "process N", re.sub(r"after \d+\.\d{3} s", "after T", text)) for text in texts]


def test_the_processes_that_a_class_starts_are_told_with_arguments_and_exit_codes(work):
    ran = work.run(python(Starts), debug=True, secrets=["hunter2"])
    assert ran.outcome == ("passed", "")
    assert of_event(ran, "process") == [
        'process N ["sh", "-c", "exit 3"], after T, ended with exit code 3',
        'process N ["/bin/sh", "-c", "true; kill -9 $$"], after T, ended with signal 9',
        'process unknown ["sh", "-c", "exit 4"], after T, ended with exit code 4',
        'process N becomes ["sh", "-c", "exit 5"]',
        'process N ["a fork of Python"], after T, ended with exit code 5',
        'process N ["sh", "-c", "exit 6"], after T, ended with exit code 6',
        'process N ["echo", "********"], after T, ended with exit code 0',
        'process N ["sleep", "********"]: nobody has waited for its end',
        "process N, after T, ended with exit code 0",
    ]
    assert of_event(ran, "stdout") == ["first line\nsecond line\n"]


def test_the_program_of_a_step_is_told_with_its_arguments(work):
    ran = work.run(work.script(f"#!/bin/sh -e\n{OK}"), debug=True)
    (told,) = of_event(ran, "process")
    assert told == f'process N ["/bin/sh", "-e", "{work.folder}/script.sh"], after T, ended with exit code 0'
    assert of_event(ran, "stdout") == ['{"status":"ok"}\n']


def test_a_secret_that_is_registered_later_is_in_no_command_line(work):
    def run(self, ctx, params):
        os.system("true swordfish")
        ctx.secret("swordfish")

    ran = work.run(python(type("Later", (Scriptlet,), {"run": run})), debug=True)
    assert of_event(ran, "process")[0].startswith('process unknown ["sh", "-c", "true ********"]')
    assert "swordfish" not in json.dumps(ran.records)


def test_only_so_many_processes_are_told(work, monkeypatch):
    monkeypatch.setattr(attempt, "PROCESSES", 2)

    def run(self, ctx, params):
        for _number in range(4):
            os.system("true")

    found = of_event(work.run(python(type("Many", (Scriptlet,), {"run": run})), debug=True), "process")
    assert found[2] == "2 more processes"
    assert len(found) == 4


def test_a_long_argument_list_of_a_fork_is_cut(work):
    def run(self, ctx, params):
        if not os.fork():
            os.execv("/bin/true", ["true", *["x" * 100] * 100])
        os.wait()

    found = of_event(work.run(python(type("Long", (Scriptlet,), {"run": run})), debug=True), "process")
    assert found[0] == 'process N becomes ["true", "... 100 more"]'


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", {"start", "set", "process", "stdout", "stderr", "end"}),
        ("info", {"start", "set", "process", "stderr", "end"}),
        ("warning", {"stderr"}),
        ("error", set()),
    ],
)
def test_the_level_says_what_is_told(work, level, events):
    tell = 'echo hot >&2; echo; echo \'{"status": "ok", "outputs": {"a_v1": 1}}\''
    ran = work.run(work.script(tell), log_level=level)
    assert {record["event"] for record in logs(ran)} == events


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
@pytest.mark.parametrize("status", ["ok", "failed", "error"])
def test_an_end_is_told_by_its_verdict(work, level, status):
    ran = work.run(work.script(f'echo \'{{"status": "{status}", "reason": "hot"}}\''), log_level=level)
    is_told = status != "ok" or level in ("debug", "info")
    assert bool(of_event(ran, "end")) == is_told


def test_variables_are_watched_at_the_level_debug_alone(work):
    def run(self, ctx, params):
        total = 2 + 3
        return total - 5

    watched = type("Watched", (Scriptlet,), {"run": run})
    assert of_event(work.run(python(watched), log_level="info"), "stderr") == []
    assert "total = 5" in of_event(work.run(python(watched), log_level="debug"), "stderr")[0]


class Measures(Scriptlet):
    def run(self, ctx, params):
        for number in range(30):
            ctx.measure("speed", number)
        ctx.check("good", 1, max=2)
        ctx.check("bad", 3, max=2)


def test_of_very_many_measurements_the_checks_are_kept_and_the_rest_is_counted(work, monkeypatch):
    monkeypatch.setattr(stage_state, "MOST_MEASUREMENTS", 5)
    ran = work.run(python(Measures))
    [record] = [record for record in ran.records if record["kind"] == "step"]
    found = [(each["name"], each["value"]) for each in record["measurements"]]
    assert found == [("speed", 0), ("speed", 1), ("good", 1), ("bad", 3), ("measurements.left_out", 28)]
    assert (record["verdict"], record["checks"]) == ("failed", 2)


SECRET = "hunter2-hunter2"


class Tell(Scriptlet):
    def run(self, ctx, params):
        ctx.secret(SECRET)
        raise Failed(f"the password is {SECRET}")


class Check(Scriptlet):
    """Fails by a check, and says so, as our own scriptlets do."""

    def run(self, ctx, params):
        if ctx.check("temp", 90, "C", max=80) == "failed":
            raise Failed("90 C")


class Wait(Scriptlet):
    def run(self, ctx, params):
        import time

        time.sleep(60)


def waiver(name, **fields):
    return {"id": "w1", "step": name, "verdicts": ["failed", "error"], "words": "waived by alice", **fields}


def test_a_waived_step_still_runs_and_what_depends_on_it_runs(work):
    ran = work.run(python(Fail), python(Pass, depends_on=["Fail"]), waivers=[waiver("Fail")], fail_fast=True)
    assert ran.verdicts == {"Fail": "waived", "Pass": "passed"}
    assert ran.reasons["Fail"] == "waived by alice; failed: too hot"
    record = ran.steps["Fail"]
    assert record["waived"] == {"verdict": "failed", "reason": "too hot", "by": ["w1"]}
    assert record["attempts"][0]["verdict"] == "failed"
    assert "blocks" not in record
    assert "waived" not in ran.steps["Pass"]


def test_a_step_without_a_waiver_fails(work):
    ran = work.run(python(Fail), python(Pass, depends_on=["Fail"]), waivers=[waiver("other")])
    assert ran.verdicts == {"Fail": "failed", "Pass": "blocked"}


def test_retries_come_before_the_waiver(work):
    ran = work.run(python(Fail, retry={"max": 2, "delay_sec": 0}), waivers=[waiver("Fail")])
    assert ran.only["verdict"] == "waived"
    assert len(ran.only["attempts"]) == 2


def test_checks_and_criteria_are_measurements_that_a_waiver_may_name(work):
    criteria = {"values": [{"name": "fan", "value": 0, "min": 1}]}
    steps = [python(Check), python(Pass, success=criteria)]
    ran = work.run(*steps, waivers=[waiver("*", measurement="temp")])
    assert ran.verdicts == {"Check": "waived", "Pass": "failed"}
    both = [waiver("*", measurement="temp"), waiver("*", measurement="fan", id="w2")]
    assert work.run(*steps, waivers=both).steps["Pass"]["waived"]["by"] == ["w2"]


def test_an_instance_is_waived_and_its_looped_step_tells_it(work):
    looped = python(Fail, "loop", loop=["a", "b"])
    ran = work.run(looped, python(Pass, depends_on=["loop"]), waivers=[waiver("loop[a]")])
    assert ran.verdicts == {"loop[a]": "waived", "loop[b]": "failed", "loop": "failed", "Pass": "blocked"}
    ran = work.run(looped, python(Pass, depends_on=["loop"]), waivers=[waiver("loop")])
    assert ran.verdicts == {"loop[a]": "waived", "loop[b]": "waived", "loop": "waived", "Pass": "passed"}
    assert ran.reasons["loop"] == "loop[a] (waived), loop[b] (waived)"
    assert "waived" not in ran.steps["loop"]


def test_a_step_that_cannot_be_run_is_an_error_that_may_be_waived(work):
    ran = work.run(step("a", invalid="no such argument"), waivers=[waiver("a")])
    assert ran.only["waived"] == {"verdict": "error", "reason": "no such argument", "by": ["w1"]}


def test_what_was_not_tried_is_not_waived(work):
    ran = work.run(python(Fail), python(Fail, "b", depends_on=["Fail"]), waivers=[waiver("b")])
    assert ran.verdicts == {"Fail": "failed", "b": "blocked"}


def test_what_the_controller_ended_is_not_waived(work):
    ran = work.run(python(Wait), python(Pass), alive=lambda: False, waivers=[waiver("*")])
    assert ran.verdicts == {"Wait": "error", "Pass": "error"}


@pytest.mark.parametrize("verdict", ["failed", "error"])
def test_only_the_verdicts_of_the_waiver(work, verdict):
    ran = work.run(python(Fail), waivers=[waiver("Fail", verdicts=[verdict])])
    assert ran.only["verdict"] == ("waived" if verdict == "failed" else "failed")


def test_no_secret_is_in_what_a_waiver_keeps(work):
    ran = work.run(python(Tell), waivers=[waiver("Tell")])
    assert ran.only["verdict"] == "waived"
    assert SECRET not in str(ran.records)
    assert ran.only["waived"]["reason"] == "the password is ********"
