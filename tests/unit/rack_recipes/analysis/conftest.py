# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, store_nights
from rack_recipes.analysis import run_data
from rack_recipes.analysis.history import History
from rack_recipes.store.database_engine import connect_store

Historian = Callable[[Sequence[Night]], History]


@pytest.fixture
def new_store(tmp_path: Path) -> Iterator[Engine]:
    """An empty store."""
    opened = connect_store(f"sqlite:///{tmp_path}/results.db")
    yield opened
    opened.dispose()


@pytest.fixture
def history_of(new_store: Engine, tmp_path: Path) -> Historian:
    """Stores runs and returns the history of the last one; `history.run` is that run."""

    def of(nights: Sequence[Night]) -> History:
        return History(new_store, run_data.load_run_data(new_store, store_nights(new_store, tmp_path, nights)))

    return of
