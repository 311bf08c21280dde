# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the memory of a run's context: of a live key, and of further versions of it.

    python tests/bench/context_memory.py [DELTAS [KEYS]]

It changes the same keys again and again, and folds the changes as the recorder does, from records that were read as
JSON. Goals: at most 400 bytes for a live key in addition to the text of its value, and nothing for further versions.
"""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass

from rack_recipes.context.run_context import Context
from rack_recipes.journal.record_fields import json_text

HOSTS = 10
TIME = "2026-11-25T12:00:00.123456Z"
MOST = 400  # bytes a live key beside the text of its value
ALLOWANCE = 64 * 1024  # bytes by which tables may grow on the way, whatever the number of versions


@dataclass(frozen=True)
class Figures:
    """`a_key` is in bytes beside the value's text, `growth` in bytes for all versions after the first of each key."""

    deltas: int
    keys: int
    a_key: float
    growth: int
    seconds: float


def lines(deltas: int, keys: int) -> Iterator[str]:
    """Yield changes as a journal has them: each key again and again, of a few hosts."""
    names = [f"power.psu{number}.limits_v1" for number in range(keys // HOSTS)]
    for number in range(deltas):
        version, place = divmod(number, len(names) * HOSTS)
        key, host = divmod(place, HOSTS)
        record = {
            "kind": "delta",
            "stage": 1,
            "n": number // HOSTS % 2**24,
            "host": f"rack-{host:04}",
            "step": "set_limits",
            "attempt": 1,
            "scope": "host",
            "key": names[key],
            "after": value(version),
            "based_on": version,
            "who": "set_limits",
            "time": TIME,
        }
        yield json.dumps(record)


def value(version: int) -> dict[str, object]:
    """A value whose text has the same length in every version."""
    return {"version": f"{version:09}", "watts": [100, 200, 300], "note": "as the operator has set it"}


def measure(deltas: int, keys: int) -> Figures:
    """Fold this number of changes of this number of live keys."""
    context = Context("R1")
    live = keys // HOSTS * HOSTS
    started = time.monotonic()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        held = 0
        for number, line in enumerate(lines(deltas, keys), start=1):
            context.fold(json.loads(line))
            if number == live:
                held = tracemalloc.get_traced_memory()[0]
        growth = tracemalloc.get_traced_memory()[0] - held
    finally:
        tracemalloc.stop()
    beside = (held - before) / live - len(json_text(value(0)))
    return Figures(context.seq, live, round(beside, 1), growth, round(time.monotonic() - started, 1))


def main(deltas: int = 1_000_000, keys: int = 1_000) -> None:
    """Measure and tell."""
    found = measure(deltas, keys)
    print(f"{found.deltas:,} deltas of {found.keys:,} live keys in {found.seconds:,} s (with the tracing of memory)")
    print(f"a live key: {found.a_key} bytes beside its value's text, at most {MOST}")
    print(f"all further versions: {found.growth:,} bytes, at most {ALLOWANCE:,}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
