# SPDX-License-Identifier: GPL-3.0-or-later

"""The memory of a run's context: flat, however often its keys are set."""

from __future__ import annotations

import reliability_sweeps
from ansible_collections.rack.recipes.tests.bench import context_memory

HOLDS = (
    f"a live key of the context takes at most {context_memory.MOST} bytes beside its value's text, "
    "and further versions of it take none"
)


def test_a_million_deltas() -> None:
    with reliability_sweeps.sweep("context memory", HOLDS) as made:
        found = context_memory.measure(reliability_sweeps.count(20_000, 1_000_000), 1_000)
        made.done = found.deltas
        made.found = {
            "live keys": found.keys,
            "bytes a live key": found.a_key,
            "bytes for all further versions": found.growth,
        }
        assert found.a_key <= context_memory.MOST
        assert found.growth < context_memory.ALLOWANCE
