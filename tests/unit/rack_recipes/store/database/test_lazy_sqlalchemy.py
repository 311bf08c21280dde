# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from rack_recipes.errors import StoreError
from rack_recipes.store.database import lazy_sqlalchemy as sql
from rack_recipes.store.database_engine import connect_for_reading, connect_store
from rack_recipes.store.reading import recorded_runs

WITHOUT = """
import sys
from importlib import import_module
sys.modules.update(dict.fromkeys(("sqlalchemy", "alembic", "pymysql")))
for name in sys.argv[1:]:
    import_module(f"rack_recipes.{name}")
"""


def test_each_file_can_be_imported_without_the_packages() -> None:
    store = Path(sql.__file__).parents[1]
    names = [".".join(path.relative_to(store.parent).with_suffix("").parts) for path in sorted(store.rglob("*.py"))]
    assert {
        "store.database.lazy_sqlalchemy",
        "store.schema.migrations.env",
        "store.schema.migrations.versions.0001_first",
    } < set(names)
    subprocess.run([sys.executable, "-c", WITHOUT, *names, "cli.results"], check=True)


@pytest.mark.parametrize("opener", [connect_store, connect_for_reading])
def test_without_sqlalchemy_the_user_reads_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: Callable[[str], Engine]
) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(StoreError, match=r"import of sqlalchemy halted.*`pip install rack-recipes` brings it"):
        opener(f"sqlite:///{tmp_path}/store/results.db")
    assert not (tmp_path / "store").exists()


def test_without_alembic_a_store_can_be_made_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[..., Engine]
) -> None:
    url = f"sqlite:///{tmp_path}/store/results.db"
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "alembic", None)
        with pytest.raises(StoreError, match=r"import of alembic halted.*`pip install rack-recipes` brings it"):
            connect_store(url)
    assert recorded_runs.runs(opened(url)) == []


@pytest.mark.parametrize(
    ("scheme", "driver", "package"),
    [
        ("mysql", "pymysql", "rack-recipes"),
        ("mariadb", "pymysql", "rack-recipes"),
        ("postgresql", "psycopg", r"'rack-recipes\[postgresql\]'"),
    ],
)
def test_without_a_driver_the_user_reads_what_to_install(
    monkeypatch: pytest.MonkeyPatch, scheme: str, driver: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(StoreError, match=f"no driver: .*{driver}.*`pip install {package}` brings") as caught:
        connect_store(f"{scheme}://rack:s3cret@127.0.0.1/rack")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["selekt", "__path__"])
def test_a_name_that_sqlalchemy_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(sql, name)
