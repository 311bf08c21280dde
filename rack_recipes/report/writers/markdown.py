# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one Markdown file that is short enough for a comment on GitHub or GitLab, or with all tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.analysis.findings import FINDING_KINDS, PROBLEM, SUMMARY
from rack_recipes.report.format_values import cut, shown, style_of, visible
from rack_recipes.report.table_model import Column, Kind, Row, Table, named, tail

MOST_IN_CELL = 200
MOST_IN_LOG = 400
MOST_SENTENCES = 8


@dataclass(frozen=True, slots=True)
class Extent:
    """What a file holds: its tables in order, each with the characters that it may fill, and of some the most rows.

    `facts` are the columns of the summary that it tells; empty for all.
    """

    rooms: Mapping[str, int]
    most_rows: Mapping[str, int]
    facts: frozenset[str] = frozenset()


PROBLEMS = "problems"
SHORT = Extent(
    {"counts": 1_000, PROBLEMS: 6_000, "not_passed": 9_000},
    {PROBLEMS: 20, "not_passed": 20},
    frozenset(
        {"run_id", "recipe", "started", "seconds", "hosts", "steps", "results", "not_passing", "not_run", "parts"}
    ),
)
"""For a pull request: verdict, summary, findings that are problems, and the first results that did not pass."""
OF_PROBLEM = ("n", "title", "action", "advice", "owner", "explains", "suggestion")
SUMMARY_TITLE = FINDING_KINDS[SUMMARY].title
ROOM = {
    "counts": 2_000,
    "causes": 3_000,
    "findings": 4_000,
    "reasons": 5_500,
    "not_passed": 8_000,
    "not_run": 3_000,
    "hosts": 2_000,
    "waived": 3_000,
    "flakes": 3_000,
    "criteria": 3_500,
    "rounds": 3_000,
    "reused": 2_000,
    "hooks": 1_500,
    "slowest": 3_500,
    "steps": 4_500,
    "measurements": 3_000,
    "context": 3_000,
    "conflicts": 2_000,
    "artifacts": 2_000,
}
"""The tables in the order of the file, and how many characters each may fill; a comment holds 65,536."""
FULL = Extent(ROOM, {"slowest": 10})
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?")
_SPECIAL = re.compile(r"[\\`*_{}\[\]()#+\-.!|~>$:]")


def write(tables: Sequence[Table], folder: Path, templates: str = "") -> list[Path]:
    """Write `report.md` into the folder. `templates` is the project's folder of templates, where it has one."""
    return _write(folder / "report.md", tables, SHORT, templates)


def write_full(tables: Sequence[Table], folder: Path, templates: str = "") -> list[Path]:
    """Write `report-full.md` into the folder, as `write` does."""
    return _write(folder / "report-full.md", tables, FULL, templates)


def _write(path: Path, tables: Sequence[Table], extent: Extent, templates: str) -> list[Path]:
    text = templates and _of_template(tables, extent, templates, f"{path.name}.j2")
    path.write_text(text or render(tables, extent), encoding="utf-8", newline="\n")
    return [path]


def render(tables: Sequence[Table], extent: Extent = SHORT) -> str:
    """The text of the file. A note says how many rows do not fit."""
    by_name = _named(tables)
    names = ("head", "summary", *extent.rooms)
    return "".join(str(_part(by_name, extent, name)) for name in names)


def _of_template(tables: Sequence[Table], extent: Extent, folder: str, name: str) -> str:
    """The text that a project's template makes; it may print our parts by their names. Raises UsageError."""
    # a project without templates does not pay for this import
    from rack_recipes.report.page.templates import render_markdown

    by_name = _named(tables)
    own = partial(_part, by_name, extent)
    return render_markdown(folder, name, plain, run=by_name["summary"].record(), tables=by_name, part=own)


def _named(tables: Sequence[Table]) -> dict[str, Table]:
    by_name = named(tables)
    return {**by_name, PROBLEMS: _problems(by_name["findings"])}


