# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, run, step
from rack_recipes.errors import StoreError
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading.several_runs import AT_ONCE, changes_of_keys, measured, verdicts
from rack_recipes.store.writing.import_journal import import_journal

VALUES = [
    {"name": "t", "value": 2.5, "unit": "°C"},
    {"name": "t", "value": 3, "unit": None},
    {"name": "Zoë's", "value": "none", "unit": "1"},
]


@pytest.fixture
def filled(store: Engine, journal: Callable[..., Path]) -> Engine:
    """A store with two runs."""
    steps = [step(3, "r2", measurements=VALUES), step(2, "r1", measurements=VALUES[:1])]
    other = step(3, "r1", step="other", verdict="failed", measurements=[])
    changes = [delta(1, key="a_v1", after=1), delta(4, key="a_v1", after=2, based_on=1), delta(5, key="b_v1", after=[])]
    import_journal(store, journal([run("R1"), *steps, other, *changes], "R1"))
    import_journal(store, journal([run("R2"), step(measurements=VALUES[:1])], "R2"))
    return store


def test_places_and_values_of_one_run(filled: Engine) -> None:
    assert [tuple(row) for row in measured(filled, "R1")] == [
        ("r1\x1fcompute\x1ft\x1f°C", 2.5),
        ("r2\x1fcompute\x1ft\x1f°C", 2.5),
        ("r2\x1fcompute\x1ft\x1f", 3.0),
        ("r2\x1fcompute\x1fZoë's\x1f1", None),
    ]


def test_one_name_or_one_step_is_read_alone(filled: Engine) -> None:
    assert [place for place, _value in measured(filled, "R1", ["Zoë's"])] == ["r2\x1fcompute\x1fZoë's\x1f1"]
    assert not measured(filled, "R1", steps=["other"])
    assert len(measured(filled, "R1", ["t", "Zoë's"], ["compute"])) == 4


def test_changes_of_keys_come_in_their_order(filled: Engine) -> None:
    assert changes_of_keys(filled, "R1", {"a_v1"}) == [("r1", "a_v1", "1"), ("r1", "a_v1", "2")]
    assert changes_of_keys(filled, "R1", ()) == []


def test_verdicts_of_a_run_on_some_hosts(filled: Engine) -> None:
    found = {("compute", "r1", "passed"), ("compute", "r2", "passed"), ("other", "r1", "failed")}
    assert {tuple(row) for row in verdicts(filled, "R1", {"r1", "r2"})} == found
    assert {tuple(row) for row in verdicts(filled, "R1", {"r2", "r3"})} == {("compute", "r2", "passed")}
    assert {tuple(row) for row in verdicts(filled, "R1", {f"r{number}" for number in range(AT_ONCE + 1)})} == found


def test_a_damaged_file_is_told_as_one(tmp_path: Path, journal: Callable[..., Path]) -> None:
    """The driver meets the damage while it fetches rows, when SQLAlchemy looks away."""
    path = tmp_path / "results.db"
    store = connect_store(f"sqlite:///{path}")
    rows = [{**VALUES[0], "name": f"t{n}" * 20} for n in range(5000)]
    import_journal(store, journal([run("R1"), step(measurements=rows)], "R1"))
    store.dispose()  # which brings all of it from the log into the file
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 3)
        file.write(b"\xff" * (path.stat().st_size // 3))
    try:
        with pytest.raises(StoreError, match="malformed"):
            measured(store, "R1")
    finally:
        store.dispose()
