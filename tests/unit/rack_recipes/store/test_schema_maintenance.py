# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from rack_recipes.errors import StoreError
from rack_recipes.store import database_engine
from rack_recipes.store.database_engine import WRITERS, opened
from rack_recipes.store.schema.migrate_and_check import HEAD, MIGRATIONS, upgrade


def test_a_store_is_made_and_then_left_alone(url: str) -> None:
    assert database_engine.upgrade_schema(url) == (None, HEAD)
    assert database_engine.upgrade_schema(url) == (HEAD, HEAD)
    assert database_engine.read_schema(url) == (HEAD, HEAD)
    assert database_engine.check_schema(url) == []


def test_an_older_store_is_only_looked_at_until_it_is_upgraded(url: str) -> None:
    store = opened(url, WRITERS)
    upgrade(store, MIGRATIONS, "0001")
    store.dispose()
    assert f"the schema is 0001, expected {HEAD}" in database_engine.check_schema(url)
    assert database_engine.read_schema(url) == ("0001", HEAD)
    assert database_engine.upgrade_schema(url) == ("0001", HEAD)
    assert database_engine.check_schema(url) == []


@pytest.mark.parametrize("ask", [database_engine.read_schema, database_engine.check_schema])
def test_asking_makes_no_store(tmp_path: Path, ask: Callable[[str], Any]) -> None:
    with pytest.raises(StoreError, match="there is no store yet"):
        ask(f"sqlite:///{tmp_path}/results.db")
    assert list(tmp_path.iterdir()) == []


def test_a_newer_store_is_not_touched(url: str, new_store: Engine) -> None:
    with new_store.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"its schema is 9999, made by a newer rack\.recipes.*install that version"):
        database_engine.upgrade_schema(url)
    assert database_engine.read_schema(url) == ("9999", HEAD)
    assert database_engine.check_schema(url) == [f"the schema is 9999, expected {HEAD}"]
