# SPDX-License-Identifier: GPL-3.0-or-later

"""Python scriptlets in check mode: only what checks their arguments runs."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import python


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
