# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the report's page of a large run in Chromium: its size, how long it takes to open, to search and to sort.

    python tests/bench/report_page.py [HOSTS [ROUNDS]]

The run has HOSTS (1000) hosts in racks of 40, with 100 steps each, of which 7 % did not pass, and a measurement for
each tenth step, with 20 earlier runs. Goals for 100,000 results on a machine that does nothing else: open within 1 s, a
search or a filter within 0.1 s. A search or a sort ends when the browser has painted.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rack_recipes.analysis.run_data import RunData, arrange_run
from rack_recipes.analysis.value_and_write_history import PastValues
from rack_recipes.report.tables.all_tables import tables
from rack_recipes.report.writers import html

STEPS, RACK, RUNS = 100, 40, 20
BEGAN = datetime(2026, 11, 25, 12, tzinfo=UTC)
BAD = ("failed", "error", "blocked", "skipped", "unreachable", "marginal")
SEARCHES = ("rx_errors", "step_04 r01", '"failed" u1', "nothing like this", "")
GOALS = {"open": 1.0, "search": 0.1}  # seconds for 100,000 results
CHROMIUM = "/usr/bin/chromium"
SEARCH = """async (words) => {
  const input = document.querySelector("#results-table input");
  const began = performance.now();
  input.value = words;
  input.dispatchEvent(new Event("input"));
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  return (performance.now() - began) / 1000;
}"""
SORT = """async () => {
  const button = document.querySelector("#results-table thead th:nth-child(4) button");
  const began = performance.now();
  button.click();
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  return (performance.now() - began) / 1000;
}"""


def run(hosts: int) -> RunData:
    """Such a run; the same number of hosts gives the same run."""
    names = [f"r{number // RACK + 1:02}-u{number % RACK + 1:02}" for number in range(hosts)]
    attributes = {name: {"rack": name[:3], "position": int(name[-2:])} for name in names}
    about = {"run_id": "R1", "test_id": "T-1", "status": "failed", "started": _time(0), "hosts": hosts}
    steps, chance = [], random.Random(hosts)
    for name in names:
        steps += _results(name, chance)
    values = [
        {"host": row["host"], "step": row["step"], "n": 1, "name": "rate", "value": chance.gauss(9200, 50),
         "unit": "MB/s", "limits": {"min": 9000}, "distance": 200.0, "verdict": "passed"}
        for row in steps if row["idx"] % 10 == 0
    ]  # fmt: skip
    return arrange_run(RunData(run=about, steps=steps, measurements=values, attributes=attributes))


def past(hosts: int) -> PastValues:
    """What the earlier runs have measured: two classes of hosts in each step that measures."""
    chance = random.Random(hosts)
    nights = [(f"R{number}", _time(-86400 * (RUNS + 1 - number))) for number in range(1, RUNS + 1)] + [("R1", _time(0))]
    return PastValues([
        {"step": f"step_{step:03}", "name": "rate", "unit": "MB/s", "line": line, "run_id": run_id, "started": started,
         "median": chance.gauss(9200, 10), "low": 9050.0, "high": 9350.0, "hosts": hosts // 2}
        for step in range(0, STEPS, 10) for line in ("model X1", "model X2") for run_id, started in nights
    ])  # fmt: skip


def _results(host: str, chance: random.Random) -> Iterator[dict[str, Any]]:
    at = chance.random()
    for step in range(STEPS):
        seconds = chance.lognormvariate(-1, 1)
        verdict = chance.choice(BAD) if chance.random() < 0.07 else "passed"
        reason = "" if verdict == "passed" else f"rx_errors {chance.randint(1, 400)} > 0"
        yield {"host": host, "step": f"step_{step:03}", "stage": step // 25 + 1, "idx": step, "scope": "host",
               "verdict": verdict, "reason": reason, "started": _time(at), "seconds": seconds, "tries": 1,
               "user_sec": seconds / 2, "system_sec": seconds / 20, "max_rss_kib": chance.randint(9000, 90000),
               "exit_code": 0 if verdict == "passed" else 1, "stderr": ""}  # fmt: skip
        at += seconds


def _time(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def measured(hosts: int, rounds: int) -> dict[str, float]:
    """Medians in seconds of `open`, `search` and `sort`; `MB` of the file, and `rows` of it that are drawn at most."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        (path,) = html.write(tables(run(hosts), (), past(hosts)), Path(folder))
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        rows = [_opened(browser, path) for _round in range(rounds)]
        browser.close()
        return {
            "MB": path.stat().st_size / 1e6,
            **{name: statistics.median(row[name] for row in rows) for name in ("open", "search", "sort")},
            "rows": max(row["rows"] for row in rows),
        }


def _opened(browser: Any, path: Path) -> dict[str, float]:
    page = browser.new_context(offline=True).new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    opened = page.evaluate("performance.getEntriesByName('ready')[0].startTime") / 1000
    page.evaluate("document.getElementById('results').scrollIntoView()")
    page.click("#results-table .clear")
    searches = [page.evaluate(SEARCH, words) for words in SEARCHES]
    sort = page.evaluate(SORT)
    rows = page.evaluate("document.querySelectorAll('#results-table tbody tr').length")
    page.context.close()
    return {"open": opened, "search": max(searches), "sort": sort, "rows": rows}


def main() -> None:
    """Measure, and print the medians."""
    hosts, rounds = (int(word) for word in (*sys.argv[1:], *("1000", "3")[len(sys.argv) - 1 :]))
    for name, value in measured(hosts, rounds).items():
        goal = f" (goal for 100,000 results: {GOALS[name]:g})" if name in GOALS else ""
        print(f"{name:<8} {value:8.3f}{goal}")


if __name__ == "__main__":
    main()
