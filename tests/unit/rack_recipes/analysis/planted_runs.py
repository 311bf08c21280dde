# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs as rows of the store, made from a few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import RunData

NO_HISTORY = History(None, RunData({"run_id": "R"}))  # type: ignore[arg-type]


def names(first: str, last: int) -> list[str]:
    """`r1` and 3 are r1, r2 and r3."""
    return [f"{first[:-1]}{number}" for number in range(int(first[-1]), last + 1)]


def step_row(host: str, step: str, verdict: str = "passed", **fields: Any) -> dict[str, Any]:
    base = {"host": host, "step": step, "verdict": verdict, "reason": "", "parent": None, "instances": None}
    return {**base, "through": None, "inputs": None, "flake": False, "attempts": [], **fields}


def context_row(host: str, key: str, value: Any, step: str = "learn") -> dict[str, Any]:
    return {"host": host, "key": key, "value": value, "step": step}


def run_of(
    hosts: Mapping[str, Mapping[str, Any]],
    steps: Iterable[str],
    others: Mapping[str, Mapping[str, Iterable[str]]],
    **rows: Any,
) -> RunData:
    """A run of all `steps` on all `hosts`, by their attributes; `others` has by verdict and step the hosts.

    All that is not there has passed. An entry `host: reason` has a reason.
    """
    given = {
        (place.partition(": ")[0], step): (verdict, place.partition(": ")[2])
        for verdict, of_steps in others.items()
        for step, places in of_steps.items()
        for place in places
    }
    found = []
    for step in steps:
        for host in hosts:
            verdict, reason = given.get((host, step), ("passed", ""))
            found.append(step_row(host, step, verdict, reason=reason))
    return RunData({"run_id": "R"}, steps=found, attributes=hosts, **rows)
