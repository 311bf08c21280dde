# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that Grafana reads when it starts: the store as a data source, and the dashboards on it.

The dashboards are in Grafana's classic JSON model,
https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rack_recipes.errors import StoreError, UsageError
from rack_recipes.integrations.monitoring.grafana.database_differences import DATA_SOURCES, DataSource
from rack_recipes.integrations.monitoring.grafana.panel_sql import panel_sql
from rack_recipes.integrations.monitoring.grafana.panels import DASHBOARDS, PAGES, Dashboard, Panel, Variable
from rack_recipes.store.database.hide_url_password import shown

if TYPE_CHECKING:
    from sqlalchemy import URL

UID = "rack-recipes-store"
PASSWORD = "RACK_RECIPES_GRAFANA_PASSWORD"  # noqa: S105 - the name of a variable
SCHEMA_VERSION = 39  # of the JSON model: Grafana migrates it to its own
WIDE, HIGH = 12, 9  # of 24 columns, and rows


def grafana_files(url: URL, folder: Path, pages: str = PAGES) -> dict[Path, str]:
    """The files for a store, by path. The password stands in none of them: Grafana reads it from its environment.

    Raises StoreError for another kind of database.
    """
    kind = url.get_backend_name()
    if kind not in DATA_SOURCES:
        raise StoreError(f"{shown(url)}: expected one of {', '.join(DATA_SOURCES)}, not {kind}")
    source = DATA_SOURCES[kind]
    boards = folder / "dashboards"
    provisioning = folder / "provisioning"
    made = {boards / f"{one.name}.json": dashboard(one, source, pages) for one in DASHBOARDS}
    made[provisioning / "datasources" / "rack-recipes.yaml"] = _data_source(url, source)
    made[provisioning / "dashboards" / "rack-recipes.yaml"] = _provider(boards)
    return {path: json.dumps(content, indent=2) + "\n" for path, content in made.items()}


def write_files(files: Mapping[Path, str]) -> None:
    """Write the files, over those that are there. Raises UsageError."""
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _data_source(url: URL, source: DataSource) -> Mapping[str, Any]:
    """The store for Grafana. YAML takes JSON."""
    server = {
        "url": f"{url.host}:{url.port or source.port}",
        "user": url.username,
        "secureJsonData": {"password": f"${PASSWORD}"},
    }
    about = {"name": "rack.recipes", "uid": UID, "type": source.kind, "access": "proxy"}
    options = {**about, **(server if url.host else {}), "jsonData": dict(source.options(url)), "editable": False}
    return {"apiVersion": 1, "datasources": [options]}


def _provider(boards: Path) -> Mapping[str, Any]:
    path = str(boards.absolute())
    return {
        "apiVersion": 1,
        "providers": [
            {"name": "rack.recipes", "folder": "rack.recipes", "type": "file", "options": {"path": path}},
        ],
    }


def dashboard(one: Dashboard, source: DataSource, pages: str) -> Mapping[str, Any]:
    """A dashboard in Grafana's JSON model."""
    return {
        "uid": one.name,
        "title": one.title,
        "tags": ["rack.recipes"],
        "schemaVersion": SCHEMA_VERSION,
        "timezone": "utc",
        "time": {"from": "now-30d", "to": "now"},
        "refresh": "1m",
        "graphTooltip": 1,
        "annotations": {"list": []},
        "templating": {"list": [_variable(each, source) for each in one.variables]},
        "panels": [_panel(each, number, source, pages) for number, each in enumerate(one.panels)],
    }


def _reference(source: DataSource) -> dict[str, str]:
    return {"type": source.kind, "uid": UID}


def _variable(one: Variable, source: DataSource) -> Mapping[str, Any]:
    return {
        "type": "query",
        "name": one.name,
        "label": one.label,
        "datasource": _reference(source),
        "query": one.sql,
        "refresh": 2,  # where the time range changes
        "multi": one.several,
        "includeAll": one.several,
        **({"current": {"text": ["All"], "value": ["$__all"]}} if one.several else {}),
    }


def _panel(one: Panel, number: int, source: DataSource, pages: str) -> Mapping[str, Any]:
    is_series = one.kind == "timeseries"
    place = {"x": WIDE * (number % 2), "y": HIGH * (number // 2), "w": WIDE, "h": HIGH}
    query = {"refId": "A", "datasource": _reference(source), **source.query(panel_sql(one.sql, source), is_series)}
    return {
        "id": number + 1,
        "type": one.kind,
        "title": one.title,
        "description": one.about,
        "datasource": _reference(source),
        "gridPos": place,
        "targets": [query],
        "fieldConfig": {
            "defaults": {
                **({"unit": one.unit} if one.unit else {}),
                **({"links": [_link(column, pages) for column in one.links]} if one.links else {}),
            },
            "overrides": [],
        },
        "options": {},
    }


def _link(column: str, pages: str) -> Mapping[str, Any]:
    """What makes each cell of a row lead to the page of the run or host that the row has in a column."""
    url = f"{pages}/{column}s/${{__data.fields.{column}}}"
    return {"title": f"the page of this {column}", "url": url, "targetBlank": True}
