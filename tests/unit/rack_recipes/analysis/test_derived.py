# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from rack_recipes.analysis import measured_and_derived_values
from rack_recipes.analysis.measured_and_derived_values import DerivedNumbers, derived_numbers, statistics
from rack_recipes.analysis.run_data import RunData, arrange_run
from rack_recipes.journal.append import append

LOST, ALL = "rx.frames_v1.lost", "rx.frames_v1.all"
FRAMES = {"r1": {"lost": 1, "all": 4}, "r2": {"lost": 3, "all": 4}, "r3": {"lost": 1, "all": 0}, "r4": {"lost": 1}}


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """A function that makes a run whose recipe derives a number."""

    def make(context: Mapping[str, Any] | None = None, **one: str) -> RunData:
        context = FRAMES if context is None else context
        path = tmp_path / "journal.jsonl"
        append(path, [{"kind": "run", "run": "R1", "time": "T", "hosts": [], "steps": [], "derived": {"x": one}}])
        rows = [{"key": "rx.frames_v1", "host": host, "step": "rx", "value": value} for host, value in context.items()]
        seconds = [{"host": host, "step": "rx", "n": 1, "name": "seconds", "value": 2} for host in context if host]
        return arrange_run(RunData(run={"run_id": "R1", "journal": str(path)}, context=rows, measurements=seconds))

    return make


@pytest.mark.parametrize(
    ("one", "numbers", "definition"),
    [
        ({"kind": "ratio", "of": LOST, "to": ALL}, {"r1": 0.25, "r2": 0.75}, f"ratio of {LOST} to {ALL}"),
        ({"kind": "difference", "of": ALL, "to": LOST}, {"r1": 3, "r2": 1, "r3": -1}, f"{ALL} less {LOST}"),
        (
            {"kind": "rate", "of": LOST, "to": "rx:seconds", "unit": "1/s"},
            {"r1": 0.5, "r2": 1.5, "r3": 0.5, "r4": 0.5},
            f"{LOST} for each unit of rx:seconds",
        ),
    ],
)
def test_each_kind(run: Any, one: dict[str, str], numbers: dict[str, float], definition: str) -> None:
    (found,) = derived_numbers(run(**one))
    assert (found.numbers, found.definition, found.unit) == (numbers, definition, one.get("unit", ""))


def test_what_cannot_be_computed_is_told_and_is_no_zero(run: Any) -> None:
    told, lost = measured_and_derived_values.findings(run(kind="ratio", of=LOST, to=ALL), Mock())
    assert told.title == f"x (ratio of {LOST} to {ALL}): median 0.5 on 2 hosts, from 0.25 to 0.75"
    assert told.figures["values"] == {"r1": 0.25, "r2": 0.75}
    assert lost.title == f"x cannot be computed on 2 hosts: r3 ({ALL} is 0), r4 ({ALL} is missing)"
    assert (told.kind, lost.kind) == ("derived", "evidence")


def test_a_number_of_the_run_serves_every_host(run: Any) -> None:
    context = {"": {"all": 4}, "r1": {"lost": 1}, "r2": {"lost": 2}}
    (found,) = derived_numbers(run(context, kind="ratio", of=LOST, to=ALL))
    assert found.numbers == {"r1": 0.25, "r2": 0.5}


def test_its_statistics_have_its_definition(run: Any) -> None:
    rows = {row["name"]: row for row in statistics(run(kind="ratio", of=LOST, to=ALL, unit="%"))}
    assert (rows["x"]["count"], rows["x"]["mean"], rows["x"]["unit"]) == (2, 0.5, "%")
    assert rows["x"]["definition"] == f"ratio of {LOST} to {ALL}"
    assert rows[LOST]["definition"] is None


@pytest.mark.parametrize("journal", [None, "/nowhere/journal.jsonl"])
def test_without_a_journal_nobody_knows_what_is_derived(journal: str | None) -> None:
    assert derived_numbers(RunData(run={"run_id": "R1", "journal": journal})) == []


def test_none_are_derived_of_numbers_that_nobody_has(run: Any) -> None:
    assert derived_numbers(run({}, kind="ratio", of=LOST, to=ALL)) == [
        DerivedNumbers("x", "", f"ratio of {LOST} to {ALL}", {}, {})
    ]
