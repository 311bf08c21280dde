# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures for tests of the benchmark: a job of two hosts and three steps, and the findings of a short benchmark."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Job
from ansible_collections.rack.recipes.tests.bench.fleet.contestants import step_workload
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.contestant_list import NAMED
from ansible_collections.rack.recipes.tests.bench.fleet.page import performance_page
from ansible_collections.rack.recipes.tests.unit.bench.fleet.sample_runs import BLANK, SIZE, TARGETS, made_runs


@pytest.fixture
def job(tmp_path: Path) -> Job:
    made = Job(SIZE, tmp_path, tmp_path / "inventory.json", TARGETS, Path("/venv/bin"))
    step_workload.clear(made.evidence)
    return made


@pytest.fixture
def findings() -> performance_page.Findings:
    runs = made_runs(ours=[1, 2], plain=[10, 40], floor=[0.5, 0.5], noop=[0.4])
    broken = dataclasses.replace(BLANK, contestant="mitogen", error="exit code 1: a | b\nc")
    return performance_page.Findings(
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T01:00:00+00:00",
        rounds=2,
        machine={"cores": "2"},
        contestants={name: NAMED[name].title for name in ("ours", "plain", "mitogen", "floor", "noop")},
        versions={"plain": {"python": "3.13.5", "ansible-core": "2.21.5"}},
        runs=(*runs, broken),
    )
