# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from math import isnan
from typing import Any

import pytest

from rack_recipes.analysis.run_data import numbers_in


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (5, {"": 5.0}),
        ({"a": {"b": 1}, "c": [1, {"d": 2}]}, {".a.b": 1.0, ".c[0]": 1.0, ".c[1].d": 2.0}),
        ({"ok": True, "text": "5", "none": None}, {}),
        ([0] * 33, {}),
        ([0] * 32, {f"[{index}]": 0.0 for index in range(32)}),
    ],
    ids=str,
)
def test_numbers_in_a_value(value: Any, found: dict[str, float]) -> None:
    assert dict(numbers_in(value)) == found


def test_a_number_that_no_float_can_hold_is_none() -> None:
    assert isnan(dict(numbers_in(10**400))[""])
