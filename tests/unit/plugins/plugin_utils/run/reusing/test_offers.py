# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.run.reusing.earlier import Earlier
from ansible_collections.rack.recipes.plugins.plugin_utils.run.reusing.offers import Reusable
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.run.journals import first, planned, step

CACHED = {"run": "R9", "inputs": "sha256:1", "verdict": "passed", "kind": "cache", "records": []}


def test_without_anything_nothing_is_offered():
    assert Reusable().offers(["a"], "r1") == {}


def test_the_earlier_run_comes_first_and_steps_without_offers_are_left_out(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    append(path, [first(planned("a"), planned("b")), step("a", "r1", inputs="sha256:0")])
    earlier = Earlier(path)
    earlier.catch_up()
    found = Reusable(earlier, {("a", "r1"): [CACHED], ("b", "r2"): [CACHED]}).offers(["a", "b"], "r1")
    assert [(name, [offer["kind"] for offer in offers]) for name, offers in found.items()] == [
        ("a", ["resume", "cache"])
    ]
