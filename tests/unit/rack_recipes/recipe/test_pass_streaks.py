# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.recipe.waivers import Streak, count_streaks, lifted

SHORT = {
    "p": "passed",
    "m": "marginal",
    "w": "waived",
    "f": "failed",
    "e": "error",
    "u": "unreachable",
    "c": "cached",
    "s": "skipped",
    "b": "blocked",
}


@pytest.mark.parametrize(
    ("ends", "passes", "is_lifted"),
    [
        ("", None, None),
        ("w", 0, False),
        ("wp", 1, False),
        ("wpp", 2, True),
        ("wppf", 0, True),  # for good
        ("wpwp", 1, False),
        ("wpfp", 1, False),
        ("wpep", 1, False),
        ("wpup", 1, False),
        ("wpcsbm", 2, True),  # what did not run says nothing
        ("wcccc", 0, False),
        ("pp", 2, True),
    ],
)
def test_a_waiver_is_lifted_by_passes_in_a_row(ends: str, passes, is_lifted):
    found = count_streaks([("a", "n1", SHORT[end]) for end in ends], 2)
    assert found == ({} if passes is None else {("a", "n1"): Streak(passes, is_lifted)})


def test_each_step_and_host_is_counted_apart():
    found = count_streaks(
        [("a", "n1", "passed"), ("a", "n2", "failed"), ("a", "n1", "passed"), ("b", "n1", "passed")], 2
    )
    assert lifted(found) == {("a", "n1")}


def test_a_verdict_of_a_newer_version_says_nothing():
    assert count_streaks([("a", "n1", "of 2030")], 1) == {}


@given(st.lists(st.sampled_from([*VERDICTS])), st.integers(1, 5))
def test_it_is_lifted_exactly_where_so_many_in_a_row_have_passed(verdicts: list[str], needed: int):
    ran = [verdict for verdict in verdicts if verdict not in ("skipped", "blocked", "cached")]
    marks = "".join("p" if verdict in ("passed", "marginal") else "f" for verdict in ran)
    found = count_streaks([("a", "n1", verdict) for verdict in verdicts], needed)
    assert (("a", "n1") in lifted(found)) is ("p" * needed in marks)
