# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that run through another host: which one it is, and what their records say of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import delta, step
from rack_recipes.run.delegates import DelegateGroups, delegate_of, group_problem, told_through


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


DELEGATES = {"a": "j1", "b": "j2", "c": "j1", "d": "", "j2": "j2"}


def found(number: int, hosts: Sequence[str]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    return ((host, DELEGATES[host], {"of": host, "stage": number}) for host in hosts)


def formed() -> DelegateGroups:
    groups = DelegateGroups(found)
    assert groups.form(3, [*DELEGATES]) == ["a", "b", "d"]
    return groups


def test_the_first_host_of_each_delegate_stands_for_the_others():
    groups = formed()
    of_a, of_b = groups.of(3, "a"), groups.of(3, "b")
    assert of_a
    assert of_b
    assert (of_a.delegate, list(of_a.hosts)) == ("j1", ["a", "c"])
    assert (of_b.delegate, list(of_b.hosts)) == ("j2", ["b", "j2"])
    assert of_a.hosts["c"] == {"of": "c", "stage": 3}


def test_a_host_without_a_delegate_stands_for_itself():
    assert formed().of(3, "d") is None


def test_another_stage_or_a_host_that_stands_for_none_has_no_group():
    assert formed().of(2, "a") is None
    assert formed().of(3, "c") is None


def test_of_earlier_stages_only_the_names_are_kept():
    groups = formed()
    groups.form(5, ["a", "b"])
    assert groups.of(3, "a") is None
    assert groups.before(5, "j1") == {3: {"a", "c"}}
    assert groups.before(3, "j1") == {}
    assert groups.before(6, "j2") == {3: {"b", "j2"}, 5: {"b"}}
