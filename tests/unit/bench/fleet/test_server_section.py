# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible_collections.rack.recipes.tests.bench.fleet.page import server_section

FIGURES = {
    "made": "2026-11-29T06:00:00+00:00",
    "cores": 2,
    "load": 0.4,
    "rounds": 3,
    "seconds": 2.0,
    "connections": 32,
    "missing": ["etcd"],
    "requests": [["bare ASGI", 20000.4, 1.5, 3.0, 30000, 1.0, 2.0], ["ours", 12000, 2.5, 10.0, 15000, 2.0, 4.0]],
    "listeners": 1000,
    "reached": [["ours", 12.0, 30.0, 31.25]],
    "calls": [["get, direct", 0.25, 0.5]],
}


def test_each_figure_has_its_place():
    text = server_section.section(FIGURES)
    assert text.startswith("## Context server\n")
    lines = text.splitlines()
    assert "| bare ASGI | 20,000 | 1.50 | 3.00 | 30,000 | 1.00 | 2.00 |" in lines
    assert "| a change for 1,000 listeners | p50 ms | p99 ms | last ms |" in lines
    assert "| --- | --- | --- | --- |" in lines
    assert "| ours | 12.0 | 30.0 | 31.2 |" in lines
    assert "| get, direct | 0.25 | 0.50 |" in lines
    assert "Not installed, so not measured: etcd." in text


def test_goals():
    assert server_section.section(FIGURES).splitlines()[-3:] == [
        "- at least 10,000 writes a second: 12,000, reached",
        "- at p99 under 10 ms: 10.00 ms, **not reached**",
        "- listeners reached within 30 ms: 30.0 ms for 99 in 100, reached",
    ]


def test_the_page_has_what_was_written_last(tmp_path, monkeypatch):
    monkeypatch.setattr(server_section, "FIGURES", tmp_path / "server.json")
    assert server_section.stored_section() == ""
    server_section.FIGURES.write_text(json.dumps(FIGURES))
    assert server_section.stored_section() == server_section.section(FIGURES)
