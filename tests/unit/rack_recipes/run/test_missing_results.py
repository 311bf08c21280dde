# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.recipe.waivers import InForce, RunWaivers, Waiver
from rack_recipes.run.missing_results_and_artifacts import missing_result, with_waiver


def test_the_record_of_a_step_without_a_result_is_one_of_a_journal(tmp_path: Path):
    record = missing_result(1, "a", "r1", "error", "why")
    append(tmp_path / "journal.jsonl", [record])
    [line] = JournalReader(tmp_path / "journal.jsonl").read()
    assert line.record
    assert line.record.items() >= record.items()


@pytest.mark.parametrize("blocks", [True, False])
def test_a_step_without_a_result_blocks_unless_it_goes_on(blocks: bool):
    assert missing_result(1, "a", "r1", "error", "why", blocks=blocks).get("blocks", False) is blocks


def test_a_host_that_cannot_be_reached_is_waived_where_a_waiver_says_so():
    away = Waiver("a", "moved", "bob", passes=1, verdicts=("unreachable",), hosts=("r1",))
    waivers = RunWaivers(in_force=(InForce(away, frozenset(["r1"])),))
    record = with_waiver(missing_result(1, "a", "r1", "unreachable", "no route"), waivers)
    assert (record["verdict"], record["reason"]) == (
        "waived",
        "waived by bob until 1 pass: moved; unreachable: no route",
    )
    assert record["waived"] == {"verdict": "unreachable", "reason": "no route", "by": [away.id]}
    assert "blocks" not in record
    for step, host, verdict in (("b", "r1", "unreachable"), ("a", "r2", "unreachable"), ("a", "r1", "error")):
        given = missing_result(1, step, host, verdict, "why")
        assert with_waiver(given, waivers) is given
