# SPDX-License-Identifier: GPL-3.0-or-later

"""A context to serve, in a folder of the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rack_recipes.journal.append import append
from rack_recipes.server.live.key_operations import VALUE, WriteRequest
from rack_recipes.server.live.live_context import LiveContext, SecretValues, Written
from rack_recipes.settings import SECRET_KEYS

KEY = "numbers.stats_v1"


def begun(folder: Path, **fields: Any) -> Path:
    """A journal with a run record."""
    journal = folder / "journal.jsonl"
    append(journal, [{"kind": "run", "run": "R1", "time": "2026-11-29T00:00:00.000000Z", **fields}])
    return journal


def opened(journal: Path) -> LiveContext:
    """The context of a journal."""
    return LiveContext(journal, SecretValues(SECRET_KEYS))


def setting(value: Any, based_on: int | None = None, key: str = KEY, **fields: Any) -> WriteRequest:
    """A request to set a key of the run."""
    return WriteRequest(key, fields.pop("host", ""), VALUE, value, based_on, **fields)


def versions(outcomes: list[Any]) -> list[Any]:
    """The version that each write made, the kind of problem of one that failed, None for one to try again."""
    return [one.version if isinstance(one, Written) else one and one.kind for one in outcomes]
