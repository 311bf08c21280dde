# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import first, planned, step
from rack_recipes.journal.append import append
from rack_recipes.run.current_run import ReusableResults
from rack_recipes.run.earlier_run import EarlierRun

CACHED = {"run": "R9", "inputs": "sha256:1", "verdict": "passed", "kind": "cache", "records": []}


def read(path: Path) -> EarlierRun:
    earlier = EarlierRun(path)
    earlier.catch_up()
    return earlier


def test_without_anything_nothing_is_offered():
    assert ReusableResults().offers([{"name": "a"}], "r1") == {}


def test_the_earlier_run_comes_first_and_steps_without_offers_are_left_out(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    append(path, [first(planned("a"), planned("b")), step("a", "r1", inputs="sha256:0")])
    earlier = read(path)
    cached = {("a", "r1"): [CACHED], ("b", "r2"): [CACHED]}
    found = ReusableResults(earlier, cached).offers([{"name": "a"}, {"name": "b", "always": False}], "r1")
    assert [(name, [offer["kind"] for offer in offers]) for name, offers in found.items()] == [
        ("a", ["resume", "cache"])
    ]


def test_nothing_is_offered_for_a_closing_step(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    append(path, [first(planned("restore")), step("restore", "r1", inputs="sha256:0")])
    reusable = ReusableResults(read(path), {("restore", "r1"): [CACHED]})
    assert reusable.offers([{"name": "restore"}], "r1")
    assert reusable.offers([{"name": "restore", "always": True}], "r1") == {}
