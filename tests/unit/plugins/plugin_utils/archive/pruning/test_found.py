# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from ansible_collections.rack.recipes.plugins.plugin_utils.archive.pins import pin, pin_stored
from ansible_collections.rack.recipes.plugins.plugin_utils.archive.pruning.found import Found, all_runs, written
from ansible_collections.rack.recipes.plugins.plugin_utils.archive.pruning.remove import GOING
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.compressed import compress


def test_all_runs_wherever_they_are(store: Engine, runs: Path, make):
    make("both", 3, stored=store)
    make("here", 2)
    make("row", 1, stored=store)
    (runs / "row").rename(runs.parent / "row")
    (runs / "refused").mkdir()
    (runs / "refused/ansible.log").write_text("no host")
    (runs / GOING).mkdir()
    (runs / "a file").touch()
    pin(runs / "here", pinned=True)
    pin_stored(store, "row", pinned=True)
    found = {run.run_id: run for run in all_runs(runs, store)}
    assert [*found] == ["row", "here", "both", "refused"]  # by their start, the last one today
    moment = "2026-11-01T12:00:00.000000Z"
    assert found["row"] == Found("row", None, 0, moment, pinned=True, status="passed", changes=12)
    assert (found["here"].pinned, found["here"].status) == (True, "")
    size = sum(path.stat().st_size for path in (runs / "both").iterdir())
    assert found["both"] == Found(
        "both", runs / "both", size, "2026-11-03T12:00:00.000000Z", pinned=False, status="passed", changes=12
    )
    assert (found["refused"].size, found["refused"].journal) == (7, None)
    assert found["refused"].started > "2026-11-03"


def test_a_compressed_journal_is_one(store: Engine, runs: Path, make):
    compress(make("R1", 1))
    [run] = all_runs(runs, store)
    assert (run.run_id, run.started, run.journal) == ("R1", "2026-11-01T12:00:00.000000Z", runs / "R1/journal.jsonl")


def test_a_project_without_runs(store: Engine, runs: Path):
    assert all_runs(runs, store) == []


def test_a_moment_as_records_write_it():
    assert written(datetime(2026, 1, 2, 3, 4, 5, 6, UTC)) == "2026-01-02T03:04:05.000006Z"
