# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from rack_recipes.errors import StoreError
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs


def test_without_sqlalchemy_the_user_reads_what_to_install(tmp_path: Path) -> None:
    words = f"runs --db sqlite:///{tmp_path}/store/results.db"
    program = f"import sys; sys.modules['sqlalchemy'] = None; sys.argv[1:] = {words.split()}\n"
    program += "from rack_recipes.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == StoreError.exit_code
    assert "import of sqlalchemy halted" in done.stderr
    assert "`pip install rack-recipes` brings it" in done.stderr
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
