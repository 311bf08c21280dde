# SPDX-License-Identifier: GPL-3.0-or-later

"""Every page on the databases that several controllers share: each opens, and says what it says on SQLite."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.store.conftest import drop_tables
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import URL, ServedSite
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import (
    LAST,
    addresses,
    night,
    store_runs,
    wrong_fields,
)


def told(url: str, folder: Path) -> dict[str, Any]:
    """The data of every page of a store with two runs; each is also opened as a browser does."""
    with chdir(folder):
        store_runs(night(is_bad=False), night(), url=url)
        return told_here(url)


def told_here(url: str) -> dict[str, Any]:
    with ServedSite(url) as served:
        found = {path: served.data(place) for path, place in addresses().items() if path != "/actions"}
        assert {place: served.ask(place, "admin").status for place in addresses().values()} == dict.fromkeys(
            addresses().values(), 200
        )
        assert served.ask(f"/runs/{LAST}/report", "admin").status == 200
        found["table"] = served.ask(f"/runs/{LAST}/tables/verdicts", "admin").data
        accepted = served.send(f"/runs/{LAST}/baseline?format=json", {"note": "good", "confirm": "yes"}, "author").data
    del found["/runs/{run}"]["run"]["journal"]  # its folder
    return {**found, "baseline": {name: accepted[name] for name in ("run_id", "test_id", "user", "note")}}


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return told(URL, tmp_path_factory.mktemp("sqlite"))


@pytest.mark.parametrize("database", ["mariadb", "postgresql"])
def test_every_page_opens_and_says_what_it_says_on_sqlite(database, on_sqlite, tmp_path, request):
    server = request.getfixturevalue(database)
    drop_tables(server.url)  # what tests before this one have left
    try:
        found = told(server.url, tmp_path)
    finally:
        drop_tables(server.url)
    for path, data in found.items():
        assert path in ("table", "baseline") or wrong_fields(path, data) == []
    assert found == on_sqlite
