# SPDX-License-Identifier: GPL-3.0-or-later

"""The dashboards for Grafana: each query of each panel asks each database, and all of them answer the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.integration.faults.broken_databases import store_url
from ansible_collections.rack.recipes.tests.integration.monitoring.grafana_macros import expanded
from ansible_collections.rack.recipes.tests.integration.web.ten_runs import id_of, store_ten_runs
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.analysis.analyse_run import analyse_run, store_findings
from rack_recipes.integrations.monitoring.grafana_dashboards import DASHBOARDS, DATA_SOURCES
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.schema.tables import tables

START = datetime(2026, 11, 2, tzinfo=UTC)  # the first of the ten runs was before
END = datetime(2026, 11, 30, tzinfo=UTC)
LAST = datetime(2026, 11, 10, 22, tzinfo=UTC)
HOSTILE = "it's $1 ${x}"


@pytest.fixture(scope="module", params=["sqlite", "mariadb", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Ten runs in each database; the test of the last one has a name with quotes."""
    folder = tmp_path_factory.mktemp("grafana")
    for url in store_url(request, request.param, folder / "results.db"):
        store_ten_runs(HOSTILE, url, folder / "runs")
        opened = connect_store(url)
        with opened.begin() as connection:  # nothing that these runs have measured is close to a limit
            measured = tables().measurements.c
            of_last = tables().measurements.update().where(measured.run_id == id_of(10), measured.host == "r1")
            connection.execute(of_last.values(verdict="marginal"))
        store_findings(opened, id_of(10), analyse_run(opened, id_of(10)))
        yield opened
        opened.dispose()


def files_of(store: Engine, folder: Path) -> dict[str, Any]:
    """What the command writes for a store, by the names of the files."""
    done = call("grafana", "--output", str(folder), "--db", store.url.render_as_string(hide_password=False))
    assert done.code == 0, done.err
    return {Path(path).name + Path(path).parent.name: Path(path).read_text() for path in done.answer["files"]}


def ask(store: Engine, sql: str) -> list[dict[str, Any]]:
    """The rows of a query that is sent as it is, as Grafana does."""
    with store.connect() as connection:
        rows = connection.exec_driver_sql(sql).mappings().all()
    return [{name: float(v) if isinstance(v, Decimal) else v for name, v in row.items()} for row in rows]


def answers(store: Engine, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each panel, by its title."""
    files = files_of(store, folder)
    found = {}
    for one in DASHBOARDS:
        board = json.loads(files[f"{one.name}.jsondashboards"])
        chosen = {each["name"]: choices(store, each["query"]) for each in board["templating"]["list"]}
        for panel in board["panels"]:
            [target] = panel["targets"]
            sql = target["rawQueryText" if store.url.get_backend_name() == "sqlite" else "rawSql"]
            found[panel["title"]] = ask(store, expanded(sql, chosen, START, END))
    return found


def choices(store: Engine, sql: str) -> list[str]:
    return [next(iter(row.values())) for row in ask(store, sql)]


def test_every_query_of_every_panel_is_answered(store, project):
    found = answers(store, project / "grafana")
    assert {title for title, rows in found.items() if not rows} == set()
    by_status = {row["status"]: row["runs"] for row in found["Runs by how they ended"]}
    assert by_status == {"passed": 8, "failed": 1}
    passed = [row for row in found["Results that passed"] if row["metric"] == HOSTILE]
    assert [(float(row["time"]), float(row["value"])) for row in passed] == [(LAST.timestamp(), 81.25)]
    assert {name: float(value) for name, value in found["Results that did not"][-1].items()} == {
        "time": LAST.timestamp(), "failed": 3, "error": 0, "unreachable": 0, "blocked": 3,
    }  # fmt: skip
    assert [float(row["value"]) for row in found["Duration"]] == [0] * 9
    last = found["Last runs"][0]
    assert (last["run"], last["test"], last["hosts"], float(last["not_passed"])) == (id_of(10), HOSTILE, 8, 3)
    assert "leaf2" in found["Causes and other problems"][0]["title"]
    assert [(row["host"], row["results"]) for row in found["Hosts that most often did not pass"]] == [
        ("r3", 1), ("r4", 1), ("r5", 1),
    ]  # fmt: skip
    assert found["Steps that most often did not pass"] == [{"step": "uplink", "runs": 1, "results": 3}]
    assert len(found["Over the runs"]) == 9
    assert 94 < found["Over the runs"][-1]["mean"] < 96
    assert [row["number"] for row in found["By host"]] == [9] * 8
    [close] = found["Beyond a limit, or close to it"]
    assert (close["run"], close["host"], close["name"], close["verdict"]) == (id_of(10), "r1", "rate", "marginal")


def test_a_time_range_without_runs_is_empty(store, project):
    for one in DASHBOARDS:
        for panel in one.panels:
            sql = panel_of(store, panel.sql)
            chosen = {"test": [HOSTILE], "measurement": ["rate"]}
            assert ask(store, expanded(sql, chosen, END, END + timedelta(days=1))) == []


def panel_of(store: Engine, sql: str) -> str:
    from rack_recipes.integrations.monitoring.grafana_dashboards import panel_sql

    return panel_sql(sql, DATA_SOURCES[store.url.get_backend_name()])


def test_grafana_finds_the_store_and_no_file_has_its_password(store, project):
    files = files_of(store, project / "grafana")
    password = store.url.password
    assert not any(password and password in text for text in files.values())
    [source] = json.loads(files["rack-recipes.yamldatasources"])["datasources"]
    assert source["type"] == DATA_SOURCES[store.url.get_backend_name()].kind
    if password:
        assert source["secureJsonData"] == {"password": "$RACK_RECIPES_GRAFANA_PASSWORD"}
        assert (source["url"], source["user"]) == (f"{store.url.host}:{store.url.port}", store.url.username)
    else:
        assert source["jsonData"] == {"path": store.url.database}
    [provider] = json.loads(files["rack-recipes.yamldashboards"])["providers"]
    assert provider["options"]["path"] == str(project / "grafana" / "dashboards")
