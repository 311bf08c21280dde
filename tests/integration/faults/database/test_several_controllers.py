# SPDX-License-Identifier: GPL-3.0-or-later

"""Several controllers that use one database at the same time: nothing is lost, and nothing is stored twice."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

import reliability_sweeps
from broken_databases import begun, gated, held, open_gate, rows_of, store_url, undisturbed, wait_for
from call_rack_recipes import answer
from rack_recipes.store.database_engine import connect_store

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
