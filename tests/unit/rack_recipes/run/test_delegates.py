# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that run through another host: which one it is, and what their records say of it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import delta, step
from rack_recipes.run.delegates import delegate_of, group_problem, told_through


@pytest.mark.parametrize(
    ("delegate_to", "host", "delegate"),
    [
        (None, "bmc1", ""),
        ("", "bmc1", ""),
        ("j1", "bmc1", "j1"),
        ("bmc1", "bmc1", ""),
        ("localhost", "bmc1", "localhost"),
        ("localhost", "", ""),
        ("j1", "", "j1"),
    ],
)
def test_who_runs_a_step_on_behalf_of_its_host(delegate_to: Any, host: str, delegate: str):
    assert delegate_of(delegate_to, host) == delegate


TRIED = {
    "failed": "bad (through j1)",
    "error": "bad (through j1)",
    "unreachable": "bad (through j1)",
    **dict.fromkeys(("marginal", "waived", "cached", "passed"), "bad"),
}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_what_a_record_says_of_its_delegate(verdict: str):
    before = step("a", "bmc1", verdict, reason="bad")
    [record] = told_through([before], "j1")
    assert record.get("through") == ("j1" if verdict in TRIED else None)
    assert record["reason"] == TRIED.get(verdict, "bad")
    assert before == step("a", "bmc1", verdict, reason="bad")
    assert told_through([before], "") == [before]


def test_a_reason_that_is_empty_and_a_record_of_another_kind():
    assert told_through([delta("a.key_v1", 1), step("a", "bmc1", "failed")], "j1") == [
        delta("a.key_v1", 1),
        step("a", "bmc1", "failed", reason="(through j1)", through="j1"),
    ]


def test_a_group_is_no_delegate():
    assert group_problem("jump") == (
        "delegate_to: 'jump' is a group and no host: name one host, such as {{ groups['jump'] | first }}"
    )
