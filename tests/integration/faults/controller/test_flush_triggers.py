# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a run store its results while it goes on: an interval, deltas, a signal, a command, a step."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broken_databases import Begun, begun, flush, gated, held, is_stored, open_gate, undisturbed, wait_for
from call_rack_recipes import environment, rack_recipes, results, shell, write_recipe

SELDOM = {"RACK_RECIPES_FLUSH_INTERVAL": 3600}


@pytest.fixture
def url(steps: Path) -> str:
    return f"sqlite:///{steps}/store/results.db"


@pytest.fixture
def seldom(url: str) -> Iterator[Begun]:
    """A run at its gate that flushes at its end only, unless it is asked."""
    with begun(gated(), url, **SELDOM) as run:
        wait_for(run.is_at_its_gate, "the first step ends")
        assert not is_stored(url, run.run_id, "first")
        yield run


def ends_well(run: Begun, url: str) -> None:
    open_gate()
    done = run.ends()
    assert done.code == 1, done.stderr
    assert held(url, run.run_id) == undisturbed()


def test_at_an_interval(url: str):
    with begun(gated(), url) as run:
        wait_for(lambda: is_stored(url, run.run_id, "first"), "the first step is stored")
        ends_well(run, url)


def test_at_once(url: str):
    with begun(gated(), url, "--flush-now", **SELDOM) as run:
        wait_for(lambda: is_stored(url, run.run_id, "first"), "the first step is stored")
        ends_well(run, url)


def test_after_so_many_deltas(url: str):
    with begun(gated(), url, **SELDOM, RACK_RECIPES_FLUSH_DELTAS=1) as run:
        wait_for(lambda: is_stored(url, run.run_id, "first"), "the first step is stored")
        ends_well(run, url)


def test_by_a_signal_to_the_command(seldom: Begun, url: str):
    seldom.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: is_stored(url, seldom.run_id, "first"), "the first step is stored")
    ends_well(seldom, url)


def test_by_a_signal_to_ansible(seldom: Begun, url: str):
    pid = seldom.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGUSR1)
    wait_for(lambda: is_stored(url, seldom.run_id, "first"), "the first step is stored")
    ends_well(seldom, url)


def test_by_the_command_flush(seldom: Begun, url: str):
    """The command brings in what the journal holds, and finds nothing to do once the journal has nothing new."""
    assert flush(seldom.run_id, url).answer["rows"] > 0
    assert is_stored(url, seldom.run_id, "first")
    wait_for(lambda: flush(seldom.run_id, url).answer["rows"] == 0, "the store holds all of the journal")
    ends_well(seldom, url)


CHECKPOINT: dict[str, Any] = {
    "name": "checkpoint",
    "type": "ansible",
    "module": "rack.recipes.flush",
    "scope": "run",
    "depends_on": ["ok"],
}


def test_at_a_checkpoint_of_the_recipe(steps: Path):
    gate = shell("gate", args={"path": str(steps / "open")}, timeout=240, depends_on=["checkpoint"])
    store = f"sqlite:///{steps}/store/results.db"
    recipe = write_recipe([shell("ok"), CHECKPOINT, gate])
    with begun(recipe, store, **SELDOM) as run:
        wait_for(lambda: "checkpoint" in run.kinds(), "the checkpoint ends")
        assert is_stored(store, run.run_id, "ok")
        open_gate()
        done = run.ends()
    assert done.code == 0, done.stderr
    assert results(run.run_id, RACK_RECIPES_DB=store).verdicts() == {
        ("ok", "localhost"): "passed",
        ("checkpoint", ""): "passed",
        ("gate", "localhost"): "passed",
    }


def test_a_checkpoint_of_the_recipe_that_fails_says_why(steps: Path):
    (steps / "folder").mkdir()
    done = rack_recipes(
        "run",
        write_recipe([shell("ok"), CHECKPOINT]),
        "--json",
        RACK_RECIPES_DB=f"sqlite:///{steps}/folder",
        RACK_RECIPES_STORE_TIMEOUT=2,
    )
    assert done.code == 5
    run_id = done.answer["run_id"]
    store = f"sqlite:///{steps}/results.db"
    assert flush(run_id, store).code == 0
    checkpoint = results(run_id, RACK_RECIPES_DB=store).steps["checkpoint", ""]
    assert checkpoint["verdict"] == "failed"
    assert "the results are not in the store: " in checkpoint["reason"]


def test_at_a_checkpoint_of_the_playbook(steps: Path):
    """Between two stages it stores what there is; a step to come has no verdict yet, and gets its own."""
    gate = shell("gate", args={"path": str(steps / "open")}, timeout=240)
    recipe = write_recipe([shell("ok"), {**gate, "depends_on": [{"step": "ok", "hosts": "all"}]}])
    before, second, behind = rack_recipes("compile", recipe).stdout.partition("    - name: Stage 2")
    flushing = "    - name: Checkpoint\n      rack.recipes.flush:\n      run_once: true\n      delegate_to: localhost\n"
    Path("play.yml").write_text(f"{before}{flushing}{second}{behind}")
    command = ("ansible-playbook", "-i", "localhost,", "-c", "local", "play.yml")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment(**SELDOM)) as running:
        wait_for(lambda: stored_steps() == {"ok": "passed"}, "the first step is stored")
        open_gate()
        assert running.wait(180) == 0
    assert stored_steps() == {"ok": "passed", "gate": "passed"}


def stored_steps() -> dict[str, str]:
    """The verdicts in the project's store, none where it is not there yet."""
    shown = rack_recipes("show", "--json")
    return {step["step"]: step["verdict"] for step in shown.answer["steps"]} if shown.code == 0 else {}
