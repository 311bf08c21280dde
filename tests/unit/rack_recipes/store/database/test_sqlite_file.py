# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from sqlalchemy import text

from rack_recipes.store.database_engine import connect_for_reading, connect_store

CLOSE = "import sqlite3, sys; store = sqlite3.connect(sys.argv[1]); store.execute('SELECT * FROM runs'); store.close()"


def test_a_store_that_is_opened_again_stays_locked(tmp_path: Path) -> None:
    """Else the last of another process takes the log away that this one reads and writes."""
    url = f"sqlite:///{tmp_path}/results.db"
    connect_store(url).dispose()
    store = connect_for_reading(url)
    with closing(store.connect()) as connection:
        connection.execute(text("SELECT * FROM runs"))
        connect_store(url).dispose()
        subprocess.run([sys.executable, "-c", CLOSE, f"{tmp_path}/results.db"], check=True)
        assert (tmp_path / "results.db-wal").exists()
        assert (tmp_path / "results.db-shm").exists()
    store.dispose()
