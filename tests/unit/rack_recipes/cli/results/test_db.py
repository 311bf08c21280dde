# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, text

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.store.schema.migrate_and_check import HEAD

URL = "sqlite:///new.db"


def test_a_store_is_made(project: Path):
    assert call("db", "upgrade", "--db", URL).answer == {"status": "ok", "before": None, "schema": HEAD}
    assert call("db", "upgrade", "--db", URL).answer == {"status": "ok", "before": HEAD, "schema": HEAD}
    assert call("db", "current", "--db", URL).answer == {"status": "ok", "schema": HEAD, "newest": HEAD}
    assert call("db", "check", "--db", URL) == (0, '{"status": "ok", "differences": []}\n', "")


def test_the_project_s_store_is_meant_by_default(project: Path):
    assert call("db", "upgrade").code == 0
    assert (project / ".rack-recipes/results.db").is_file()


def test_a_schema_that_is_another(project: Path):
    call("db", "upgrade", "--db", URL)
    store = create_engine(URL)
    with store.begin() as connection:
        connection.execute(text("ALTER TABLE runs DROP COLUMN tester"))
    store.dispose()
    done = call("db", "check", "--db", URL, "--json")
    assert done.code == 5
    assert done.answer["status"] == "error"
    assert [difference for difference in done.answer["differences"] if "tester" in difference]
    assert done.err.splitlines() == done.answer["differences"]


def test_nothing_is_made_by_asking(project: Path):
    for command in ("current", "check"):
        done = call("db", command, "--db", URL)
        assert done.code == 5
        assert "there is no store yet" in done.err
    assert not (project / "new.db").exists()
