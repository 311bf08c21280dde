# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands flush and db.

Of a run without an end in its journal one that goes on keeps it so, another one was interrupted.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import FIRST
from rack_recipes.run.run_folders import hold_run
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.schema.migrate_and_check import HEAD

URL = "sqlite:///other.db"


def status() -> str:
    store = connect_store(URL)
    try:
        return str(recorded_runs.run(store, FIRST)["status"])
    finally:
        store.dispose()


@pytest.fixture
def journal(stored: Path) -> Path:
    """A journal whose last record, the run's end, was never written."""
    found = stored / ".rack-recipes/runs" / FIRST / "journal.jsonl"
    lines = [line for line in found.read_bytes().splitlines(keepends=True) if b'"kind":"end"' not in line]
    found.write_bytes(b"".join(lines))
    return found


def test_a_run_that_could_not_write_its_end_was_interrupted(journal: Path):
    assert call("flush", FIRST, "--db", URL).code == 0
    assert status() == "interrupted"
    size = journal.stat().st_size
    assert call("flush", FIRST, "--db", URL).code == 0
    assert journal.stat().st_size == size


def test_damaged_lines_are_told(stored: Path):
    path = stored / ".rack-recipes/runs" / FIRST / "journal.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    numbers = [number for number, line in enumerate(whole, 1) if b'"kind":"step"' in line]
    lines = [line.replace(b'"host"', b'"hosT"', 1) if n in numbers[:2] else line for n, line in enumerate(whole, 1)]
    path.write_bytes(b"".join([*lines[:2], b'{"_":"0000\n', *lines[2:]]))
    done = call("flush", FIRST, "--db", URL)
    places = [number + 1 for number in numbers[:2]]
    text = f".rack-recipes/runs/{FIRST}/journal.jsonl has damaged lines, which cannot be read: "
    assert (done.code, done.err) == (5, f"{text}{places[0]}, {places[1]}\n")
    answer = done.answer
    assert (answer["status"], answer["run_id"], answer["damaged"]) == ("error", FIRST, places)
    assert (answer["reason"], answer["exit_code"]) == (done.err.strip(), 5)
    assert answer["rows"] > 0


def test_of_many_damaged_lines_the_first_are_named(stored: Path):
    path = stored / ".rack-recipes/runs" / FIRST / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b"by hand\n" * 12)
    done = call("flush", FIRST)
    assert done.err.endswith(" and 7 more\n")
    assert len(done.answer["damaged"]) == 12


def test_what_a_killed_writer_left_is_no_damage(stored: Path):
    path = stored / ".rack-recipes/runs" / FIRST / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b'\n{"_":"000000c7dfbf5de7","kind":"del\n')
    done = call("flush", FIRST)
    assert (done.code, done.err) == (0, "")
    assert (done.answer["status"], done.answer["damaged"]) == ("ok", [])


def test_a_run_that_goes_on_is_running(journal: Path):
    size = journal.stat().st_size
    with hold_run(journal.parent):
        assert call("flush", FIRST, "--db", URL).code == 0
    assert (status(), journal.stat().st_size) == ("running", size)


NEW = "sqlite:///new.db"


def test_a_store_is_made(project: Path):
    assert call("db", "upgrade", "--db", NEW).answer == {"status": "ok", "before": None, "schema": HEAD}
    assert call("db", "upgrade", "--db", NEW).answer == {"status": "ok", "before": HEAD, "schema": HEAD}
    assert call("db", "current", "--db", NEW).answer == {"status": "ok", "schema": HEAD, "newest": HEAD}
    assert call("db", "check", "--db", NEW) == (0, '{"status": "ok", "differences": []}\n', "")


def test_the_project_s_store_is_meant_by_default(project: Path):
    assert call("db", "upgrade").code == 0
    assert (project / ".rack-recipes/results.db").is_file()


def test_a_schema_that_is_another(project: Path):
    call("db", "upgrade", "--db", NEW)
    store = create_engine(NEW)
    with store.begin() as connection:
        connection.execute(text("ALTER TABLE runs DROP COLUMN tester"))
    store.dispose()
    done = call("db", "check", "--db", NEW, "--json")
    assert done.code == 5
    assert done.answer["status"] == "error"
    assert [difference for difference in done.answer["differences"] if "tester" in difference]
    assert done.err.splitlines() == done.answer["differences"]


def test_nothing_is_made_by_asking(project: Path):
    for command in ("current", "check"):
        done = call("db", command, "--db", NEW)
        assert done.code == 5
        assert "there is no store yet" in done.err
    assert not (project / "new.db").exists()
