# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of Grafana's dashboards: every panel once, with its query; panel_sql.py has the words of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
