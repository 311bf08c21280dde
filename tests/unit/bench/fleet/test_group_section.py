# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the page about runs in several parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.bench.fleet.page import group_section

FIGURES = {
    "made": "2026-11-29T06:00:00+00:00",
    "cores": 2,
    "load": 0.4,
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
}


def test_each_figure_has_its_place():
    lines = group_section.section(FIGURES).splitlines()
    assert lines[0] == "## A run in several parts"
    assert ": 256 hosts x 20 steps, by one controller, and by 8 that each have 32 hosts" in lines[2]
    assert "| one controller | 20.00 | 10.00 | 5.00 |" in lines
    assert "| 8 parts that meet at a server, a wide step | 30.00 | 40.00 | 5.50 |" in lines
    assert lines[-2:] == [
        "- 8 parts beside one controller: 1.25 times the time, 1.50 times the CPU",
        "- 8 parts beside one controller (a wide step): 1.00 times the time, 2.00 times the CPU",
    ]


def test_the_page_has_what_was_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(group_section, "FIGURES", tmp_path / "group.json")
    assert group_section.stored_section() == ""
    group_section.FIGURES.write_text(json.dumps(FIGURES))
    assert group_section.stored_section() == group_section.section(FIGURES)
