# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the page whose figures other benchmarks have left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.bench.fleet.page import stored_sections

MADE = {"made": "2026-11-29T06:00:00+00:00", "cores": 2, "load": 0.4}
FIGURES: dict[str, dict[str, Any]] = {
    "results": {
        **MADE,
        "results": 100_000,
        "rounds": 3,
        "rows": [["show", 1.5, 2.0], ["report --format html", 6.25, 6.0], ["report --format csv", 3.0, None]],
    },
    "pages": {
        **MADE,
        "hosts": 1000,
        "steps": 100,
        "rounds": 5,
        "pages": [["a run", [0.4, 0.25], [1.5, 1.25]], ["the rack", [1.0, 0.75], None]],
        "filter": ["failed results of a run", 0.05, 1.1],
    },
    "server": {
        **MADE,
        "rounds": 3,
        "seconds": 2.0,
        "connections": 32,
        "missing": ["etcd"],
        "requests": [["bare ASGI", 20000.4, 1.5, 3.0, 30000, 1.0, 2.0], ["ours", 12000, 2.5, 10.0, 15000, 2.0, 4.0]],
        "listeners": 1000,
        "reached": [["ours", 12.0, 30.0, 31.25]],
        "calls": [["get, direct", 0.25, 0.5]],
    },
    "group": {
        **MADE,
        "rounds": 3,
        "parts": 8,
        "hosts": 32,
        "steps": 20,
        "rows": [
            ["one", "one controller", 20.0, 10.0, 5.0],
            ["parts", "8 parts", 25.0, 15.0, 5.0],
            ["one_wide", "one controller, a wide step", 30.0, 20.0, 5.5],
            ["parts_wide", "8 parts that meet at a server, a wide step", 30.0, 40.0, 5.5],
        ],
    },
}


def lines(name: str, **other: Any) -> list[str]:
    """The lines of a part, with other figures."""
    return stored_sections.SECTIONS[name]({**FIGURES[name], **other}).splitlines()


def test_of_commands_each_has_a_line_with_its_goal():
    found = lines("results")
    assert found[0] == "## Reports and analysis"
    assert "100,000 results" in found[2]
    assert found[-3:] == [
        "| show | 1.50 | 2, reached |",
        "| report --format html | 6.25 | 6, **not reached** |",
        "| report --format csv | 3.00 |  |",
    ]


def test_a_page_that_is_slower_than_its_goal_is_said():
    slow = lines("pages", pages=[["a run", [1.01, 0.9], None]], filter=["failed results", 0.2, 1.0])
    assert slow[-2:] == [
        "- every page is painted within 1 s: 1.01 s (a run), **not reached**",
        "- results are filtered within 0.1 s: 0.200 s, **not reached**",
    ]


@pytest.mark.parametrize("name", stored_sections.SECTIONS)
def test_the_page_has_what_was_written_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
):
    monkeypatch.setattr(stored_sections, "DOCS", tmp_path)
    stored_sections.show(name, FIGURES[name], write=False)
    assert stored_sections.stored(name) == ""
    stored_sections.show(name, FIGURES[name], write=True)
    assert json.loads((tmp_path / f"{name}.json").read_text()) == FIGURES[name]
    assert capsys.readouterr().out == 2 * stored_sections.stored(name)
