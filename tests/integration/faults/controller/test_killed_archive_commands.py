# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands killed while they remove, compress or pack runs. Nothing is lost, and the next call finishes the work."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

import reliability_sweeps
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, end, run
from call_rack_recipes import COMMAND, environment, rack_recipes
from rack_recipes.journal.append import append
from rack_recipes.journal.compressed_journal import open_journal
from rack_recipes.run.run_folders import journals
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing.import_journal import import_journal

HOME = Path(".rack-recipes")
RUNS = HOME / "runs"
NAMES = [f"2026110{day}-120000-abcdef" for day in range(1, 5)]
CHANGES = 4000  # a run
COMMANDS = {
    "compress": ("prune", "--compress"),
    "remove": ("prune", "--keep", "1", "--store"),
    "export": ("export", NAMES[0], "--to", "pack.tar.gz"),
}


@pytest.fixture
def template(project: Path) -> Path:
    """Runs with journals that take a moment, stored; they are copied for each turn."""
    store = connect_store(f"sqlite:///{HOME}/results.db")
    for name in NAMES:
        changes = [delta(n, "r1", key=f"k{n % 50}_v1", after="x" * 300, based_on=n // 50) for n in range(1, CHANGES)]
        append(RUNS / name / "journal.jsonl", [run(name, time=f"{name[:4]}-11-{name[6:8]}"), *changes, end()])
        (RUNS / name / "lock").touch()
        import_journal(store, RUNS / name / "journal.jsonl")
    store.dispose()
    HOME.rename("template")
    return project / "template"


def fresh(template: Path) -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    for path in Path.cwd().glob("pack.tar.gz*"):
        path.unlink()
    shutil.copytree(template, HOME)


def contents() -> Mapping[str, str]:
    """The digest of each run's journal, in whatever form it is there."""
    found = {}
    for path in journals(RUNS):
        with open_journal(path) as journal:
            found[path.parent.name] = sha256(journal.read()).hexdigest()
    return found


def seconds(command: tuple[str, ...]) -> float:
    started = time.monotonic()
    done = rack_recipes(*command)
    assert done.code == 0, done.stderr
    return time.monotonic() - started


def is_killed(command: tuple[str, ...], after: float) -> bool:
    """Whether it still worked then."""
    words = [sys.executable, "-c", COMMAND, *command]
    child = subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        child.wait(after)
    except subprocess.TimeoutExpired:
        child.kill()
    return child.wait() == -signal.SIGKILL


LEFT_OVER = {
    "compress": lambda: [path for path in RUNS.rglob("journal.jsonl*") if path.suffix != ".gz"],
    "remove": lambda: [*RUNS.glob(".pruned/*")],
    "export": lambda: [*Path.cwd().glob(".pack*")],
}


def check(what: str, before: Mapping[str, str]) -> None:
    """What must hold whenever the command was killed, and after it was called again."""
    left = contents()
    assert left == {name: before[name] for name in left}
    if what != "remove":
        assert left == before
    if Path("pack.tar.gz").exists():  # the kill came too late
        assert rack_recipes("verify", "pack.tar.gz").code == 0
        return
    again = rack_recipes(*COMMANDS[what])
    assert again.code == 0, again.stderr
    assert contents() == {name: before[name] for name in (NAMES[-1:] if what == "remove" else NAMES)}
    assert sorted(path.name for path in RUNS.iterdir() if not path.name.startswith(".")) == sorted(contents())
    assert LEFT_OVER[what]() == []
    if what == "remove":
        assert [row["run_id"] for row in rack_recipes("runs", "--json").answer["runs"]] == NAMES[-1:]


def test_killed_at_any_moment(template: Path):
    chance = random.Random(reliability_sweeps.seed())
    longest = {}
    for what, command in COMMANDS.items():
        fresh(template)
        before = contents()
        longest[what] = seconds(command)
        assert LEFT_OVER[what]() == []
    with reliability_sweeps.sweep(
        "kill prune and export", "no journal is lost or half there, and the next call makes good"
    ) as made:
        killed = 0
        for turn in range(reliability_sweeps.count(3, 50)):
            what = [*COMMANDS][turn % len(COMMANDS)]
            fresh(template)
            killed += is_killed(COMMANDS[what], chance.uniform(0.3, 1) * longest[what])
            made.done += 1
            check(what, before)
            made.found = {"killed while it worked": killed, "journals lost": 0}
