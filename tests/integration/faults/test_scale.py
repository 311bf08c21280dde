# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rack of a thousand hosts, as its journal: the store's work grows with it, and no faster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sweeps
from databases import store_url
from runs import CHECKOUT

sys.path.append(str(CHECKOUT / "tests/bench"))

import replay

MOST = 11.0  # times the time for ten times the hosts
MEMORY = 16.0  # MiB that ten times the changes of the same keys may take beyond the others


@pytest.fixture(params=["sqlite", "mariadb", "postgresql"])
def url(request: pytest.FixtureRequest, project: Path) -> Iterator[str]:
    yield from store_url(request, request.param, project / "results.db")


def test_ten_times_the_hosts(url: str, project: Path, request: pytest.FixtureRequest):
    """By the clock where the machine is ours for a while, else by the time of the process."""
    kind, hosts = request.node.callspec.params["url"], sweeps.count(10, 100)
    holds = f"{hosts * 10} hosts take at most {MOST:g} times the time of {hosts}, ten times the changes no more memory"
    with sweeps.sweep(f"replayed journals, {kind}", holds) as made:
        found = replay.compared(url, project, hosts, sweeps.count(1, 5))
        few, many = found["hosts"], found["10 x hosts"]
        ratio = many.wall / few.wall if sweeps.is_whole() else many.cpu / few.cpu
        grown = found["10 x changes"].memory - few.memory
        made.done = hosts * 10
        made.found = {
            f"seconds for {hosts} hosts": round(few.wall, 2),
            f"seconds for {hosts * 10} hosts": round(many.wall, 2),
            "times": round(ratio, 1),
            "MiB more for ten times the changes": round(grown, 1),
        }
        assert ratio <= MOST
        assert grown <= MEMORY
