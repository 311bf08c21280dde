# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how fast a journal is stored, compared with the bare driver's executemany of the same rows.

    python tests/bench/journal_import_speed.py [DELTAS [ROUNDS]]

Both sides write to the same tables with the same indexes, in turn, over a connection that is open before the clock
starts. The bare side uses one transaction. Each line shows medians: rows a second, and the ratio to the bare driver, by
wall time and by this process's CPU time. `follow` is all of our side. `write` is its part that writes (on PostgreSQL by
COPY). `read` is its part that reads, checks and folds the journal and makes the rows. `GOALS` are for `write`, by wall
time.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "rack"))

from sqlalchemy import Engine

from database_servers import MariaDB, PostgreSQL
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.fold_journal import Batch, JournalFold
from rack_recipes.store.writing.import_journal import JournalImport

KEYS = 100  # a host
TIME = "2026-11-25T12:00:00.123456Z"
GOALS = {"SQLite": 0.85, "MariaDB": 0.85, "PostgreSQL": 3.0}  # at least, of the bare driver's rate
RUN = "INSERT INTO runs (run_id, status, journal_offset, next_seq) VALUES ('R1', '', 0, 1)"

WALL, CPU = 0, 1
Spent = tuple[float, float]  # seconds: wall, cpu
Figures = dict[str, list[Spent]]


def records(deltas: int) -> Iterator[dict[str, Any]]:
    yield {"kind": "run", "run": "R1", "time": TIME}
    value = {"mean": 12.25, "median": 12.0, "count": 1000, "outliers": [3, 14, 159]}
    for number in range(deltas):
        host, key = divmod(number, KEYS)
        yield {
            "kind": "delta",
            "stage": 1,
            "n": key + 1,
            "host": f"rack-{host:04}",
            "step": "compute_numbers",
            "attempt": 1,
            "scope": "host",
            "key": f"numbers.stats{key}_v1",
            "after": value | {"number": number},
            "based_on": 0,
            "who": "compute_numbers",
            "time": TIME,
        }


def rows_of(journal: Path) -> list[Any]:
    fold, batch = JournalFold("R1"), Batch()
    for line in JournalReader(journal).read():
        fold.add(line.record or {}, batch)
    return batch.context


def now() -> Spent:
    return time.perf_counter(), time.process_time()


def since(start: Spent) -> Spent:
    return time.perf_counter() - start[0], time.process_time() - start[1]


def emptied(store: Engine) -> None:
    """Empty the tables and the log, outside of any transaction."""
    statements = {
        "sqlite": ("DELETE FROM runs", "PRAGMA wal_checkpoint(TRUNCATE)"),
        "mysql": ("SET foreign_key_checks = 0", "TRUNCATE context", "TRUNCATE runs", "SET foreign_key_checks = 1"),
        "postgresql": ("TRUNCATE context, runs CASCADE", "COMMIT"),
    }
    with store.connect() as pooled:
        driver: Any = pooled.connection.dbapi_connection
        for statement in statements[store.dialect.name]:
            driver.cursor().execute(statement)


def bare(store: Engine, rows: list[Any]) -> Spent:
    sign = "?" if store.dialect.name == "sqlite" else "%s"
    sql = f"INSERT INTO context VALUES ({', '.join([sign] * len(tables().context.columns))})"
    with store.connect() as pooled:
        driver: Any = pooled.connection.dbapi_connection
        cursor = driver.cursor()
        if store.dialect.name != "postgresql":  # whose driver begins by itself
            cursor.execute("BEGIN")
        cursor.execute(RUN)
        start = now()
        cursor.executemany(sql, rows)
        driver.commit()
        return since(start)


def ours(store: Engine, journal: Path) -> tuple[Spent, Spent]:
    """Return the seconds of all of `follow`, and of its part that writes."""
    following, write, parts = JournalImport(store, journal), JournalImport._write, []

    def timed(self: JournalImport, *batch: Any) -> None:
        start = now()
        write(self, *batch)
        parts.append(since(start))

    JournalImport._write = timed  # type: ignore[assignment, method-assign]
    try:
        start = now()
        following.catch_up()
        whole = since(start)
    finally:
        JournalImport._write = write  # type: ignore[method-assign]
    return whole, (sum(wall for wall, _cpu in parts), sum(cpu for _wall, cpu in parts))


def measure(store: Engine, journal: Path, rows: list[Any], rounds: int) -> Figures:
    """Return the figures of each part. The sides swap their order every round; the first round is a warm-up."""
    figures: Figures = {"bare": [], "write": [], "read": [], "follow": []}

    def plain() -> None:
        figures["bare"].append(bare(store, rows))

    def follow() -> None:
        whole, write = ours(store, journal)
        figures["follow"].append(whole)
        figures["write"].append(write)
        figures["read"].append((whole[0] - write[0], whole[1] - write[1]))

    for number in range(rounds + 1):
        for side in (plain, follow) if number % 2 else (follow, plain):
            emptied(store)
            side()
    return {part: spent[1:] for part, spent in figures.items()}


def median(figures: Figures, part: str, kind: int) -> float:
    """Seconds of a part, by wall time or CPU time."""
    return statistics.median(spent[kind] for spent in figures[part])


def rate(figures: Figures, part: str, kind: int = WALL) -> float:
    """Return a part's rate divided by that of the bare driver."""
    return statistics.median(bare[kind] / mine[kind] for bare, mine in zip(figures["bare"], figures[part], strict=True))


def show(figures: Figures, rows: int) -> None:
    for part in figures:
        wall, cpu = (median(figures, part, kind) for kind in (WALL, CPU))
        ratios = f"   of bare: wall {rate(figures, part):.2f}, cpu {rate(figures, part, CPU):.2f}"
        shown = "" if part == "read" else ratios
        print(f"  {part:7} {rows / wall:9,.0f} rows/s   wall {wall:.3f} s, cpu {cpu:.3f} s{shown}")


@contextmanager
def stores(folder: Path) -> Iterator[dict[str, Engine]]:
    with MariaDB() as mariadb, PostgreSQL() as postgresql:
        opened = {
            "SQLite": connect_store(f"sqlite:///{folder}/results.db"),
            "MariaDB": connect_store(mariadb.url),
            "PostgreSQL": connect_store(postgresql.url),
        }
        try:
            yield opened
        finally:
            for store in opened.values():
                store.dispose()


def compared(deltas: int, rounds: int) -> Generator[tuple[str, Figures]]:
    """The figures of each database, under its name."""
    with tempfile.TemporaryDirectory() as temporary, stores(Path(temporary)) as opened:
        journal = Path(temporary) / "R1" / "journal.jsonl"
        append(journal, records(deltas))
        rows = rows_of(journal)
        for name, store in opened.items():
            yield name, measure(store, journal, rows, rounds)


def main(deltas: int = 100_000, rounds: int = 5) -> None:
    for name, figures in compared(deltas, rounds):
        print(f"{name}: {deltas} deltas, medians of {rounds} rounds")
        show(figures, deltas)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
