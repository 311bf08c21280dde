# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from rack_recipes.recipe.waivers import Waiver, day_of

WAIVER = Waiver("link", "RMA 1", "alice", date(2026, 12, 31))


@pytest.mark.parametrize(
    ("today", "state"),
    [
        (date(2026, 12, 23), "active"),
        (date(2026, 12, 24), "ends soon"),
        (date(2026, 12, 31), "ends soon"),
        (date(2027, 1, 1), "over"),
    ],
)
def test_it_is_in_force_through_its_last_day(today: date, state: str):
    assert WAIVER.state(today) == state
    assert replace(WAIVER, until=None, passes=2).state(today) == "active"


def test_its_term_in_words():
    assert WAIVER.words == "waived by alice until 2026-12-31: RMA 1"
    assert replace(WAIVER, passes=1).term == "2026-12-31 or 1 pass"
    assert replace(WAIVER, until=None, passes=3).term == "3 passes in a row"


@pytest.mark.parametrize("changed", [{"reason": "x"}, {"who": "x"}, {"until": None}, {"line": 9}])
def test_it_stays_the_same_waiver_where_only_the_words_or_the_date_change(changed):
    assert replace(WAIVER, **changed).id == WAIVER.id


@pytest.mark.parametrize(
    "changed",
    [{"step": "x"}, {"hosts": ("a",)}, {"measurement": "x"}, {"passes": 1}, {"test_id": "x"}, {"recipe": "x"}],
)
def test_it_is_another_one_where_it_covers_something_else(changed):
    assert replace(WAIVER, **changed).id != WAIVER.id


@pytest.mark.parametrize(
    ("of", "recipe", "expected"),
    [
        ({}, {}, True),
        ({"test_id": "HALL-1"}, {"test_id": "HALL-1"}, True),
        ({"test_id": "HALL-*"}, {"test_id": "HALL-1"}, True),
        ({"test_id": "HALL-1"}, {"test_id": "HALL-2"}, False),
        ({"test_id": "HALL-1"}, {}, False),
        ({"recipe": "recipes/a.yml"}, {"path": "./recipes/a.yml"}, True),
        ({"recipe": "recipes/*"}, {"path": "recipes/a.yml"}, True),
        ({"recipe": "recipes/a.yml"}, {"path": "recipes/b.yml"}, False),
        ({"recipe": "recipes/a.yml", "test_id": "x"}, {"path": "recipes/a.yml"}, False),
    ],
)
def test_the_recipes_that_it_is_for(of, recipe, expected: bool):
    assert replace(WAIVER, **of).is_of(recipe) is expected


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("link", "link", True),
        ("link", "link2", False),
        ("link*", "link2", True),
        ("link[eth0]", "link", True),
        ("link[*]", "link", True),
        ("l*[eth0]", "link", True),
        ("disk[eth0]", "link", False),
    ],
)
def test_the_planned_steps_that_it_is_for(pattern: str, name: str, expected: bool):
    assert replace(WAIVER, step=pattern).covers_step(name) is expected


def test_a_day_is_one_of_utc():
    assert day_of("2026-12-31T23:59:59.999999Z") == date(2026, 12, 31)
    assert day_of("2026-12-31T23:59:59+02:00") == date(2026, 12, 31)
    assert day_of("2027-01-01T01:00:00+02:00") == date(2026, 12, 31)


def test_its_data_has_what_is_set():
    told = {"id": WAIVER.id, "step": "link", "reason": "RMA 1", "who": "alice", "until": "2026-12-31"}
    assert WAIVER.to_data() == {**told, "verdicts": ["failed", "error"]}
    more = replace(WAIVER, hosts=("a",), passes=2, line=7, measurement="m", test_id="T", recipe="r").to_data()
    assert more.items() >= {"passes": 2, "line": 7, "measurement": "m", "test_id": "T", "recipe": "r"}.items()
    assert more["hosts"] == ["a"]
