# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the context server and the live bus beside others, and write the figures for docs/performance.md.

    python tests/bench/server_speed.py [--seconds 3] [--rounds 5] [--listeners 1000] [--keys 1000000] [--write]

It runs `server_writes.py`, `server_listeners.py`, `server_readers.py` (one round) and `live_calls.py`. With `--write`
the figures go into docs/server.json. The page of the fleet benchmark shows them, which is written after this. etcd and
Valkey take part where they are installed: apt-get install etcd-server valkey-server.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.rack.recipes.tests.bench import live_calls, server_listeners, server_readers, server_writes
from ansible_collections.rack.recipes.tests.bench.fleet.page import stored_sections

CONNECTIONS = 32
CHANGES = 20
CALLS = 500
READ = 10.0  # seconds beside each kind of reader


def measured(seconds: float, rounds: int, listeners: int, keys: int) -> dict[str, Any]:
    """The figures; times are milliseconds."""
    return {
        **stored_sections.about(rounds=rounds),
        "seconds": seconds,
        "connections": CONNECTIONS,
        "missing": [name for name, command in server_writes.NEEDED.items() if not shutil.which(command)],
        "requests": _rows(server_writes.medians(CONNECTIONS, seconds, rounds).items()),
        "listeners": listeners,
        "reached": _rows(server_listeners.medians(listeners, CHANGES, rounds).items()),
        "keys": keys,
        "readers": _rows(server_readers.medians(keys, READ, 1).items()),
        "calls": _rows((", ".join(place), found) for place, found in live_calls.medians(CALLS, rounds).items()),
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
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(words)
    figures = measured(options.seconds, options.rounds, options.listeners, options.keys)
    stored_sections.show("server", figures, write=options.write)


if __name__ == "__main__":
    main()
