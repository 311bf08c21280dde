# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible_collections.rack.recipes.tests.bench.fleet.page import pages_section

FIGURES = {
    "made": "2026-11-29T12:00:00+00:00",
    "cores": 2,
    "load": 0.1,
    "hosts": 1000,
    "steps": 100,
    "rounds": 5,
    "pages": [["a run", [0.4, 0.25], [1.5, 1.25]], ["the rack", [1.0, 0.75], None]],
    "filter": ["failed results of a run", 0.05, 1.1],
}


def test_a_page_that_others_lack_has_an_empty_cell():
    lines = pages_section.section(FIGURES).splitlines()
    assert "1,000 hosts x 100 steps in SQLite" in lines[2]
    assert lines[4:] == [
        "| page | ours | ARA |",
        "| --- | --- | --- |",
        "| a run | 0.40 / 0.25 | 1.50 / 1.25 |",
        "| the rack | 1.00 / 0.75 |  |",
        "| failed results of a run, filtered | 0.050 | 1.100 |",
        "",
        "- every page is painted within 1 s: 1.00 s (the rack), reached",
        "- results are filtered within 0.1 s: 0.050 s, reached",
    ]


def test_what_is_slower_than_its_goal_is_said():
    slow = {**FIGURES, "pages": [["a run", [1.01, 0.9], None]], "filter": ["failed results", 0.2, 1.0]}
    assert pages_section.section(slow).splitlines()[-2:] == [
        "- every page is painted within 1 s: 1.01 s (a run), **not reached**",
        "- results are filtered within 0.1 s: 0.200 s, **not reached**",
    ]


def test_without_figures_there_is_no_section(monkeypatch, tmp_path):
    monkeypatch.setattr(pages_section, "FIGURES", tmp_path / "pages.json")
    assert pages_section.stored_section() == ""
    pages_section.FIGURES.write_text(json.dumps(FIGURES))
    assert pages_section.stored_section() == pages_section.section(FIGURES)
