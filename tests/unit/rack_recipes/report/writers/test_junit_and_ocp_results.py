# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.report.writers.junit_and_ocp_results import ERROR, FAIL, OUTCOMES, PASS, SKIP, outcome_of


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        ("failed", FAIL),
        ("error", ERROR),
        ("unreachable", ERROR),
        ("blocked", SKIP),
        ("skipped", SKIP),
        ("marginal", PASS),
        ("cached", PASS),
        ("waived", SKIP),
        ("passed", PASS),
        ("</x>", ERROR),
        (None, ERROR),
    ],
)
def test_each_verdict_has_an_outcome(verdict, outcome):
    assert outcome_of(verdict) == outcome


def test_every_verdict_has_one_of_the_four():
    assert {outcome_of(verdict) for verdict in VERDICTS} == set(OUTCOMES)
