# SPDX-License-Identifier: GPL-3.0-or-later

"""Stages with waivers: what a covered failure becomes, and what follows it."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import python, step

SECRET = "hunter2-hunter2"


class Pass(Scriptlet):
    def run(self, ctx, params):
        pass


class Fail(Scriptlet):
    def run(self, ctx, params):
        raise Failed("too hot")


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
