# SPDX-License-Identifier: GPL-3.0-or-later

"""What it costs to ask devices through a delegate.

A process for each step of each device costs more than a thread. It can be ended, limited and put into a sandbox.
"""

from __future__ import annotations

import statistics

import reliability_sweeps
from ansible_collections.rack.recipes.tests.bench import delegates


def test_devices_behind_a_delegate() -> None:
    devices = reliability_sweeps.count(10, 1000)
    holds = (
        f"goals: `ansible.builtin.uri` takes {delegates.LEAST_OF_URI:g} times the CPU time of a delegated step, which "
        f"takes {delegates.MOST_OF_BARE:g} times that of threads in one process; it fails at half of the first"
    )
    with reliability_sweeps.sweep("devices behind a delegate", holds) as made:
        found = delegates.compared(devices, reliability_sweeps.count(1, 3))
        ours, uri, bare = (delegates.cpu(found, way) for way in delegates.WAYS)
        made.done = devices
        made.found = {
            "ms of CPU a device": round(ours, 1),
            "uri's": round(uri, 1),
            "of threads in one process": round(bare, 1),
            "uri's, times": round(uri / ours, 1),
            "of threads, times": round(ours / bare, 2),
            "seconds for all": round(statistics.median(spent.wall for spent in found["ours"]), 1),
        }
        if reliability_sweeps.is_whole():
            assert uri / ours >= delegates.LEAST_OF_URI / 2
