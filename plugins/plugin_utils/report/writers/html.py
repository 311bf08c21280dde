# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one HTML file that needs no network, no font and no library."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING, VERDICTS
from ansible_collections.rack.recipes.plugins.plugin_utils.report import verdict_colours
from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts import chart_style
from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts.heat_map import heat_map
from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts.number_words import seconds
from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts.proportions import proportions
from ansible_collections.rack.recipes.plugins.plugin_utils.report.charts.step_times import bars
from ansible_collections.rack.recipes.plugins.plugin_utils.report.safe_text import cut, shown, visible
from ansible_collections.rack.recipes.plugins.plugin_utils.report.table_model import Column, Table, named

STATIC = Path(__file__).parent / "static"
MOST_ROWS, FIRST_ROWS = 2000, 1000
"""A table with more than `MOST_ROWS` rows shows only the first `FIRST_ROWS`."""

MOST_CHARACTERS = 400_000
"""Characters in all cells of one table, so that long logs do not make the page slow."""

MOST_IN_CELL = 1000
MOST_IN_LINE = 100
WIDE_FROM = 36
"""A cell with more characters needs a wide column."""

TABLES = (
    "causes", "findings", "reasons", "not_passed", "not_run", "hosts", "waived", "flakes", "criteria", "steps",
    "rounds", "reused", "hooks", "slowest", "measurements", "statistics", "values", "verdicts", "context", "conflicts",
    "artifacts", "judgements", "past_runs", "finding_results",
)  # fmt: skip
CODE = frozenset({
    "host", "step", "key", "first_host", "slowest_host", "min_host", "max_host", "nearest_host", "run_id", "source_run",
    "hook", "through",
})  # fmt: skip
"""Columns whose cells are shown in the font for code."""


class Cell(NamedTuple):
    """A cell of the page: `look` is the verdict like which it is shown, `last` the last line of a log."""

    text: str
    css: str = ""
    look: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class PageView:
    """A table of the page: `rows` are those that fit, `total` is how many the table has."""

    table: Table
    heads: tuple[Column, ...]
    rows: Sequence[Sequence[Cell]]
    head_column: int

    @property
    def total(self) -> int:
        """How many rows the table has."""
        return len(self.table.rows)

    @property
    def left_out(self) -> int:
        """How many of them are not on the page."""
        return self.total - len(self.rows)


def write(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write `report.html` into the folder."""
    path = folder / "report.html"
    path.write_text(render(tables), encoding="utf-8", newline="\n")
    return [path]


def render(tables: Sequence[Table]) -> str:
    """The text of the page; the same tables give the same text."""
    by_name = named(tables)
    style = verdict_colours.css() + chart_style.page_css() + (STATIC / "report.css").read_text(encoding="utf-8")
    script = (STATIC / "report.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(STATIC), autoescape=True, undefined=StrictUndefined, finalize=_printed,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["duration"] = seconds
    return environment.get_template("report.html.j2").render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        run=by_name["summary"].record(),
        facts=_facts(by_name["summary"]),
        counts=by_name["counts"],
        looks=VERDICTS,
        look=verdict_colours.style_of,
        passing=PASSING,
        left_out=NOT_TRIED,
        views={name: view(by_name[name]) for name in TABLES},
        charts=_charts(by_name),
        data=_data(by_name["matrix"]),
    )


def _printed(value: Any) -> Any:
    """Make invisible characters visible in all that the template prints; Jinja escapes it afterwards."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def view(table: Table) -> PageView:
    """The rows of a table that fit on the page."""
    names = [column.name for column in table.columns]
    head_column = names.index("host") if "host" in names else 0
    return PageView(table, table.columns, list(_fitting(table)), head_column)


def _fitting(table: Table) -> Iterator[list[Cell]]:
    room = MOST_CHARACTERS
    for row in table.rows if len(table.rows) <= MOST_ROWS else table.rows[:FIRST_ROWS]:
        cells = [cell(value, column) for value, column in zip(row, table.columns, strict=True)]
        room -= sum(len(own.text) for own in cells)
        if room < 0:
            return
        yield cells


def cell(value: Any, column: Column) -> Cell:
    """A value as a cell of the page."""
    text = cut(shown(value, column.kind), MOST_IN_CELL, at_end=column.kind != "log")
    if column.kind == "verdict":
        return Cell(text, "", verdict_colours.style_of(str(value)) if value else "")
    if "\n" in text:
        return Cell(text, "log", last=cut(text.rstrip().rpartition("\n")[2], MOST_IN_LINE))
    if column.kind in ("number", "seconds"):
        return Cell(text, "n" if len(text) <= WIDE_FROM else "w")
    return Cell(text, _text_css(text, column))


def _text_css(text: str, column: Column) -> str:
    marks = {"c": column.name in CODE or column.kind == "json", "t": column.kind == "time", "w": len(text) > WIDE_FROM}
    return " ".join(mark for mark, holds in marks.items() if holds)


def _policy(style: str, script: str) -> str:
    allowed = {"script-src": _hash(script), "style-src": _hash(style), "img-src": "data:"}
    rules = ["default-src 'none'", *(f"{name} {source}" for name, source in allowed.items())]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _facts(summary: Table) -> list[tuple[str, str]]:
    above = {"status", "description", "hosts", "steps", "results", "not_passing", "not_run", "seconds"}
    pairs = zip(summary.columns, summary.rows[0], strict=True)
    facts = [(column, shown(value, column.kind)) for column, value in pairs if column.name not in above]
    return [(column.label, cut(text, MOST_IN_CELL)) for column, text in facts if text]


def _charts(by_name: dict[str, Table]) -> dict[str, Markup]:
    head, body = heat_map(by_name["matrix"])
    return {
        "proportions": proportions(by_name["counts"]),
        "map_head": head,
        "map_body": body,
        "bars": bars(_planned(by_name)),
    }


def _planned(by_name: dict[str, Table]) -> Table:
    """The table of steps without the instances of looped steps."""
    steps = by_name["steps"]
    names = {column.name for column in by_name["matrix"].columns[1:]}
    return replace(steps, rows=tuple(row for row in steps.rows if row[steps.place("step")] in names))


def _data(matrix: Table) -> dict[str, list[str]]:
    """The data for the page's script: names for the heat map, and the order of the verdicts."""
    return {
        "hosts": [visible(row[0]) for row in matrix.rows],
        "steps": [visible(column.name) for column in matrix.columns[1:]],
        "verdicts": list(VERDICTS),
    }
