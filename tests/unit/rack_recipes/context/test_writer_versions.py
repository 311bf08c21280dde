# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta
from rack_recipes.context.context_model import (
    MAX_BYTES,
    MAX_VALUES,
    EarlierValues,
    HeldValue,
    KnownVersion,
    WriterVersions,
)

PLACE = ("", "power.limits_v1")


def write(based_on: int, host: str = "r2", stage: int = 1) -> dict[str, Any]:
    return delta(1, host, stage=stage, scope="run", based_on=based_on)


def test_one_who_counts_as_the_context_does_needs_no_memory() -> None:
    writers = WriterVersions()
    writers.note_write(PLACE, write(0), 1, None)
    assert writers.known_by(PLACE, write(1)) is None


def test_one_whose_write_met_another_counts_from_there() -> None:
    writers = WriterVersions()
    writers.note_write(PLACE, write(0), 2, None)
    assert writers.known_by(PLACE, write(1)) == KnownVersion(1, 1, 2, None)
    writers.note_write(PLACE, write(1), 3, "4")
    assert writers.known_by(PLACE, write(2)) == KnownVersion(1, 2, 3, "4")
    assert writers.known_by(PLACE, write(1)) is None
    assert writers.known_by(PLACE, write(2, stage=2)) is None
    assert writers.known_by(PLACE, write(2, "r1")) is None
    writers.note_write(PLACE, write(2), 3, None)
    assert writers.known_by(PLACE, write(3)) is None


def test_earlier_values_of_the_stage_are_known() -> None:
    bases = EarlierValues()
    for version in (3, 4, 5):
        bases.add(2, PLACE, HeldValue(f"{version}0", version))
    assert [bases.text(2, PLACE, version) for version in (2, 3, 4, 5, 6)] == [None, "30", "40", "50", None]
    assert bases.text(2, ("r1", PLACE[1]), 3) is None
    assert bases.text(3, PLACE, 3) is None


def test_another_stage_forgets_the_one_before() -> None:
    bases = EarlierValues()
    bases.add(1, PLACE, HeldValue("1", 1))
    bases.add(2, ("r1", "other_v1"), HeldValue("2", 2))
    assert bases.text(1, PLACE, 1) is None
    assert bases.text(2, PLACE, 1) is None


def test_of_many_values_the_first_and_the_last_are_known() -> None:
    bases = EarlierValues()
    for version in range(1, 10 * MAX_VALUES):
        bases.add(1, PLACE, HeldValue(str(version), version))
    known = [version for version in range(1, 10 * MAX_VALUES) if bases.text(1, PLACE, version)]
    assert known[0] == 1
    assert known[1:] == [*range(known[1], 10 * MAX_VALUES)]
    assert MAX_VALUES <= len(known) <= 2 * MAX_VALUES


def test_of_large_values_fewer_are_known() -> None:
    bases = EarlierValues()
    large = "x" * (MAX_BYTES // 8)
    for version in range(1, 101):
        bases.add(1, PLACE, HeldValue(f"{large}{version}", version))
    known = [version for version in range(1, 101) if bases.text(1, PLACE, version)]
    assert (known[0], known[1:]) == (1, [*range(known[1], 101)])
    assert 8 <= len(known) <= 16
