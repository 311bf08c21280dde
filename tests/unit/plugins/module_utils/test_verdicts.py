# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of verdicts, and the lists that are derived from it."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils import verdicts
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table


@table("derived", "expected")
def test_the_lists_that_others_use(derived, expected):
    assert sorted(getattr(verdicts, derived)) == expected.split()


def test_the_order_of_badness():
    assert " ".join(verdicts.ORDER) == "error failed unreachable blocked marginal waived passed cached skipped"
    assert len({verdict.badness for verdict in verdicts.VERDICTS.values()}) == len(verdicts.VERDICTS)


def test_what_was_not_tried_has_no_time_of_its_own():
    assert not verdicts.NOT_TRIED & verdicts.RAN
    assert verdicts.COMPLETE <= verdicts.RAN & verdicts.PASSING
