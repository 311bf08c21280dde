# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs and their records, as small as possible."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from rack_recipes.context.run_context import Context
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.record_fields import RunStep
from rack_recipes.run.current_run import RUN_HOST, Run, RunInputs
from rack_recipes.settings import Settings
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing.import_journal import import_journal

TIME = "2026-11-25T12:00:00.000000Z"
HOSTS = ("r1", "r2")
TASK = "the id of a stage task that was there when the run began"
Record = dict[str, Any]


def first(*steps: RunStep, hosts: tuple[str, ...] = HOSTS, run_id: str = "R1") -> Record:
    entries = [each.to_record() for each in steps]
    return {"kind": "run", "run": run_id, "time": TIME, "recipe": {}, "hosts": [*hosts], "steps": entries}


def step(name: str, host: str, verdict: str = "passed", n: int = 1, reason: str = "", **fields: Any) -> Record:
    head = {"kind": "step", "stage": 1, "n": n, "host": host, "step": name, "verdict": verdict, "reason": reason}
    return {**head, "started": TIME, "seconds": 0.5, "attempts": [], "measurements": [], **fields}


def delta(key: str, after: Any, host: str = "r1", n: int = 1, scope: str = "host", based_on: int = 0) -> Record:
    head = {"kind": "delta", "stage": 1, "n": n, "host": host, "step": "a", "attempt": 1, "scope": scope, "key": key}
    return {**head, "after": after, "based_on": based_on, "who": "a", "time": TIME}


def artifact(data: bytes, host: str = "r1", n: int = 1, **fields: Any) -> Record:
    head = {"kind": "artifact", "stage": 1, "n": n, "host": host, "step": "a", "attempt": 1, "name": "a.log"}
    about = {"sha256": sha256(data).hexdigest(), "size": len(data), "media_type": "", "who": "a", "time": TIME}
    return {**head, **about, **fields}


def end(status: str = "passed", exit_code: int = 0, **counts: int) -> Record:
    return {"kind": "end", "time": TIME, "status": status, "exit_code": exit_code, "counts": counts}


def log(event: str, text: str, host: str = "r1") -> Record:
    head = {"kind": "log", "stage": 1, "n": 0, "host": host, "step": "a", "attempt": 1, "time": TIME}
    return {**head, "event": event, "text": text}


def planned(name: str, *hosts: str, stage: int = 1, **fields: Any) -> RunStep:
    return RunStep(name, stage, 1, "run" if hosts == (RUN_HOST,) else "host", hosts or HOSTS, **fields)


def a_run(
    folder: Path, *steps: RunStep, hosts: tuple[str, ...] = HOSTS, inputs: RunInputs | None = None, **settings: Any
) -> Run:
    """A run with a journal that holds its first record."""
    found = {each.name: each for each in steps}
    where = folder / "R1"
    journal = JournalReader(where / "journal.jsonl")
    run = Run(
        "R1",
        where,
        Settings(**settings),
        hosts,
        found,
        Context("R1"),
        journal,
        inputs or RunInputs(),
        stages=frozenset({TASK}),
    )
    append(run.path, [first(*steps, hosts=hosts)])
    return run


def store(db: str, journal: Path) -> None:
    """Bring a journal into the store."""
    opened = connect_store(db)
    import_journal(opened, journal)
    opened.dispose()
