# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts a delegate runs a stage for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rack_recipes.run.delegates import DelegateGroups

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
