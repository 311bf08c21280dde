# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import FIRST, SECOND

NOWHERE = "sqlite:////proc/nowhere/results.db"


def test_in_both_places(runs: Path):
    for _again in range(2):
        done = call("pin", FIRST[:8])
        assert done.answer == {"status": "ok", "run_id": FIRST, "pinned": True, "folder": True, "store": True}
    assert (runs / FIRST / "pinned").exists()
    assert [run["pinned"] for run in call("runs", "--json").answer["runs"]] == [False, True]
    assert call("pin", FIRST, "--off").answer["pinned"] is False
    assert not (runs / FIRST / "pinned").exists()
    assert [run["pinned"] for run in call("runs", "--json").answer["runs"]] == [False, False]


def test_the_newest_one(runs: Path):
    assert call("pin").answer["run_id"] == SECOND


def test_one_that_only_the_store_has(runs: Path):
    call("prune", "--keep", "0")
    done = call("pin", FIRST)
    assert done.answer == {"status": "ok", "run_id": FIRST, "pinned": True, "folder": False, "store": True}
    assert [run["run_id"] for run in call("prune", "--keep", "0", "--store", "--json").answer["removed"]] == [SECOND]


def test_one_that_is_not_stored(runs: Path):
    call("db", "upgrade", "--db", "sqlite:///empty.db")
    done = call("pin", FIRST, "--db", "sqlite:///empty.db")
    assert (done.answer["folder"], done.answer["store"]) == (True, False)
    assert call("flush", FIRST, "--db", "sqlite:///empty.db").code == 0
    assert call("runs", "--db", "sqlite:///empty.db").out.splitlines()[1].endswith("; pinned")


def test_without_the_store_the_folder_is_marked(runs: Path):
    done = call("pin", FIRST, "--db", NOWHERE)
    assert (done.code, done.answer["store"]) == (0, False)
    assert done.err.startswith("only in the run's folder: ")
    assert (runs / FIRST / "pinned").exists()
    assert not Path("/proc/nowhere").exists()
    assert call("prune", "--keep", "0", "--json").answer["kept"][0]["because"] == "pinned"


def test_a_run_that_is_nowhere(runs: Path):
    done = call("pin", "2025")
    assert (done.code, done.err) == (2, "there is no run '2025' in the store\n")
    assert call("pin", "2025", "--db", NOWHERE).code == 5
    assert call("pin", "2026").code == 2
