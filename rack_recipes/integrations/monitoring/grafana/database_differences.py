# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In what Grafana's data sources for the three databases differ: their names, how they are asked, and their SQL.

The sources for MySQL and PostgreSQL come with Grafana. That for SQLite is the plugin `frser-sqlite-datasource`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Query = dict[str, Any]


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
