# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the analysis of a run with a history takes, and how much memory. Only whole sweeps are held to the goals."""

from __future__ import annotations

import reliability_sweeps
from ansible_collections.rack.recipes.tests.bench import long_history as bench


def test_a_run_with_a_long_history() -> None:
    hosts, runs = reliability_sweeps.count(10, bench.HOSTS), reliability_sweeps.count(12, bench.RUNS)
    holds = f"100,000 results with {bench.RUNS} earlier runs are analysed within {bench.SECONDS:g} s of CPU time and "
    holds += f"{bench.MEBIBYTES:g} MiB"
    with reliability_sweeps.sweep("the analysis of a long history", holds) as made:
        spent = bench.measured(hosts, runs, reliability_sweeps.count(1, bench.ROUNDS))
        made.done = hosts * bench.STEPS * (runs + 1)
        made.found = {"seconds": round(spent.wall, 2), "of CPU": round(spent.cpu, 2), "MiB": round(spent.memory)}
        if reliability_sweeps.is_whole():
            assert spent.cpu <= bench.SECONDS
            assert spent.memory <= bench.MEBIBYTES
