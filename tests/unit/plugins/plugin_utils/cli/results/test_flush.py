# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run without an end in its journal: one that goes on keeps it so, another one was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.run.folders import held
from ansible_collections.rack.recipes.plugins.plugin_utils.store.engine import engine
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import load
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.cli.commands import call
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.cli.results.stored import FIRST

URL = "sqlite:///other.db"


def status() -> str:
    store = engine(URL)
    try:
        return str(load.run(store, FIRST)["status"])
    finally:
        store.dispose()


@pytest.fixture
def journal(runs: Path) -> Path:
    """A journal whose last record, the run's end, was never written."""
    found = runs / ".rack-recipes/runs" / FIRST / "journal.jsonl"
    lines = [line for line in found.read_bytes().splitlines(keepends=True) if b'"kind":"end"' not in line]
    found.write_bytes(b"".join(lines))
    return found


def test_a_run_that_could_not_write_its_end_was_interrupted(journal: Path):
    assert call("flush", FIRST, "--db", URL).code == 0
    assert status() == "interrupted"
    size = journal.stat().st_size
    assert call("flush", FIRST, "--db", URL).code == 0
    assert journal.stat().st_size == size


def test_a_run_that_goes_on_is_running(journal: Path):
    size = journal.stat().st_size
    with held(journal.parent):
        assert call("flush", FIRST, "--db", URL).code == 0
    assert (status(), journal.stat().st_size) == ("running", size)
