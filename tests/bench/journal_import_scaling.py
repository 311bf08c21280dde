# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how time and memory of storing a journal grow with the number of hosts and of changes.

    python tests/bench/journal_import_scaling.py [HOSTS [ROUNDS]]

It stores a journal of HOSTS (100) hosts, one of ten times as many hosts, and one with ten times as many changes of the
same keys. Each goes into an empty store by a process of its own, in turn. The output has medians. The time includes
opening the store. The memory is what is used in addition to that. Goals: at most 11 times the time for ten times the
hosts, and for more changes no more memory than one batch needs.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.append(str(Path(__file__).parents[1] / "rack"))

from database_servers import MariaDB, PostgreSQL
from rack_recipes.journal.append import append
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing.import_journal import import_journal

STEPS, KEYS = 30, 3  # of a host, and of a step
TIME = "2026-11-25T12:00:00.123456Z"
USED = {"user_sec": 0.01, "system_sec": 0.002, "max_rss_kib": 12000, "in_blocks": 0, "out_blocks": 8}
ATTEMPT = {"verdict": "passed", "started": TIME, "seconds": 0.01, "exit_code": 0, **USED, "stdout": "ok\n" * 20}


class Spent(NamedTuple):
    """Wall seconds, CPU seconds of this process, and MiB of memory in addition to what it had used before."""

    wall: float
    cpu: float
    memory: float


def records(hosts: int, versions: int = 1) -> Iterator[dict[str, Any]]:
    """Yield the records of a run in which each host changes each of its keys this number of times."""
    names = [f"rack-{number:04}" for number in range(hosts)]
    steps = [{"name": f"step{number}", "stage": 1, "idx": number, "scope": "host"} for number in range(STEPS)]
    yield {"kind": "run", "run": "R1", "time": TIME, "hosts": names, "steps": steps, "recipe": {"test_id": "T-1"}}
    for host in names:
        n = 0
        for number in range(STEPS):
            head = {"stage": 1, "host": host, "step": f"step{number}"}
            for change in range(KEYS * versions):
                n += 1
                key = f"t.step{number}_{change % KEYS}_v1"
                told = {"attempt": 1, "scope": "host", "key": key, "based_on": change // KEYS, "who": "t", "time": TIME}
                yield {"kind": "delta", **head, "n": n, "after": {"mean": 2.5, "change": change}, **told}
            n += 1
            measured = [{"name": "rx_errors", "value": number, "unit": "frames"}]
            result = {"verdict": "passed", "reason": "", "started": TIME, "seconds": 0.01}
            yield {"kind": "step", **head, "n": n, **result, "attempts": [ATTEMPT], "measurements": measured}
    yield {"kind": "end", "time": TIME, "status": "passed", "exit_code": 0, "counts": {"passed": hosts * STEPS}}


def journal(folder: Path, hosts: int, versions: int = 1) -> Path:
    """A journal of such a run, below a folder."""
    path = folder / f"{hosts}-{versions}" / "journal.jsonl"
    if not path.exists():
        append(path, records(hosts, versions))
    return path


def replayed(url: str, path: Path) -> Spent:
    """Store a journal in an empty store, in a new process; return what that used."""
    store = connect_store(url)
    with store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM runs")
    store.dispose()
    done = subprocess.run([sys.executable, __file__, "--one", url, str(path)], capture_output=True, check=True)
    return Spent(*json.loads(done.stdout))


def one(url: str, path: str) -> None:
    """Open the store, store a journal, and print what that used."""
    wall, cpu = time.perf_counter(), time.process_time()
    store = connect_store(url)
    before = peak()
    import_journal(store, path)
    spent = Spent(time.perf_counter() - wall, time.process_time() - cpu, peak() - before)
    print(json.dumps(spent))


def peak() -> float:
    """Return the peak memory of this program. getrusage would include the process that started it."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def medians(spent: list[Spent]) -> Spent:
    return Spent(*map(statistics.median, zip(*spent, strict=True)))


def compared(url: str, folder: Path, hosts: int, rounds: int) -> dict[str, Spent]:
    """Return medians for the hosts, for ten times as many hosts, and for ten times the changes of the same keys."""
    journals = {"hosts": (hosts, 1), "10 x hosts": (hosts * 10, 1), "10 x changes": (hosts, 10)}
    found: dict[str, list[Spent]] = {name: [] for name in journals}
    for _round in range(rounds):
        for name, (number, versions) in journals.items():
            found[name].append(replayed(url, journal(folder, number, versions)))
    return {name: medians(spent) for name, spent in found.items()}


def main(hosts: int = 100, rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory() as temporary, MariaDB() as mariadb, PostgreSQL() as postgresql:
        folder = Path(temporary)
        urls = {"SQLite": f"sqlite:///{folder}/results.db", "MariaDB": mariadb.url, "PostgreSQL": postgresql.url}
        for database, url in urls.items():
            found = compared(url, folder, hosts, rounds)
            print(f"{database}: {hosts} hosts, medians of {rounds} rounds")
            for name, spent in found.items():
                ratio = spent.wall / found["hosts"].wall
                shown = f"wall {spent.wall:6.2f} s ({ratio:4.1f} x)  cpu {spent.cpu:6.2f} s  {spent.memory:6.1f} MiB"
                print(f"  {name:12} {shown}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
