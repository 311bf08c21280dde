# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.references import keys_in, resolve
from ansible_collections.rack.recipes.plugins.module_utils.view import View
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.loading import cases

STATS = {"mean": 2.5, "by": [1, {"x": "é"}], "none": None}
OWN = {"numbers.stats_v1": [3, STATS], "nothing_v1": [1, None], "yes_v1": [1, True]}
RUN = {"run.name_v2": [1, "rack 7"], "yes_v1": [1, False]}


@pytest.fixture
def ctx():
    return View("s", "r1", "host", OWN, RUN, {}, [].append)


@cases(__file__, "references", "value", "expected")
def test_references_are_filled_in(ctx, value, expected):
    assert resolve(value, ctx) == expected
    assert repr(resolve(value, ctx)) == repr(expected)


@cases(__file__, "references_refused", "value", "error")
def test_references_that_lead_nowhere_are_named(ctx, value, error):
    with pytest.raises(ValueError) as caught:
        resolve(value, ctx)
    assert str(caught.value) == error


def test_what_is_filled_in_is_a_copy(ctx):
    resolve("${numbers.stats_v1}", ctx)["by"].append(2)
    assert STATS["by"] == [1, {"x": "é"}]


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("", set()),
        (5, set()),
        ("${a_v1} ${b.c_v2.d.e} ${HOME}", {"a_v1", "b.c_v2"}),
        ({"x": ["${a_v1}", ("${b_v1}", {"y": "${c_v1}"})]}, {"a_v1", "b_v1", "c_v1"}),
        ({"${a_v1}": 1}, set()),
    ],
)
def test_the_keys_that_arguments_refer_to(value, keys):
    assert keys_in(value) == keys
