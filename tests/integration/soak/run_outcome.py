# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of a run, without what differs from run to run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STORE = Path(".rack-recipes/results.db")
STEPS = """
    SELECT host, step, verdict, reason, tries, parent FROM steps WHERE run_id = ? ORDER BY host, step
"""
HISTORY = """
    SELECT host, step, attempt, "key", version, based_on, "before", after, who FROM context WHERE run_id = ?
    ORDER BY host, seq
"""
MEASURED = """
    SELECT host, step, name, value, text, unit, limits, distance, verdict FROM measurements WHERE run_id = ?
    ORDER BY host, step, n
"""


@dataclass(frozen=True)
class Outcome:
    """The exit code, and the rows of a run in the store; the history of each host in its order."""

    code: int
    counts: dict[str, int]
    steps: list[tuple[Any, ...]]
    history: list[tuple[Any, ...]]
    measured: list[tuple[Any, ...]]


def outcome(code: int, answer: dict[str, Any]) -> Outcome:
    """Return the outcome of the run that a command has answered with."""
    with closing(sqlite3.connect(STORE)) as store:
        rows = [store.execute(question, [answer["run_id"]]).fetchall() for question in (STEPS, HISTORY, MEASURED)]
    return Outcome(code, answer["counts"], *rows)
