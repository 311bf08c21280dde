# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts have in common, out of all that is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.planted_runs import context_row, names
from rack_recipes.analysis.causes import traits_of, values_of
from rack_recipes.analysis.run_data import RunData

HOSTS = names("r1", 6)


def learned(values: Sequence[Any], name: str = "model") -> Any:
    context = [context_row(host, "nic.card_v1", {name: value}) for host, value in zip(HOSTS, values, strict=True)]
    return traits_of(RunData({}, context=context))


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (["x", "x", "y", "y", "z", "z"], {"x", "y", "z"}),
        (["x", "x", "y", "y", "z", "w"], set()),
        (["x", "x", "x", "x", "", ""], {"x"}),
        (["x", "x", "x", "x" * 65, "x" * 65, "x" * 65], {"x"}),
        (["x", "x", "x", "a\nb", "a\nb", "a\nb"], {"x"}),
        ([True, True, True, False, False, False], set()),
        ([1.5, 1.5, 1.5, 2.5, 2.5, 2.5], set()),
        ([1, 1, 1, 2, 2, 2], set()),
    ],
    ids=["few", "many", "empty", "long", "lines", "truths", "fractions", "numbers"],
)
def test_short_texts_with_few_values(values: Sequence[Any], kept: set[str]):
    assert set(learned(values).get("nic.card_v1.model", {})) == kept


@pytest.mark.parametrize("name", ["mtu", "fw_version", "speed_mbps", "Firmware"])
def test_numbers_by_their_names(name: str):
    assert learned([1, 1, 1, 2, 2, 2], name) == {
        f"nic.card_v1.{name}": {"1": frozenset(HOSTS[:3]), "2": frozenset(HOSTS[3:])}
    }


def test_values_come_by_how_many_hosts_have_them():
    found = learned(["x", "x", "y", "y", "y", "y"])
    assert values_of(found, "nic.card_v1.model", frozenset(HOSTS)) == ["y", "x"]
    assert values_of(found, "nic.card_v1.model", frozenset(HOSTS[:2])) == ["x"]
    assert values_of(found, "gone", frozenset(HOSTS)) == []
