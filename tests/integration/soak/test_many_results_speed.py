# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to show a large run. Only whole sweeps are held to the goals."""

from __future__ import annotations

import reliability_sweeps
from ansible_collections.rack.recipes.tests.bench import many_results


def test_a_run_with_many_results() -> None:
    hosts = reliability_sweeps.count(10, 1000)
    goals = " and ".join(f"`{command}` within {goal:g} s of CPU time" for command, goal in many_results.GOALS.items())
    with reliability_sweeps.sweep("a run with many results", f"for 100,000 results {goals}") as made:
        found = many_results.compared(hosts, reliability_sweeps.count(1, 3))
        made.done = hosts * many_results.STEPS
        made.found = {f"seconds of {command}": round(seconds, 2) for command, seconds in found.items()}
        if reliability_sweeps.is_whole():
            for command, goal in many_results.GOALS.items():
                assert found[command] <= goal
