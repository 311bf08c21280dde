# SPDX-License-Identifier: GPL-3.0-or-later

"""A hundred real hosts, and the journal of a thousand hosts: the time grows in proportion to their number."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import reliability_sweeps
from broken_databases import store_url
from call_rack_recipes import CHECKOUT, rack_recipes, results, shell, write_recipe
from ssh_hosts import Rack

sys.path.append(str(CHECKOUT / "tests/bench"))

import journal_import_scaling

MOST = 11.0  # times the time for ten times the hosts
MEMORY = 16.0  # MiB that ten times the changes of the same keys may take beyond the others


@pytest.fixture(params=["sqlite", "mariadb", "postgresql"])
def url(request: pytest.FixtureRequest, project: Path) -> Iterator[str]:
    yield from store_url(request, request.param, project / "results.db")


def test_ten_times_the_hosts(url: str, project: Path, request: pytest.FixtureRequest):
    """By the clock where the machine is ours for a while, else by the time of the process."""
    kind, hosts = request.node.callspec.params["url"], reliability_sweeps.count(10, 100)
    holds = f"{hosts * 10} hosts take at most {MOST:g} times the time of {hosts}, ten times the changes no more memory"
    with reliability_sweeps.sweep(f"replayed journals, {kind}", holds) as made:
        found = journal_import_scaling.compared(url, project, hosts, reliability_sweeps.count(1, 5))
        few, many = found["hosts"], found["10 x hosts"]
        ratio = many.wall / few.wall if reliability_sweeps.is_whole() else many.cpu / few.cpu
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


def test_ten_times_the_real_hosts(steps: Path):
    """Over SSH, with the start of Ansible; the first run, which takes the executor to the hosts, does not count."""
    few, many, number = (
        reliability_sweeps.count(1, 10),
        reliability_sweeps.count(10, 100),
        reliability_sweeps.count(5, 30),
    )
    holds = f"{many} SSH hosts take at most {MOST:g} times the time of {few}, and no result is missing"
    recipe = write_recipe([shell(f"step_{step}", "ok") for step in range(number)])
    with reliability_sweeps.sweep("real hosts", holds) as made, Rack(many) as rack:
        turns = (many, few, many) if reliability_sweeps.is_whole() else (many,)
        seconds = {hosts: _seconds(recipe, rack, hosts, number) for hosts in turns}  # the last of each
        made.done = many
        made.found = {f"seconds for {hosts} hosts": round(spent, 2) for hosts, spent in seconds.items()}
        if reliability_sweeps.is_whole():
            made.found["times"] = round(seconds[many] / seconds[few], 1)
            assert seconds[many] <= MOST * seconds[few]


def _seconds(recipe: str, rack: Rack, hosts: int, number: int) -> float:
    """What a run takes over so many of the hosts, whose results must all be there."""
    started = time.monotonic()
    limit = ",".join(rack.hosts[:hosts])
    done = rack_recipes("run", recipe, "-i", rack.inventory, "--limit", limit, ANSIBLE_FORKS=20)
    spent = time.monotonic() - started
    assert done.code == 0, done.stderr
    assert sorted(results(done.answer["run_id"]).verdicts().values()) == ["passed"] * hosts * number
    return spent
