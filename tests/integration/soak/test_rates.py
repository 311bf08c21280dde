# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast recipes are compiled and journals are stored.

Only whole sweeps are held to the goals: they have the machine for themselves.
"""

from __future__ import annotations

from contextlib import closing

import sweeps

from ansible_collections.rack.recipes.tests.bench import compiling, flush


def test_flush() -> None:
    with closing(flush.compared(sweeps.count(500, 100_000), sweeps.count(1, 7))) as found:
        for store, goal in flush.GOALS.items():
            holds = f"at least {goal:g} of the bare driver's rate, with the same rows and tables"
            with sweeps.sweep(f"flush, {store}", holds) as made:
                _flush(made, *next(found))
                assert not sweeps.is_whole() or made.found["of the bare driver's rate"] >= goal


def _flush(made: sweeps.Sweep, store: str, figures: flush.Figures) -> None:
    assert made.name == f"flush, {store}"
    made.done = sweeps.count(500, 100_000)
    made.found = {
        "of the bare driver's rate": round(flush.rate(figures, "write"), 2),
        "rows a second": round(made.done / flush.median(figures, "write", flush.WALL)),
        "the driver's": round(made.done / flush.median(figures, "bare", flush.WALL)),
        "with the journal read and checked": round(made.done / flush.median(figures, "follow", flush.WALL)),
    }


def test_compile() -> None:
    steps = sweeps.count(50, 1000)
    holds = (
        f"at most {compiling.MOST:g} times PyYAML's C loader with jsonschema, "
        f"time grows at most {compiling.LINEAR:g} times as much as the file, "
        f"`--help` in at most {compiling.MOST_HELP:g} times that of `ansible-playbook`"
    )
    with sweeps.sweep("compile", holds) as made:
        few, many, helped = (found for _what, found in compiling.compared(steps, sweeps.count(1, 11)))
        times = compiling.median(many, "ours") / compiling.median(few, "ours")
        made.done = 10 * steps
        made.found = {
            f"seconds for {steps} steps": round(compiling.median(few, "ours"), 3),
            "of the rival's": round(compiling.ratio(few), 2),
            f"seconds for {10 * steps}": round(compiling.median(many, "ours"), 2),
            "times": round(times, 1),
            "times the bytes": round(compiling.growth(steps), 1),
            "help, of the rival's": round(compiling.ratio(helped), 2),
        }
        if sweeps.is_whole():
            assert compiling.ratio(few) <= compiling.MOST
            assert times <= compiling.LINEAR * compiling.growth(steps)
            assert compiling.ratio(helped) <= compiling.MOST_HELP