def _part(by_name: Mapping[str, Table], extent: Extent, name: str) -> Markup:
    """A part of the file: its `head`, its `summary` or a table. Raises ValueError for another name."""
    if name not in ("head", "summary", *extent.rooms):
        raise ValueError(f"there is no part {name!r}; there are head, summary, {', '.join(extent.rooms)}")
    lines = {
        "head": lambda: _head(by_name["summary"], extent),
        "summary": lambda: _summary(by_name["findings"]),
    }.get(name, lambda: _section(by_name[name], extent))()
    return Markup("".join(f"{line}\n" for line in lines))


def _problems(findings: Table) -> Table:
    """The findings of grade problem, as far as somebody needs them who has to act; without columns that are empty."""
    found = [row for row in findings.records() if row["grade"] == PROBLEM and row["kind"] != SUMMARY_TITLE]
    told = {name for row in found for name in OF_PROBLEM if row[name] is not None}
    columns = tuple(column for column in findings.columns if column.name in told)
    rows = tuple(tuple(row[column.name] for column in columns) for row in found)
    return Table(PROBLEMS, "What is wrong", columns, rows)


def _summary(findings: Table) -> Iterator[str]:
    """The sentences of the summary, where one was asked for."""
    sentences = [row for row in findings.records() if row["kind"] == SUMMARY_TITLE]
    if sentences:
        yield from ("", f"## {SUMMARY_TITLE}", "")
        for row in sentences[:MOST_SENTENCES]:
            yield f"- {f'({row["suggestion"]}) ' if row['suggestion'] else ''}{plain(row['title'])}"


def plain(text: str, most: int = MOST_IN_CELL) -> str:
    """Text on one line that Markdown shows as it is, without markup, links or mentions; cut after `most` characters."""
    one_line = cut(visible(text), most).replace("\n", "⏎").replace("\t", " ")
    escaped = _SPECIAL.sub(r"\\\g<0>", escape(one_line, quote=False))
    return escaped.replace("@", "&#64;<!-- -->")


def _head(summary: Table, extent: Extent) -> Iterator[str]:
    run = summary.record()
    yield f"# {_verdict(run['status'])}: {plain(run['test_id'] or run['recipe'] or run['run_id'])}"
    yield ""
    if run["description"]:
        yield from (plain(run["description"]), "")
    yield from ("| | |", "| --- | --- |")
    for column, value in zip(summary.columns, summary.rows[0], strict=True):
        is_told = column.name in extent.facts if extent.facts else column.name not in ("status", "description")
        if value is not None and is_told:
            yield f"| {column.label} | {_cell(value, column.kind)} |"


def _section(table: Table, extent: Extent) -> Iterator[str]:
    if not table.rows:
        return
    fitting = list(_fitting(table, extent))
    yield from ("", f"## {table.title}", "", _line([_label(column) for column in table.columns]))
    yield _line([_rule(column) for column in table.columns])
    yield from fitting
    left_out = len(table.rows) - len(fitting)
    if left_out:
        yield from ("", f"{left_out:,} of {len(table.rows):,} rows are left out.")


def _fitting(table: Table, extent: Extent) -> Iterator[str]:
    room = extent.rooms[table.name]
    for row in table.rows[: extent.most_rows.get(table.name)]:
        line = _line(_cells(row, table.columns))
        room -= len(line) + 1
        if room < 0:
            return
        yield line


def _cells(row: Row, columns: Sequence[Column]) -> list[str]:
    return [_cell(value, column.kind) for value, column in zip(row, columns, strict=True)]


def _cell(value: Any, kind: Kind) -> str:
    if kind == "verdict" and value:
        return _verdict(value)
    text = shown(value, kind)
    is_harmless = isinstance(value, int | float) or (kind == "time" and _TIME.fullmatch(text))
    if kind == "log":
        return plain(tail(text, MOST_IN_LOG), 2 * MOST_IN_LOG)
    return text if is_harmless else plain(text)


def _verdict(verdict: str) -> str:
    return f"{VERDICTS[style_of(verdict)].symbol} {plain(verdict)}"


def _label(column: Column) -> str:
    """The title, which may come from a host, with the unit."""
    return f"{plain(column.title)} ({column.unit})" if column.unit else plain(column.title)


def _rule(column: Column) -> str:
    return "---:" if column.kind in ("number", "seconds") else "---"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
