# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that Grafana reads when it starts: the store as a data source, and the dashboards with their queries.

The sources for MySQL and PostgreSQL come with Grafana. That for SQLite is the plugin `frser-sqlite-datasource`.

What stands in `${...}` is Grafana's: it puts the chosen values there before it asks the database (`sqlstring` quotes
them for SQL, `date` is ISO 8601 in UTC, in which the times of a store are, too).

The dashboards are in Grafana's classic JSON model,
https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING, VERDICTS
from rack_recipes.errors import StoreError, UsageError
from rack_recipes.store.database.database_kind import url_without_password

Query = dict[str, object]


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data source.

    `kind` is Grafana's name for it, `port` where its server listens by default. `seconds` and `count` are SQL with a
    place for the name of a column or a verdict: a time of the store as seconds since 1970, and how many results of a
    run have a verdict. `query` makes a panel's query of its SQL and of whether it is a series over time. `options` are
    Grafana's `jsonData`, by parts of the URL.
    """

    kind: str
    port: int
    seconds: str
    count: str
    query: Callable[[str, bool], Query]
    options: Callable[[Any], Mapping[str, Any]]


def _of_server(sql: str, is_series: bool) -> Query:
    return {
        "rawSql": sql,
        "rawQuery": True,
        "editorMode": "code",
        "format": "time_series" if is_series else "table",
    }


def _of_sqlite(sql: str, is_series: bool) -> Query:
    return {
        "rawQueryText": sql,
        "queryText": sql,
        "queryType": "time series" if is_series else "table",
        "timeColumns": ["time"] if is_series else [],
    }


DATA_SOURCES: Mapping[str, DataSource] = {
    "sqlite": DataSource(
        kind="frser-sqlite-datasource",
        port=0,
        seconds="CAST(strftime('%%s', %s) AS INTEGER)",
        count="COALESCE(json_extract(r.counts, '$.%s'), 0)",
        query=_of_sqlite,
        options=lambda url: {"path": str(Path(url.database).absolute())},
    ),
    "mysql": DataSource(
        kind="mysql",
        port=3306,
        seconds="TIMESTAMPDIFF(SECOND, '1970-01-01', SUBSTR(%s, 1, 19))",  # in UTC, whatever the session's time zone
        count="COALESCE(JSON_EXTRACT(r.counts, '$.%s'), 0)",
        query=_of_server,
        options=lambda url: {"database": url.database},
    ),
    "postgresql": DataSource(
        kind="grafana-postgresql-datasource",
        port=5432,
        seconds="EXTRACT(EPOCH FROM CAST(%s AS timestamptz))",
        count="COALESCE(CAST(CAST(r.counts AS json) ->> '%s' AS bigint), 0)",
        query=_of_server,
        options=lambda url: {"database": url.database, "sslmode": url.query.get("sslmode", "prefer")},
    ),
}
PAGES = "http://127.0.0.1:8321"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: its kind by Grafana's name, its query, its unit by Grafana's name.

    `links` are the columns whose pages a row leads to: `run`, `host`.
    """

    title: str
    kind: str
    sql: str
    unit: str = ""
    about: str = ""
    links: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that people choose: the query that gives the choices, and whether several can be chosen."""

    name: str
    label: str
    sql: str
    several: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard: the name of its file, its variables and panels."""

    name: str
    title: str
    variables: Sequence[Variable]
    panels: Sequence[Panel]


