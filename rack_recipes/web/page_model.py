# SPDX-License-Identifier: GPL-3.0-or-later

"""What a page is made of: sections with a table, a chart, facts or a text, and the same as data for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from rack_recipes.errors import RackError
from rack_recipes.report.charts.chart_elements import Chart
from rack_recipes.report.page import page_tables
from rack_recipes.report.page.page_tables import TableView
from rack_recipes.report.table_model import RUN_SCOPED, Column, Table, rows
from rack_recipes.report.writers.json import as_data

if TYPE_CHECKING:
    from rack_recipes.server.access.caller import Caller
    from rack_recipes.web.page_source import LiveRun, PageSource

TICK = "nothing was done: tick this first"

Link = Callable[[Mapping[str, object]], str]
"""The address that a cell leads to, by the cells of its row; "" where it leads nowhere."""


class NoSuchPageError(RackError):
    """There is nothing at this address."""


class FormError(Exception):
    """A form that cannot be done as it was filled in: what is wrong, by the name of the field; "" is the whole form."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a page: who asks, the parts of its path that are names, its query.

    `form` is what a form has sent, `errors` what is wrong with that, by field; `body` is the file that was sent where
    the route takes one. `as_data` is whether a program asks.
    """

    names: Mapping[str, str]
    caller: Caller
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    as_data: bool = False
    body: IO[bytes] | None = None

    def sees(self, run: Mapping[str, Any]) -> bool:
        """Whether who asks may see a run."""
        return self.caller.sees_run(run["run_id"])

    def number(self, name: str, default: int, most: int) -> int:
        """A number of the query, from 1 to `most`. Raises NoSuchPageError for what is none."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= most:
            raise NoSuchPageError(f"{name}={text[:40]}: expected a whole number from 1 to {most}")
        return int(text)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form.

    `kind` is text, area, number, date, password, choice or check; `value` is what it has at first, of a check what it
    has when it is ticked, `error` what is wrong with it. `choices` are values with their words. `limits` are attributes
    of HTML, such as min and max.
    """

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    about: str = ""
    error: str = ""
    required: bool = False
    choices: Sequence[tuple[str, str]] = ()
    limits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """A form that is sent to `address` by a button. `error` is what is wrong with it as a whole."""

    name: str
    title: str
    address: str
    button: str
    about: str = ""
    fields: Sequence[Field] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class LinkedTable:
    """A table of a page, and the address of each cell that leads somewhere, by its row and column."""

    view: TableView
    addresses: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page under a heading; each of its contents may be missing.

    `links` are texts with addresses, `facts` titles with values and addresses, `text` is a log or a source, which is
    folded where it is not `open`; `image` is the address of a picture.
    """

    name: str
    title: str
    about: str = ""
    table: LinkedTable | None = None
    chart: Chart | None = None
    facts: Sequence[tuple[str, str, str]] = ()
    links: Sequence[tuple[str, str]] = ()
    text: str = ""
    image: str = ""
    open: bool = False
    form: Form | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page: `template` shows what it is `told`, `data` is the same for programs.

    `above` are the pages that it belongs to, as texts with addresses. `kind` is the media type of an answer that is no
    page, whose bytes are in `body` or in `file`, with its own `headers`. `follow` is a run whose events the
    answer has. With `moved_to` the browser goes on there; after `again` seconds it loads the page once more.
    """

    title: str
    template: str = "sections.html.j2"
    sections: Sequence[Section] = ()
    told: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    above: Sequence[tuple[str, str]] = ()
    status: str = ""
    about: str = ""
    kind: str = ""
    body: bytes = b""
    file: IO[bytes] | None = None
    headers: Sequence[tuple[str, str]] = ()
    follow: LiveRun | None = None
    moved_to: str = ""
    again: int = 0
    http_status: int = 200

    def for_programs(self, note: str = "") -> dict[str, Any]:
        """The page as data: what it has under `data`, and the tables of its sections.

        `note` says what is left out for who asks.
        """
        tables = {one.name: as_data(one.table.view.table) for one in self.sections if one.table}
        charts = {one.name: as_data(one.chart.figures) for one in self.sections if one.chart}
        texts = {one.name: one.text for one in self.sections if one.text}
        status = {"status": self.status} if self.status else {}
        notes = {"note": note} if note else {}
        return {"title": self.title, **status, **notes, **self.data, **tables, **charts, **texts}


View = Callable[["PageSource", Asked], Page]

CONFIRM, CONFIRMED = "confirm", "yes"
"""The field of a form that asks once more, and its value when it is ticked."""


def confirmation(label: str, about: str, asked: Asked) -> Field:
    """The box to tick in a form that asks once more; `about` is what it means. It is never ticked at first."""
    return Field(CONFIRM, label, "check", CONFIRMED, about, asked.errors.get(CONFIRM, ""), required=True)


def check_confirmed(asked: Asked, why: str) -> None:
    """Raise FormError for a form that asks once more, `why`, and whose box is not ticked."""
    if asked.form.get(CONFIRM) != CONFIRMED:
        raise FormError({CONFIRM: f"{why}; {CONFIRM}={CONFIRMED} does it all the same" if asked.as_data else TICK})


RECIPES = "recipes"
"""The first part of the addresses of recipes, whose names are paths."""


def page_address(*parts: object, **query: object) -> str:
    """The address of a page; each part of its path is escaped, and empty values of the query are left out."""
    named = [str(part or RUN_SCOPED) for part in parts]
    if len(named) > 1 and named[0] == RECIPES and not {"", ".", ".."} & {*named[1].split("/")}:
        named[1:2] = named[1].split("/")
    path = "".join(f"/{quote(part, safe='')}" for part in named)
    given = {name: value for name, value in query.items() if value not in ("", None)}
    return f"{path}?{urlencode(given)}" if given else path


def table(
    name: str, title: str, columns: Sequence[Column], found: Sequence[Mapping[str, object]], links: Mapping[str, Link]
) -> LinkedTable:
    """A table of records; `links` has, by column, where its cells lead."""
    made = Table(name, title, tuple(columns), rows(found, columns) if found else (), title)
    return linked(made, found, links)


def linked(made: Table, found: Sequence[Mapping[str, object]], links: Mapping[str, Link]) -> LinkedTable:
    """A table with links; `found` has the record of each row."""
    view = page_tables.view(made)
    addresses = [
        [links[column.name](record) if column.name in links else "" for column in made.columns]
        for record, _row in zip(found, view.rows, strict=False)
    ]
    return LinkedTable(view, addresses)


def to_run(record: Mapping[str, object]) -> str:
    """The page of a run that a row names."""
    return page_address("runs", record["run_id"]) if record.get("run_id") else ""


def above_run(run: Mapping[str, object], *more: tuple[str, str]) -> Sequence[tuple[str, str]]:
    """The pages that a part of a run belongs to."""
    return (("Runs", "/runs"), (str(run["run_id"]), to_run(run)), *more)


def to_result(record: Mapping[str, object]) -> str:
    """The page of a result that a row names by run, host and step."""
    return page_address("runs", record["run_id"], "hosts", record["host"], record["step"])
