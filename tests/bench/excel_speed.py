# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how long the Excel workbook of a large run takes, beside XlsxWriter's `write_row` with the same cells.

    python tests/bench/excel_speed.py [HOSTS [ROUNDS]]

The run has HOSTS (1000) hosts with 100 steps each, and a measurement for each step. The goal is 1.15 times the CPU
time of the bare rows: no formats, filters, links, charts or checks, but the same sheets, rows and values. Both take
turns, so that a busy machine is as busy for both.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rack_recipes.analysis.run_data import RunData, arrange_run
from rack_recipes.report.table_model import Table
from rack_recipes.report.tables.all_tables import tables
from rack_recipes.report.writers import excel

STEPS = 100
TIME = "2026-11-25T12:00:00.000000Z"
GOAL = 1.15


def report(hosts: int) -> tuple[Table, ...]:
    """The tables of such a run; every fourteenth result has failed."""
    steps, values = [], []
    for host in range(hosts):
        for step in range(STEPS):
            place = {"host": f"r{host // 40:02}-u{host % 40:02}", "step": f"step{step}"}
            failed = (host * 7 + step * 3) % 14 == 0
            how = {"verdict": "failed", "reason": "the link is down"} if failed else {"verdict": "passed", "reason": ""}
            times = {"started": TIME, "seconds": 0.01 * (step + 1), "user_sec": 0.004, "system_sec": 0.002}
            steps.append({**place, **how, **times, "stage": 1, "idx": step, "tries": 1, "max_rss_kib": 9000 + step})
            values.append({**place, "n": 1, "name": "rx_errors", "value": (host + step) % 9, "unit": "frames"})
    run = {"run_id": "20261125-120000-aaaaaa", "test_id": "T-1", "started": TIME, "ended": TIME, "status": "failed"}
    return tables(arrange_run(RunData(run, steps=steps, measurements=values)))


def bare(tables_of: Sequence[tuple[str, Sequence[Sequence[Any]]]], folder: Path) -> None:
    """Write the same sheets with the same cells, and nothing else."""
    from xlsxwriter import Workbook

    with Workbook(folder / "bare.xlsx", {"constant_memory": True, "tmpdir": str(folder), **excel.PLAIN_TEXT}) as book:
        for name, rows in tables_of:
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)


def cells_of(table: Table) -> list[Sequence[Any]]:
    """The head and the rows of a table's sheet, as they are given to XlsxWriter."""
    head = [excel.cell(column.label, "text") for column in table.columns]
    return [head, *([excel.cell(value, column.kind) for value, column in zip(row, table.columns, strict=True)]
                    for row in table.rows)]  # fmt: skip


def cpu_seconds(write: Callable[[Any, Path], object], what: Any) -> float:
    """How much CPU time it takes to write something into a folder."""
    with tempfile.TemporaryDirectory() as name:
        started = time.process_time()
        write(what, Path(name))
        return time.process_time() - started


def compared(hosts: int, rounds: int) -> tuple[float, float]:
    """The median CPU seconds of the bare rows and of our workbook."""
    made = report(hosts)
    cells = [(table.title, cells_of(table)) for table in made]
    found = [(cpu_seconds(bare, cells), cpu_seconds(excel.write, made)) for _round in range(rounds)]
    least, own = zip(*found, strict=True)
    return median(least), median(own)


def main() -> None:
    """Measure, and print both times and their ratio."""
    hosts, rounds = (int(word) for word in (*sys.argv[1:], *("1000", "3")[len(sys.argv) - 1 :]))
    least, own = compared(hosts, rounds)
    times = f"bare rows {least:.2f} s, workbook {own:.2f} s, {own / least:.2f} times (goal {GOAL})"
    print(f"{hosts * STEPS:,} results: {times}")


if __name__ == "__main__":
    main()
