# SPDX-License-Identifier: GPL-3.0-or-later

"""Help for tests that break databases: a run that waits in its middle, and the content of its store."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

from call_rack_recipes import COMMAND, Done, environment, rack_recipes, run_recipe, shell, write_recipe
from rack_recipes.errors import StoreError
from rack_recipes.journal.reader import JournalReader
from rack_recipes.store.database_engine import connect_for_reading, connect_store
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.schema.tables import tables

RUNS = Path(".rack-recipes/runs")
LIMIT = 120.0  # seconds for anything that must come to pass
SOON = {"RACK_RECIPES_FLUSH_INTERVAL": 0.2, "RACK_RECIPES_STORE_TIMEOUT": 60}
MANY = '''\
"""Many changes of the context."""

from hashlib import sha256

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Many(Scriptlet):
    """Sets keys, each to a text of a length."""

    options = {"keys": {"type": "int", "default": 50}, "length": {"type": "int", "default": 20}}

    def run(self, ctx, params):
        for number in range(params["keys"]):
            ctx.set(f"t.many{number}_v1", self.text(number, params["length"]))
            ctx.set("t.last_v1", number)
        ctx.measure("keys", params["keys"], "keys")

    def text(self, number, length):
        """A text that no database can make smaller."""
        parts = (sha256(f"{number} {part}".encode()).hexdigest() for part in range(length // 64 + 1))
        return f"{number} \u00e9' {''.join(parts)[:length]}"
'''

Rows = dict[str, Any]


def wait_for(holds: Callable[[], Any], what: str) -> Any:
    """Call a function until it returns something true, and return that."""
    deadline = time.monotonic() + LIMIT
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{what}: not within {LIMIT:g} s"
        time.sleep(0.15)
    return found


def gated(keys: int = 50, length: int = 20) -> str:
    """A recipe that waits in its middle until the file `open` is there."""
    scriptlet = Path("scriptlets/t/many.py")
    if not scriptlet.exists():  # a run that goes on may read it
        scriptlet.write_text(MANY)
    many = {"module": "t.many", "args": {"keys": keys, "length": length}}
    alone = [{"step": "first", "hosts": "all"}]  # a stage of its own, so that the first is told at once
    return write_recipe(
        [
            shell("first", "ok"),
            shell("gate", args={"path": str(Path("open").absolute())}, timeout=240, depends_on=alone),
            {"name": "many", **many, "depends_on": ["gate"], "success": {"ctx_has_keys": ["t.last_v1"]}},
            shell("fail", depends_on=["many"]),
        ],
        f"gated{keys}.yml",
    )


@dataclass
class Begun:
    """A run that goes on, with its store at `url`."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def run_id(self) -> str:
        return self.folder.name

    def kinds(self) -> list[str]:
        """Return the kinds of the journal's records so far; for a step its name."""
        records = [line.record for line in JournalReader(self.folder / "journal.jsonl").read() if line.record]
        return [record["step"] if record["kind"] == "step" else record["kind"] for record in records]

    def is_at_its_gate(self) -> bool:
        return "first" in self.kinds()

    def has_ended(self) -> bool:
        """Whether all steps have a result, so that only storing is left."""
        return "end" in self.kinds()

    def ends(self) -> Done:
        """How the command ended."""
        out, error = self.process.communicate(timeout=LIMIT)
        return Done(self.process.returncode, out, error)


@contextmanager
def begun(recipe: str, url: str, *options: str, **env: object) -> Iterator[Begun]:
    """Start a run. At the end of the block it is ended if it still runs."""
    known = set(RUNS.iterdir()) if RUNS.exists() else set()
    command = [sys.executable, "-c", COMMAND, "run", recipe, "--json", *options]
    around = environment(**SOON, RACK_RECIPES_DB=url) | {name: str(value) for name, value in env.items()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=around) as process:
        try:
            [folder] = wait_for(lambda: RUNS.exists() and set(RUNS.iterdir()) - known, "a run folder")
            wait_for((folder / "journal.jsonl").exists, "a journal")
            yield Begun(process, folder)
        finally:
            if process.poll() is None:
                process.terminate()


def open_gate() -> None:
    Path("open").touch()


def close_gate() -> None:
    Path("open").unlink(missing_ok=True)


def flush(run: str, url: str) -> Done:
    return rack_recipes("flush", run, "--json", RACK_RECIPES_DB=url)


TIMES = {"time", "started", "ended", "seconds", "run_id", "journal", "journal_offset", "clock_offset", "attempts"}
SPENT = {"user_sec", "system_sec", "max_rss_kib", "in_blocks", "out_blocks", "stderr", "controller", "inputs"}
LEFT_OUT = TIMES | SPENT | {"voluntary_switches", "involuntary_switches", "digest", "recipe", "options", "versions"}


def held(url: str, run_id: str) -> Rows:
    """Return the rows of a run in a store, without what differs from run to run."""
    store = connect_store(url)
    try:
        tables = (
            recorded_runs.steps,
            recorded_runs.history,
            recorded_runs.context,
            recorded_runs.measurements,
            recorded_runs.conflicts,
        )
        rows = {table.__name__: [*map(_plain, table(store, run_id))] for table in tables}
        return {"run": _plain(recorded_runs.run(store, run_id)), **rows}
    finally:
        store.dispose()


def _plain(row: Rows) -> Rows:
    return {name: value for name, value in row.items() if name not in LEFT_OUT}


def is_stored(url: str, run_id: str, step: str) -> bool:
    """Whether a step's row is there already; a store that cannot be read has none."""
    try:
        store = connect_for_reading(url, patience=0.0)
    except StoreError:
        return False
    try:
        return step in {row["step"] for row in recorded_runs.steps(store, run_id)}
    finally:
        store.dispose()


def rows_of(url: str) -> dict[str, int]:
    """How many rows each table has."""
    store = connect_for_reading(url)
    try:
        with store.connect() as connection:
            names = [table.name for table in tables().metadata.sorted_tables]
            return {name: connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in names}
    finally:
        store.dispose()


@cache
def undisturbed(keys: int = 50, length: int = 20) -> Rows:
    """Return the rows of an undisturbed run of the gated recipe."""
    open_gate()
    url = f"sqlite:///{Path('undisturbed.db').absolute()}"
    done = run_recipe(gated(keys, length), "--json", **SOON, RACK_RECIPES_DB=url)
    close_gate()
    assert done.code == 1, done.stdout + done.stderr
    found = held(url, done.answer["run_id"])
    verdicts = {step["step"]: step["verdict"] for step in found["steps"]}
    assert verdicts == {"first": "passed", "gate": "passed", "many": "passed", "fail": "failed"}
    return found


def store_url(request: pytest.FixtureRequest, kind: str, path: Path) -> Iterator[str]:
    """The URL of an empty store, of SQLite's in a file, or on a server that is left empty."""
    if kind == "sqlite":
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue(kind)
    yield server.url
    drop_tables(server.url)


def drop_tables(url: str) -> None:
    """Leave a server's database empty, as it was."""
    store = create_engine(url)
    with store.begin() as connection:
        is_mysql = store.dialect.name == "mysql"
        if is_mysql:
            connection.execute(text("SET foreign_key_checks = 0"))
        for table in inspect(connection).get_table_names():
            connection.execute(text(f"DROP TABLE {table}{'' if is_mysql else ' CASCADE'}"))
    store.dispose()
