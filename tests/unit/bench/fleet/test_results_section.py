# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible_collections.rack.recipes.tests.bench.fleet.page import results_section

FIGURES = {
    "made": "2026-11-29T06:00:00+00:00",
    "results": 100_000,
    "rounds": 3,
    "rows": [["show", 1.5, 2.0], ["report --format html", 6.25, 6.0], ["report --format csv", 3.0, None]],
}


def test_each_command_has_a_line_with_its_goal():
    lines = results_section.section(FIGURES).splitlines()
    assert lines[0] == "## Reports and analysis"
    assert "| show | 1.50 | 2, reached |" in lines
    assert "| report --format html | 6.25 | 6, **not reached** |" in lines
    assert "| report --format csv | 3.00 |  |" in lines
    assert "100,000 results" in lines[2]


def test_the_page_has_what_was_written_last(tmp_path, monkeypatch):
    monkeypatch.setattr(results_section, "FIGURES", tmp_path / "results.json")
    assert results_section.stored_section() == ""
    results_section.FIGURES.write_text(json.dumps(FIGURES))
    assert results_section.stored_section() == results_section.section(FIGURES)
