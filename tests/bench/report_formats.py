# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure each format of the report of a large run: CPU seconds and size; and write docs/report-speed.md.

    python tests/bench/report_formats.py [HOSTS [ROUNDS]] [--write]

The run is that of report_page.py: HOSTS (1000) hosts with 100 steps each, a measurement for each tenth step, 20 earlier
runs. A figure is the median of ROUNDS (3), in CPU time, since a busy machine makes all else longer. PDF is left out: it
is Chromium's time; report_page.py measures what Chromium takes for the page. `--write` writes docs/report.json, and
from it docs/report-speed.md.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.tests.bench import report_page
from rack_recipes.report import make_report
from rack_recipes.report.report_formats_and_status import WRITERS
from rack_recipes.report.tables.all_tables import tables

DOCS = Path(__file__).parents[2] / "docs"
FIGURES, PAGE = DOCS / "report.json", DOCS / "report-speed.md"
START, END = (
    "<!-- made by tests/bench/report_formats.py: start -->",
    "<!-- made by tests/bench/report_formats.py: end -->",
)
LEFT_OUT = ("pdf",)


def measured(hosts: int, rounds: int) -> dict[str, Any]:
    """The figures: `parts` has CPU seconds and MB by format."""
    run, past = report_page.run(hosts), report_page.past(hosts)
    made = tables(run, (), past)
    parts: dict[str, dict[str, float]] = {
        "tables": {"seconds": _median(rounds, lambda: tables(run, (), past))},
        **{name: _format(name, made, rounds) for name in WRITERS if name not in LEFT_OUT},
    }
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "results": hosts * report_page.STEPS,
        "measurements": len(run.measurements),
        "rounds": rounds,
        "cores": os.cpu_count(),
        "parts": parts,
    }


def _format(name: str, made: Sequence[Any], rounds: int) -> dict[str, float]:
    import_module(f"{make_report.__package__}.writers.{WRITERS[name][0]}")  # an import is no part of what is measured
    with tempfile.TemporaryDirectory() as folder:
        seconds = _median(rounds, lambda: make_report.write_report_files(made, Path(folder), (name,)))
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {"seconds": seconds, "MB": round(size / 1e6, 2)}


def _median(rounds: int, work: Callable[[], object]) -> float:
    spent = []
    for _round in range(rounds):
        started = time.process_time()
        work()
        spent.append(time.process_time() - started)
    return round(statistics.median(spent), 2)


def page(text: str, figures: Mapping[str, Any]) -> str:
    """The page with these figures between its marks. Raises ValueError if it has none."""
    before, start, rest = text.partition(START)
    _old, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{PAGE.name} needs the lines {START} and {END}")
    return f"{before}{START}\n\n{section(figures)}\n{END}{after}"


def section(figures: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    rows = [f"| {name} | {part['seconds']:.2f} | {part.get('MB', '')} |" for name, part in figures["parts"].items()]
    head = (
        f"Made on {figures['made']} for {figures['results']:,} results and {figures['measurements']:,} measurements "
        f"with 20 earlier runs, on {figures['cores']} cores; medians of {figures['rounds']}, CPU time."
    )
    return "\n".join([head, "", "| what is made | seconds | MB |", "| --- | --- | --- |", *rows, ""])


def main() -> None:
    """Measure, print the figures, and write them where that is asked for."""
    words = [word for word in sys.argv[1:] if word != "--write"]
    hosts, rounds = (int(word) for word in (*words, *("1000", "3")[len(words) :]))
    figures = measured(hosts, rounds)
    if len(words) < len(sys.argv) - 1:
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
        PAGE.write_text(page(PAGE.read_text(), figures))
    sys.stdout.write(section(figures))


if __name__ == "__main__":
    main()
