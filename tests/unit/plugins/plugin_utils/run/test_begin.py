# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import platform
from pathlib import Path

import ansible.release
import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.follow import Follower
from ansible_collections.rack.recipes.plugins.plugin_utils.run.begin import begin, stage_tasks
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import Planned
from ansible_collections.rack.recipes.plugins.plugin_utils.settings import Settings
from ansible_collections.rack.recipes.plugins.plugin_utils.version import VERSION
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.run.plays import ABOUT, GROUPS, play, task


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    """The run folders are in it."""


def test_the_stage_tasks_of_a_play_in_all_its_blocks():
    stages = [task(1, {"name": "a"}), task(2, {"name": "b"})]
    assert stage_tasks(play(stages[0], task(0, action="ansible.builtin.debug"), stages[1])) == stages
    assert stage_tasks(play()) == []


def test_a_run_begins_with_its_plan_and_its_hosts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_RUN_ID", "R7")
    stages = (
        task(1, {"name": "a", "idx": 3}, {"name": "b", "hosts": "odd"}),
        task(2, {"name": "total", "idx": 9, "scope": "run"}),
    )
    run = begin(play(*stages), Settings(runs="kept"), GROUPS.__getitem__)
    assert run.steps == {
        "a": Planned("a", 1, 3, "host", ("r1", "r2", "r3")),
        "b": Planned("b", 1, 0, "host", ("r1", "r3")),
        "total": Planned("total", 2, 9, "run", ("",)),
    }
    assert (run.run_id, run.hosts, run.path) == ("R7", GROUPS["all"], Path("kept/R7/journal.jsonl"))
    assert Path("kept/R7").stat().st_mode & 0o777 == 0o700
    [first] = [line.record for line in Follower(run.path).read()]
    assert first
    assert first["recipe"] == ABOUT
    assert first["hosts"] == ["r1", "r2", "r3"]
    assert first["steps"][1] == {"name": "b", "stage": 1, "idx": 0, "scope": "host", "hosts": ["r1", "r3"]}
    assert first["versions"] == {
        "rack.recipes": VERSION,
        "ansible-core": ansible.release.__version__,
        "python": platform.python_version(),
    }
    assert first["controller"]
    assert first["user"]


@pytest.mark.parametrize(
    ("hosts", "of_step", "text"),
    [
        ("none", None, "no host matches 'none' here, see the inventory and --limit"),
        ("odd", "none", "step a: no host of this run matches 'none'"),
    ],
)
def test_nothing_to_run_on(hosts: str, of_step: str | None, text: str):
    with pytest.raises(UsageError) as caught:
        begin(play(task(1, {"name": "a", "hosts": of_step}), hosts=hosts), Settings(), GROUPS.__getitem__)
    assert str(caught.value) == text
    assert not Path(".rack-recipes").exists()
