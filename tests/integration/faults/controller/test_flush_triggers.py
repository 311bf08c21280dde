# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a run store its results while it goes on: an interval, deltas, a signal, a command, a step."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from broken_databases import Begun, begun, flush, gated, held, is_stored, open_gate, undisturbed, wait_for
from call_rack_recipes import environment, rack_recipes, results, run_recipe, shell, write_recipe
from rack_recipes.errors import RackError

SELDOM = {"RACK_RECIPES_FLUSH_INTERVAL": 3600}


@pytest.fixture
def url(steps: Path) -> str:
    return f"sqlite:///{steps}/store/results.db"


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


def staged(folder: Path) -> str:
    """A recipe of three steps, each in a stage of its own and with a gate behind it."""
    steps: list[dict[str, Any]] = []
    for number in (1, 2, 3):
        path = {"path": str(folder / f"open{number}")}
        for step in (shell(f"step{number}", "ok"), shell(f"gate{number}", "gate", args=path, timeout=240)):
            before = [{"step": steps[-1]["name"], "hosts": "all"}] if steps else []
            steps.append({**step, "depends_on": before})
    return write_recipe(steps)


def test_when_it_is_asked(steps: Path, url: str):
    """By a signal to the command, by one to Ansible, and by another command, which then finds nothing more to do."""

    def signal_to_ansible() -> None:
        pid = run.process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), signal.SIGUSR1)

    def command() -> None:
        assert flush(run.run_id, url).answer["rows"] > 0
        assert is_stored(url, run.run_id, "step3")
        wait_for(lambda: flush(run.run_id, url).answer["rows"] == 0, "the store holds all of the journal")

    with begun(staged(steps), url, **SELDOM) as run:
        asked = (lambda: run.process.send_signal(signal.SIGUSR1), signal_to_ansible, command)
        for number, ask in enumerate(asked, 1):
            wait_for(lambda step=f"step{number}": step in run.kinds(), "the step ends")
            assert not is_stored(url, run.run_id, f"step{number}")
            ask()
            wait_for(lambda step=f"step{number}": is_stored(url, run.run_id, step), "the step is stored")
            (steps / f"open{number}").touch()
        done = run.ends()
    assert done.code == 0, done.stderr
    other = f"sqlite:///{steps}/other.db"
    assert flush(run.run_id, other).code == 0
    assert held(url, run.run_id) == held(other, run.run_id)


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
    done = run_recipe(
        [shell("ok"), CHECKPOINT], "--json", RACK_RECIPES_DB=f"sqlite:///{steps}/folder", RACK_RECIPES_STORE_TIMEOUT=2
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
    try:
        return {step: verdict for (step, _host), verdict in results().verdicts().items()}
    except RackError:
        return {}