TEST = Variable(
    "test",
    "Test",
    "SELECT DISTINCT test_id FROM runs WHERE part IS NULL AND test_id IS NOT NULL ORDER BY test_id",
    several=True,
)
MEASUREMENT = Variable("measurement", "Measurement", "SELECT DISTINCT name FROM measurements ORDER BY name")
DASHBOARDS: Sequence[Dashboard] = (
    Dashboard(
        "rack-recipes-runs",
        "Rack tests: runs",
        (TEST,),
        (
            Panel(
                "Runs by how they ended",
                "barchart",
                "SELECT r.status AS status, COUNT(*) AS runs FROM runs r WHERE %(chosen)s "
                "GROUP BY r.status ORDER BY runs DESC, status",
            ),
            Panel(
                "Results that passed",
                "timeseries",
                "SELECT %(seconds r.started)s AS time, r.test_id AS metric, 100.0 * %(passing)s / %(all)s AS value "
                "FROM runs r WHERE %(chosen)s AND r.ended IS NOT NULL AND %(all)s > 0 ORDER BY r.started",
                unit="percent",
            ),
            Panel(
                "Results that did not",
                "timeseries",
                "SELECT %(seconds r.started)s AS time, %(count failed)s AS failed, %(count error)s AS error, "
                "%(count unreachable)s AS unreachable, %(count blocked)s AS blocked "
                "FROM runs r WHERE %(chosen)s AND r.ended IS NOT NULL ORDER BY r.started",
            ),
            Panel(
                "Duration",
                "timeseries",
                "SELECT %(seconds r.started)s AS time, r.test_id AS metric, "
                "%(seconds r.ended)s - %(seconds r.started)s AS value "
                "FROM runs r WHERE %(chosen)s AND r.ended IS NOT NULL ORDER BY r.started",
                unit="s",
            ),
            Panel(
                "Last runs",
                "table",
                "SELECT r.started AS started, r.test_id AS test, r.run_id AS run, r.status AS status, "
                "r.hosts AS hosts, %(bad)s AS not_passed FROM runs r WHERE %(chosen)s "
                "ORDER BY r.started DESC, r.run_id LIMIT 50",
                links=("run",),
            ),
            Panel(
                "Causes and other problems",
                "table",
                "SELECT r.started AS started, a.run_id AS run, a.kind AS kind, a.title AS title, a.advice AS advice "
                "FROM analysis a JOIN runs r ON r.run_id = a.run_id WHERE %(chosen)s AND a.grade = 'problem' "
                "ORDER BY r.started DESC, a.n LIMIT 50",
                about="What the analysis of each run has found, the newest first.",
                links=("run",),
            ),
            Panel(
                "Hosts that most often did not pass",
                "table",
                "SELECT s.host AS host, COUNT(DISTINCT s.run_id) AS runs, COUNT(*) AS results FROM steps s "
                "JOIN runs r ON r.run_id = s.run_id WHERE %(chosen)s AND s.verdict IN %(is_bad)s "
                "AND s.instances IS NULL AND s.host <> '' GROUP BY s.host ORDER BY results DESC, host LIMIT 20",
                links=("host",),
            ),
            Panel(
                "Steps that most often did not pass",
                "table",
                "SELECT s.step AS step, COUNT(DISTINCT s.run_id) AS runs, COUNT(*) AS results FROM steps s "
                "JOIN runs r ON r.run_id = s.run_id WHERE %(chosen)s AND s.verdict IN %(is_bad)s "
                "AND s.instances IS NULL GROUP BY s.step ORDER BY results DESC, step LIMIT 20",
            ),
        ),
    ),
    Dashboard(
        "rack-recipes-measurements",
        "Rack tests: measurements",
        (TEST, MEASUREMENT),
        (
            Panel(
                "Over the runs",
                "timeseries",
                "SELECT %(seconds r.started)s AS time, MIN(m.value) AS lowest, AVG(m.value) AS mean, "
                "MAX(m.value) AS highest FROM measurements m JOIN runs r ON r.run_id = m.run_id WHERE %(chosen)s "
                "AND m.name IN (${measurement:sqlstring}) AND m.value IS NOT NULL "
                "GROUP BY r.run_id, r.started ORDER BY r.started",
                about="All hosts and steps of each run together.",
            ),
            Panel(
                "By host",
                "table",
                "SELECT m.host AS host, m.step AS step, MAX(m.unit) AS unit, COUNT(*) AS number, "
                "MIN(m.value) AS lowest, AVG(m.value) AS mean, MAX(m.value) AS highest FROM measurements m "
                "JOIN runs r ON r.run_id = m.run_id WHERE %(chosen)s AND m.name IN (${measurement:sqlstring}) "
                "AND m.value IS NOT NULL GROUP BY m.host, m.step ORDER BY mean, host, step LIMIT 200",
                links=("host",),
            ),
            Panel(
                "Beyond a limit, or close to it",
                "table",
                "SELECT r.started AS started, m.run_id AS run, m.host AS host, m.step AS step, m.name AS name, "
                "m.value AS value, m.unit AS unit, m.verdict AS verdict FROM measurements m "
                "JOIN runs r ON r.run_id = m.run_id WHERE %(chosen)s AND m.verdict IN ('failed', 'marginal') "
                "ORDER BY r.started DESC, m.step, m.host, m.n LIMIT 100",
                links=("run", "host"),
            ),
        ),
    ),
)
BAD = tuple(name for name in VERDICTS if name not in PASSING | NOT_TRIED)
CHOSEN = "r.part IS NULL AND r.test_id IN (${test:sqlstring}) AND r.started BETWEEN '${__from:date}' AND '${__to:date}'"


def panel_sql(text: str, source: DataSource) -> str:
    """A query of the table of panels in the SQL of a data source.

    Its words: `%(seconds NAME)s` is the column NAME as seconds since 1970, `%(count VERDICT)s` how many results of a
    run have a verdict; `passing`, `all` and `bad` add such numbers up; `is_bad` lists bad verdicts; `chosen` are the
    runs of the chosen tests and time range.
    """
    return text % _Words(source)


class _Words(dict[str, str]):
    """What the words of a query mean in the SQL of a data source."""

    def __init__(self, source: DataSource) -> None:
        self._source = source
        super().__init__(
            chosen=CHOSEN,
            is_bad=f"({', '.join(f"'{name}'" for name in BAD)})",
            passing=self._sum(name for name in VERDICTS if name in PASSING),
            all=self._sum(VERDICTS),
            bad=self._sum(BAD),
        )

    def __missing__(self, word: str) -> str:
        kind, _space, name = word.partition(" ")
        return {"seconds": self._source.seconds, "count": self._source.count}[kind] % name

    def _sum(self, verdicts: Iterable[str]) -> str:
        return f"({' + '.join(self._source.count % name for name in verdicts)})"


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
        raise StoreError(f"{url_without_password(url)}: expected one of {', '.join(DATA_SOURCES)}, not {kind}")
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
