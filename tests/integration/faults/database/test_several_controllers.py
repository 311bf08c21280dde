# SPDX-License-Identifier: GPL-3.0-or-later

"""Several controllers that use one database at once, and one with many hosts."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from call_rack_recipes import CHECKOUT, answer, run_recipe, shell, write_recipe

sys.path.append(str(CHECKOUT / "tests/bench"))
import journal_import_scaling
import reliability_sweeps
from broken_databases import begun, gated, held, open_gate, rows_of, store_url, undisturbed, wait_for
from rack_recipes.store.database_engine import connect_store
from ssh_hosts import Rack

KINDS = ("sqlite", "mariadb", "postgresql") if reliability_sweeps.is_whole() else ("sqlite", "postgresql")
RECIPES = (50, 50, 120, 80)  # how many keys each controller's recipe sets: two of them have the same
HOLDS = "each run's rows equal those of a run that had the store for itself, and no others are there"


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, steps: Path) -> Iterator[str]:
    yield from store_url(request, request.param, steps / "store/results.db")


def forget(url: str) -> None:
    """The store loses all its runs, which only their journals have now."""
    store = connect_store(url)
    with store.begin() as connection:
        connection.execute(text("DELETE FROM runs"))
    store.dispose()


def at_once(url: str, recipes: tuple[int, ...]) -> list[str]:
    """Runs that write at the same time; their ids."""
    wanted = {keys: undisturbed(keys) for keys in recipes}
    with ExitStack() as stack:
        runs = [stack.enter_context(begun(gated(keys), url, RACK_RECIPES_FLUSH_INTERVAL=0.05)) for keys in recipes]
        for run in runs:
            wait_for(run.is_at_its_gate, "a run is at its gate")
        open_gate()
        done = [run.ends() for run in runs]
    assert [each.code for each in done] == [1] * len(runs), [each.stderr for each in done]
    for run, keys in zip(runs, recipes, strict=True):
        assert held(url, run.run_id) == wanted[keys]
    return [run.run_id for run in runs]


def flushed_by_two(url: str, run_id: str) -> None:
    """Two processes bring the same journal into the store at once, as the command does."""
    forks = multiprocessing.get_context("fork")  # each has imported SQLAlchemy already
    flushing = [forks.Process(target=answer, args=("flush", run_id, "--db", url)) for _number in range(2)]
    for process in flushing:
        process.start()
    for process in flushing:
        process.join()
    assert [process.exitcode for process in flushing] == [0, 0]


def test_several_controllers_at_once(url: str, request: pytest.FixtureRequest):
    kind = request.node.callspec.params["url"]
    with reliability_sweeps.sweep(f"several controllers, {kind}", HOLDS) as made:
        for turn in range(reliability_sweeps.count(1, 20)):
            recipes = RECIPES[: 2 + turn % 3] if reliability_sweeps.is_whole() else RECIPES[1:3]
            ids = at_once(url, recipes)
            before, wanted = rows_of(url), [held(url, run_id) for run_id in ids]
            assert before["runs"] == len(ids)
            forget(url)
            for run_id in ids:
                flushed_by_two(url, run_id)
            assert rows_of(url) == before
            assert [held(url, run_id) for run_id in ids] == wanted
            forget(url)
            Path("open").unlink()
            made.done += len(ids)


MOST = 11.0  # times the time for ten times the hosts
MEMORY = 16.0  # MiB that ten times the changes of the same keys may take beyond the others


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.repeats), "postgresql"])
def database(request: pytest.FixtureRequest, project: Path) -> Iterator[str]:
    yield from store_url(request, request.param, project / "results.db")


def test_ten_times_the_hosts(database: str, project: Path, request: pytest.FixtureRequest):
    """By the clock where the machine is ours for a while, else by the time of the process."""
    kind, hosts = request.node.callspec.params["database"], reliability_sweeps.count(10, 100)
    holds = f"{hosts * 10} hosts take at most {MOST:g} times the time of {hosts}, ten times the changes no more memory"
    with reliability_sweeps.sweep(f"replayed journals, {kind}", holds) as made:
        found = journal_import_scaling.compared(database, project, hosts, reliability_sweeps.count(1, 5))
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
    done = run_recipe(recipe, on=rack, hosts=limit, ANSIBLE_FORKS=20)
    spent = time.monotonic() - started
    assert done.code == 0, done.stderr
    assert sorted(done.results.verdicts().values()) == ["passed"] * hosts * number
    return spent
