# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the context server and the live bus beside others, and write the figures for docs/performance.md.

    python tests/bench/server_speed.py [--seconds 3] [--rounds 5] [--listeners 1000] [--keys 1000000] [--only PART]

It runs `server_writes.py`, `server_listeners.py`, `server_readers.py` (one round) and `live_calls.py`. With `--write`
the figures go into docs/server.json. The page of the fleet benchmark shows them, which is written after this. etcd and
Valkey take part where they are installed: apt-get install etcd-server valkey-server.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.rack.recipes.tests.bench import live_calls, server_listeners, server_readers, server_writes
from ansible_collections.rack.recipes.tests.bench.fleet.page import stored_sections

CONNECTIONS = 32
CHANGES = 20
CALLS = 500
PARTS = ("requests", "reached", "readers", "calls")
READ = 10.0  # seconds beside each kind of reader


def measured(seconds: float, rounds: int, listeners: int, keys: int, only: Collection[str] = PARTS) -> dict[str, Any]:
    """The figures, or some parts of them; times are milliseconds."""
    measure: Mapping[str, Callable[[], Iterable[tuple[str, Sequence[float]]]]] = {
        "requests": lambda: server_writes.medians(CONNECTIONS, seconds, rounds).items(),
        "reached": lambda: server_listeners.medians(listeners, CHANGES, rounds).items(),
        "readers": lambda: server_readers.medians(keys, READ, 1).items(),
        "calls": lambda: ((", ".join(place), found) for place, found in live_calls.medians(CALLS, rounds).items()),
    }
    return {
        **stored_sections.about(
            rounds=rounds, seconds=seconds, connections=CONNECTIONS, listeners=listeners, keys=keys
        ),
        "missing": [name for name, command in server_writes.NEEDED.items() if not shutil.which(command)],
        **{part: _rows(measure[part]()) for part in PARTS if part in only},
    }


def _rows(found: Iterable[tuple[str, Sequence[float]]]) -> list[list[Any]]:
    return [[name, *(round(figure, 2) for figure in figures)] for name, figures in found]


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print the figures, and write them where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="of writes, and of reads, in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--listeners", type=int, default=1000)
    parser.add_argument("--keys", type=int, default=1_000_000, help="of the context that greedy readers read")
    parser.add_argument("--only", choices=PARTS, help="print the figures of one part")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(words)
    sizes = (options.seconds, options.rounds, options.listeners, options.keys)
    if options.only:
        print(*measured(*sizes, {options.only})[options.only], sep="\n")
        return
    figures = measured(*sizes)
    stored_sections.show("server", figures, write=options.write)


if __name__ == "__main__":
    main()
