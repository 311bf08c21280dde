# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from math import inf, nan

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.methods.arrays import floats, usable


def test_what_can_be_analysed_is_marked():
    marks = usable([1, -1e150, 1.1e150, nan, inf, -inf])
    assert marks.tolist() == [True, True, False, False, False, False]


@pytest.mark.parametrize("value", [nan, inf, -2e150])
def test_other_values_are_refused(value: float):
    with pytest.raises(ValueError, match=r"only finite numbers up to 1e\+150 can be analysed"):
        floats([1, value])


def test_whole_numbers_become_floats():
    assert floats([1, 2]).dtype == "float64"
