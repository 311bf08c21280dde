# SPDX-License-Identifier: GPL-3.0-or-later

"""Since when a test is as it is: one line, and a small picture of its last runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from markupsafe import Markup

from rack_recipes.analysis.findings import format_age, format_count
from rack_recipes.report.charts.chart_elements import element, picture
from rack_recipes.report.format_values import shown, style_of
from rack_recipes.report.table_model import Table

PASSED = "passed"
ACROSS, GAP, HEIGHT = 12, 3, 30
LEAST = 5
"""The height of a bar of a run in which all passed; bars of other runs grow with the share that did not pass."""


@dataclass(frozen=True, slots=True)
class SinceWhen:
    """The line in words, and a bar for each run, the newest at the right."""

    words: str
    chart: Markup


@dataclass(frozen=True, slots=True)
class RunBar:
    """A run in the picture: how many of the results that were tried did not pass."""

    run_id: str
    status: str
    started: str
    bad: int
    tried: int


def since_when(run: Mapping[str, Any], past_runs: Table) -> SinceWhen | None:
    """What to say of a run by its row of the summary and its earlier runs; None where there are none."""
    past = [
        RunBar(row["run_id"], row["status"], row["started"], row["not_passing"], row["passing"] + row["not_passing"])
        for row in past_runs.records()
    ]
    if not past:
        return None
    tried = run["results"] - run["not_run"]
    own = RunBar(run["run_id"], run["status"], run["started"] or "", run["not_passing"], tried)
    bars = [*reversed(past), own]
    title = f"The last {len(bars)} runs of this test, this one at the right"
    return SinceWhen(_words(own, past), runs_chart(bars, title))


def _words(own: RunBar, past: Sequence[RunBar]) -> str:
    """`past` has the newest run first."""
    is_good = own.status == PASSED
    alike = [*takewhile(lambda one: (one.status == PASSED) == is_good, past)]
    other = past[len(alike)] if len(alike) < len(past) else None
    state = "passed" if is_good else "not passed"
    if other is None:
        return f"It has {state} in all of the last {format_count(len(past) + 1, 'run')}."
    before = "did not pass" if is_good else "passed"
    if not alike:
        ago = format_age(other.started, own.started)
        return f"New in this run: the run before it{f', {ago} earlier,' if ago else ''} {before}."
    since = shown(alike[-1].started, "time")[:16]
    return f"So since {since} UTC, in {len(alike) + 1} runs in a row; the run before that {before}."


def runs_chart(bars: Sequence[RunBar], title: str) -> Markup:
    """A bar for each run, the newest at the right; the higher, the more did not pass."""
    drawn = [_bar(number, one) for number, one in enumerate(bars)]
    left = (len(bars) - 1) * (ACROSS + GAP)
    below = element("rect", x=left, y=HEIGHT + 2, width=ACROSS, height=2, class_="inner")
    return picture("runs", left + ACROSS, HEIGHT + 4, title, *drawn, below)


def _bar(number: int, one: RunBar) -> Markup:
    share = one.bad / one.tried if one.tried else 0
    height = LEAST if one.status == PASSED else LEAST + 5 + (HEIGHT - LEAST - 5) * share
    results = f"{one.bad:,} of {format_count(one.tried, 'result')} did not pass"
    said = f"{shown(one.started, 'time')[:16]}: {one.status}, {results}"
    return element(
        "rect", element("title", said), x=number * (ACROSS + GAP), y=f"{HEIGHT - height:.1f}", width=ACROSS,
        height=f"{height:.1f}", rx=1.5, class_=f"v-{style_of(one.status)}",
    )  # fmt: skip
