# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast recipes are compiled and journals are stored.

Only whole sweeps are held to the goals: they have the machine for themselves.
"""

from __future__ import annotations

from contextlib import closing

import reliability_sweeps
from ansible_collections.rack.recipes.tests.bench import compile_speed, journal_import_speed


def test_flush() -> None:
    with closing(
        journal_import_speed.compared(reliability_sweeps.count(500, 100_000), reliability_sweeps.count(1, 7))
    ) as found:
        for store, goal in journal_import_speed.GOALS.items():
            holds = f"at least {goal:g} of the bare driver's rate, with the same rows and tables"
            with reliability_sweeps.sweep(f"flush, {store}", holds) as made:
                _flush(made, *next(found))
                assert not reliability_sweeps.is_whole() or made.found["of the bare driver's rate"] >= goal


def _flush(made: reliability_sweeps.Sweep, store: str, figures: journal_import_speed.Figures) -> None:
    assert made.name == f"flush, {store}"
    made.done = reliability_sweeps.count(500, 100_000)
    made.found = {
        "of the bare driver's rate": round(journal_import_speed.rate(figures, "write"), 2),
        "rows a second": round(made.done / journal_import_speed.median(figures, "write", journal_import_speed.WALL)),
        "the driver's": round(made.done / journal_import_speed.median(figures, "bare", journal_import_speed.WALL)),
        "with the journal read and checked": round(
            made.done / journal_import_speed.median(figures, "follow", journal_import_speed.WALL)
        ),
    }


def test_compile() -> None:
    steps = reliability_sweeps.count(50, 1000)
    holds = (
        f"at most {compile_speed.MOST:g} times PyYAML's C loader with jsonschema, "
        f"time grows at most {compile_speed.LINEAR:g} times as much as the file, "
        f"`--help` in at most {compile_speed.MOST_HELP:g} times that of `ansible-playbook`"
    )
    with reliability_sweeps.sweep("compile", holds) as made:
        few, many, helped = (found for _what, found in compile_speed.compared(steps, reliability_sweeps.count(1, 11)))
        times = compile_speed.median(many, "ours") / compile_speed.median(few, "ours")
        made.done = 10 * steps
        made.found = {
            f"seconds for {steps} steps": round(compile_speed.median(few, "ours"), 3),
            "of the rival's": round(compile_speed.ratio(few), 2),
            f"seconds for {10 * steps}": round(compile_speed.median(many, "ours"), 2),
            "times": round(times, 1),
            "times the bytes": round(compile_speed.growth(steps), 1),
            "help, of the rival's": round(compile_speed.ratio(helped), 2),
        }
        if reliability_sweeps.is_whole():
            assert compile_speed.ratio(few) <= compile_speed.MOST
            assert times <= compile_speed.LINEAR * compile_speed.growth(steps)
            assert compile_speed.ratio(helped) <= compile_speed.MOST_HELP
