# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rack_recipes.server.live import journal_history_index
from rack_recipes.server.live.journal_history_index import SortedPlaces

SPOTS = st.lists(st.tuples(st.text("ab.", min_size=1, max_size=4), st.text("h1", max_size=2)), unique=True, max_size=60)


@pytest.fixture(autouse=True, scope="module")
def small_chunks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_history_index, "CHUNK", 3)
        yield


@settings(max_examples=60, deadline=None)
@given(spots=SPOTS, first=st.integers(0, 60), text=st.text("ab.", max_size=3))
def test_they_are_sorted_however_they_came(spots, first, text):
    places = SortedPlaces(spots[:first])
    for spot in spots[first:]:
        places.add(spot)
    assert [*places.beginning_with(text)] == [spot for spot in sorted(spots) if spot[0].startswith(text)]
    for spot in spots:
        at = sorted(spots).index(spot) + 1
        assert places.around(spot, 2) == sorted(spots)[max(at - 2, 0) : at + 2]


def test_those_that_come_meanwhile_are_met_if_it_is_their_turn():
    places = SortedPlaces((f"k{number:02}", "") for number in range(0, 40, 2))
    seen = []
    for key, _host in places.beginning_with("k"):
        seen.append(key)
        if key == "k10":
            for number in range(1, 40, 2):
                places.add((f"k{number:02}", ""))
    assert seen[:6] == [f"k{number:02}" for number in range(0, 12, 2)]
    assert seen == sorted(set(seen))
    assert {f"k{number:02}" for number in range(0, 40, 2)} <= {*seen}
    assert {f"k{number:02}" for number in range(17, 40, 2)} <= {*seen}
