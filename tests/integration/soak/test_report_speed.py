# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a whole report takes. Only whole sweeps are held to the goal."""

from __future__ import annotations

import reliability_sweeps
from ansible_collections.rack.recipes.tests.bench import report_speed


def test_reports_of_a_small_and_a_large_run() -> None:
    hosts, rounds = reliability_sweeps.count(10, 1000), reliability_sweeps.count(1, 3)
    goal = f"for 14 results within {report_speed.GOAL:g} s of CPU time"
    with reliability_sweeps.sweep("a whole report, with Python's start", goal) as made:
        found = report_speed.compared(hosts, rounds)
        made.done = rounds
        made.found = {f"seconds of the {name}": round(seconds, 2) for name, seconds in found.items()}
        if reliability_sweeps.is_whole():
            assert found["report of 14 results"] <= report_speed.GOAL
