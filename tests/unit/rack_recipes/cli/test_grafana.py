# SPDX-License-Identifier: GPL-3.0-or-later

"""The files for Grafana: where they are written, and what is said where they cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.integrations.monitoring.grafana_dashboards import DATA_SOURCES
from rack_recipes.store.database.databases_and_errors import DATABASES


def test_the_files_are_named_and_written_again(project: Path):
    first = call("grafana", "--pages", "https://pages.example/")
    again = call("grafana")
    assert (first.code, again.answer) == (0, first.answer)
    assert len(first.answer["files"]) == 4
    assert all(Path(path).is_file() for path in first.answer["files"])


def test_a_row_leads_to_the_pages(project: Path):
    call("grafana", "--pages", "https://pages.example/", "--output", "made")
    board = json.loads(Path("made/dashboards/rack-recipes-runs.json").read_text())
    links = {panel["title"]: panel["fieldConfig"]["defaults"].get("links") for panel in board["panels"]}
    assert [link["url"] for link in links["Last runs"]] == ["https://pages.example/runs/${__data.fields.run}"]
    assert links["Duration"] is None


def test_a_folder_that_cannot_be_made_is_named(project: Path):
    Path("grafana").write_text("")
    code, _out, err = call("grafana")
    assert code == 2
    assert "grafana/dashboards/rack-recipes-runs.json: cannot be written: " in err


def test_every_database_has_a_data_source():
    assert DATA_SOURCES.keys() == DATABASES.keys()


@pytest.mark.parametrize("url", ["oracle://x/y", "postgresql://u:a@b@h/d"])
def test_a_store_that_cannot_be_named_is_refused(project: Path, url: str):
    code, _out, err = call("grafana", "--db", url)
    assert (code, "a@b" in err) == (5, False)
