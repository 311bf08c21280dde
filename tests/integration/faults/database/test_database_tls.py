# SPDX-License-Identifier: GPL-3.0-or-later

"""Encryption options in a store's URL reach the driver. The servers are real and accept only encrypted connections."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.integration.server.certificates import Authority
from database_servers import Database, MariaDB, PostgreSQL
from rack_recipes.errors import StoreError
from rack_recipes.store.database_engine import connect_store

CIPHER = {
    "mysql": "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'",
    "postgresql": "SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, and a server's certificate of the first of them, for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("certificates")
    Authority(folder, "other")
    Authority(folder).signed("server", "127.0.0.1")
    return folder


def files_for(server: Database, certificates: Path) -> dict[str, str]:
    """The server's own copies of its certificate and key: it may run as another user, who alone may read the key."""
    server.folder.mkdir(mode=0o700, parents=True)
    made = {}
    for name in ("server.pem", "server.key"):
        path = server.folder / name
        shutil.copy(certificates / name, path)
        path.chmod(0o600)
        if isinstance(server, PostgreSQL) and os.geteuid() == 0:
            shutil.chown(path, server.USER, server.USER)
        made[name] = str(path)
    return made


@pytest.fixture(scope="module", params=["mysql", "postgresql"])
def encrypted(request: pytest.FixtureRequest, certificates: Path) -> Iterator[tuple[str, str]]:
    """The kind and URL of a server that takes only encrypted connections."""
    if request.param == "mysql":
        server: Database = MariaDB()
        files = files_for(server, certificates)
        server.options = {"ssl-cert": files["server.pem"], "ssl-key": files["server.key"]}
        server.options["require-secure-transport"] = "ON"
    else:
        server = PostgreSQL()
        files = files_for(server, certificates)
        server.options = {"ssl": "on", "ssl_cert_file": files["server.pem"], "ssl_key_file": files["server.key"]}
    with server:
        if isinstance(server, PostgreSQL):
            access = server.folder / "data/pg_hba.conf"
            access.write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
            server.restart()
        yield request.param, server.url


def cipher(kind: str, url: str) -> Any:
    store = connect_store(url, patience=0)
    try:
        with store.connect() as connection:
            return connection.exec_driver_sql(CIPHER[kind]).scalar_one()
    finally:
        store.dispose()


def options(kind: str, authority: Path) -> str:
    return f"ssl_ca={authority}" if kind == "mysql" else f"sslmode=verify-full&sslrootcert={authority}"


def test_a_server_whose_certificate_is_known_is_talked_to_in_secret(encrypted: tuple[str, str], certificates: Path):
    kind, url = encrypted
    assert cipher(kind, f"{url}?{options(kind, certificates / 'authority.pem')}")


def test_a_server_that_only_says_it_is_the_one_is_refused(encrypted: tuple[str, str], certificates: Path):
    kind, url = encrypted
    with pytest.raises(StoreError, match=r"(?i)certificate"):
        cipher(kind, f"{url}?{options(kind, certificates / 'other.pem')}")


def test_without_encryption_such_a_server_takes_nothing(encrypted: tuple[str, str]):
    kind, url = encrypted
    plain = f"{url}?ssl_disabled=true" if kind == "mysql" else f"{url}?sslmode=disable"
    with pytest.raises(StoreError, match=r"(?i)secure|encryption"):
        cipher(kind, plain)
