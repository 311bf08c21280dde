# SPDX-License-Identifier: GPL-3.0-or-later

"""Invented jobs and runs of the benchmark."""

from __future__ import annotations

import dataclasses

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Run, Size, Target

SIZE = Size(2, 3)
TARGETS = (
    Target("r01", "127.0.1.1", 2201, "me", "/keys/id", "/usr/bin/python3", ("-o", "LogLevel=ERROR")),
    Target("r02", "127.0.1.2"),
)
BLANK = Run("ours", 8, 20, 1, 1.0, 0.5, 0.5, 1024, 0, 0.1)


def made_runs(**walls: list[float]) -> list[Run]:
    return [
        dataclasses.replace(BLANK, contestant=name, round=number, wall=wall)
        for name, values in walls.items()
        for number, wall in enumerate(values, 1)
    ]
