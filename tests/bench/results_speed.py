# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the commands that read a large run, in CPU time, and write the figures for docs/performance.md.

    python tests/bench/results_speed.py [HOSTS [ROUNDS]] [--write]

HOSTS (1000) hosts have 100 steps each. A figure is the median of ROUNDS (3), in CPU seconds with Python's start. With
`--write` they go into docs/results.json. The page of the fleet benchmark shows them, which is written after this.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ansible_collections.rack.recipes.tests.bench import long_history, many_results
from ansible_collections.rack.recipes.tests.bench.fleet.page import stored_sections

SMALL = "report of 14 results"


def measured(hosts: int, runs: int, rounds: int) -> dict[str, Any]:
    """The figures: `rows` are what was measured, CPU seconds, and the goal for 100,000 results or None."""
    about = stored_sections.about(results=hosts * many_results.STEPS)
    commands = many_results.compared(hosts, rounds)
    report = many_results.reports(hosts, rounds)
    history = long_history.measured(hosts, runs, rounds)
    goals: Mapping[str, float] = {**many_results.GOALS, SMALL: many_results.REPORT_GOAL}
    rows = [[name, round(seconds, 2), goals.get(name)] for name, seconds in {**commands, **report}.items()]
    analysed = f"analyse, {runs} earlier runs, {history.memory:.0f} MiB (goal: {long_history.MEBIBYTES:g})"
    return {**about, "rounds": rounds, "rows": [*rows, [analysed, round(history.cpu, 2), long_history.SECONDS]]}


def main() -> None:
    """Measure, print the figures, and write them where that is asked for."""
    words = [word for word in sys.argv[1:] if word != "--write"]
    hosts, rounds = (int(word) for word in (*words, *("1000", "3")[len(words) :]))
    figures = measured(hosts, long_history.RUNS, rounds)
    stored_sections.show("results", figures, write="--write" in sys.argv[1:])


if __name__ == "__main__":
    main()
