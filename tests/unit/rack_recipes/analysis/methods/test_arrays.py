# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from rack_recipes.analysis.methods.arrays import as_floats, mark_usable, medians


def test_what_can_be_analysed_is_marked():
    marks = mark_usable([1, -1e150, 1.1e150, nan, inf, -inf])
    assert marks.tolist() == [True, True, False, False, False, False]


@pytest.mark.parametrize("value", [nan, inf, -2e150])
def test_other_values_are_refused(value: float):
    with pytest.raises(ValueError, match=r"only finite numbers up to 1e\+150 can be analysed"):
        as_floats([1, value])


@pytest.mark.parametrize(("axis", "expected"), [(0, [3.5, 2.0]), (1, [1.5, 4.0])])
def test_medians_leave_out_what_is_no_number(axis: int, expected: list[float]):
    assert medians(np.array([[1.0, 2.0], [6.0, 2.0]]), axis).tolist() == expected
    with_none = np.array([[1.0, 2.0, nan], [6.0, 2.0, nan], [nan, nan, nan]])
    assert medians(with_none[:2, :2] if axis == 0 else with_none[:2], axis).tolist() == expected


def test_whole_numbers_become_floats():
    assert as_floats([1, 2]).dtype == "float64"
