# SPDX-License-Identifier: GPL-3.0-or-later

"""Records as the recorder and the stage action write them, for the tests of journal, context and store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

TIME = "2026-11-25T12:00:00.123456Z"
STARTED = "2026-11-25T12:00:01.000001Z"
ENDED = "2026-11-25T12:30:00.654321Z"

Record = dict[str, Any]


def run(run_id: str = "R1", hosts: tuple[str, ...] = ("r1", "r2"), **fields: Any) -> Record:
    return {
        "kind": "run",
        "run": run_id,
        "time": TIME,
        "recipe": {
            "path": "recipes/numbers.yml",
            "digest": "sha256:00ff",
            "test_id": "T-17",
            "tester": "Zoë",
            "description": "100 % of the \\ 'numbers'",
        },
        "hosts": list(hosts),
        "steps": [{"name": "compute", "stage": 1, "idx": 7, "scope": "host", "hosts": list(hosts)}],
        "controller": "lab-1",
        "user": "zoe",
        "versions": {"rack.recipes": "0.1.0", "python": "3.13.5"},
        **fields,
    }


def delta(n: int = 1, host: str = "r1", **fields: Any) -> Record:
    return {
        "kind": "delta",
        "stage": 1,
        "n": n,
        "host": host,
        "step": "compute",
        "attempt": 1,
        "scope": "host",
        "key": "numbers.stats_v1",
        "after": {"mean": 2.5},
        "based_on": 0,
        "who": "compute",
        "time": TIME,
        **fields,
    }


def attempt(**fields: Any) -> Record:
    return {
        "verdict": "passed",
        "reason": "",
        "started": STARTED,
        "seconds": 0.01,
        "exit_code": 0,
        "signal": 0,
        "user_sec": 0.008,
        "system_sec": 0.002,
        "max_rss_kib": 12000,
        "in_blocks": 0,
        "out_blocks": 8,
        "voluntary_switches": 3,
        "involuntary_switches": 1,
        "stdout": "out\n",
        "stderr": "",
        **fields,
    }


def step(n: int = 2, host: str = "r1", **fields: Any) -> Record:
    return {
        "kind": "step",
        "stage": 1,
        "n": n,
        "host": host,
        "step": "compute",
        "verdict": "passed",
        "reason": "",
        "started": STARTED,
        "seconds": 0.0123,
        "attempts": [attempt()],
        "measurements": [{"name": "rx_errors", "value": 12, "unit": "frames"}],
        **fields,
    }


def end(**fields: Any) -> Record:
    return {"kind": "end", "time": ENDED, "status": "passed", "exit_code": 0, "counts": {"passed": 2}, **fields}


def whole_run(run_id: str = "R1", hosts: int = 2, steps: int = 3) -> list[Record]:
    """A run from its start to its end: in each step each host sets a key of its own, and one that it sets again."""
    names = tuple(f"r{number}" for number in range(1, hosts + 1))
    return [run(run_id, names), *(record for host in names for record in _of_host(host, steps)), end()]


def _of_host(host: str, steps: int) -> Iterator[Record]:
    for number in range(steps):
        name, n = f"step{number}", 3 * number + 1
        yield delta(n, host, step=name, who=name, key=f"of.step{number}_v1", after=[number, "ü", None])
        yield delta(n + 1, host, step=name, who=name, key="of.all_v1", after=number, based_on=number)
        yield step(n + 2, host, step=name)
