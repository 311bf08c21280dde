# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call

INVENTORY = "all: {hosts: {leaf1: {}, leaf2: {}, leaf9: {}}}\n"


@pytest.fixture(autouse=True)
def _runs(stored: Path) -> None:
    """Two runs of one test are stored."""
    Path("hosts.yml").write_text(INVENTORY)


def test_the_table_and_the_hosts_without_a_run():
    lines = call("coverage", "-i", "hosts.yml").out.splitlines()
    assert lines[0] == "BURN: the last 2 runs"
    assert lines[1].split("  ")[0] == "step"
    assert lines[-1] == "hosts of the inventory that no run had: leaf9"


def test_the_same_as_json():
    answer = call("coverage", "-i", "hosts.yml", "--test", "BURN", "--last", "1", "--json").answer
    assert (answer["test_id"], len(answer["runs"]), answer["hosts_without_run"]) == ("BURN", 1, ["leaf9"])
    steps = {one["step"]: one for one in answer["steps"]}
    assert {*answer["never_failed"]} == {name for name, one in steps.items() if one["results"] and not one["failed"]}
    assert {*answer["without_criterion"]} == {
        name for name, one in steps.items() if one["results"] and not one["checks"]
    }


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--test", "gone"), "there are no runs of the test 'gone' in the store"),
        (("--last", "0"), "rack-recipes coverage: --last: expected a number of runs above 0, got 0"),
    ],
)
def test_what_is_wrong(words: tuple[str, ...], reason: str):
    done = call("coverage", *words, "--json")
    assert (done.code, done.answer["reason"]) == (2, reason)
