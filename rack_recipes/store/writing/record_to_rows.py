# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns journal records, deltas and the plan of a run into rows that every database accepts and stores alike.

What some database cannot hold is replaced here. In texts, NUL becomes U+2400 (a picture of it) and a lone surrogate
U+FFFD. An integer of more than 64 bits and a number that is not finite become NULL. JSON texts have escapes for all of
these and stay as they are.

Most steps have the same hosts, so each list of hosts is kept once: 100 steps on 1,000 hosts take 20 kB instead of 1 MB.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any

from sqlalchemy import Table

from rack_recipes.context.context_model import Delta
from rack_recipes.journal.record_fields import Record, json_text
from rack_recipes.store.database.database_kind import NAME_LENGTH
from rack_recipes.store.schema.tables import COLUMNS, OUTPUTS, Column, Kind, Source, tables

Row = tuple[Any, ...]
NUL_PICTURE = "\u2400"
REPLACEMENT = "\ufffd"
_SURROGATES = re.compile("[\ud800-\udfff]")
_DIGEST = 16  # characters of the digest at the end of a name that was too long


def storable(value: object) -> str | None:
    """The text without what some database refuses. None stays None; other values become JSON."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json_text(value)
    if "\0" in text:
        text = text.replace("\0", NUL_PICTURE)
    return text if text.isascii() else _SURROGATES.sub(REPLACEMENT, text)


def name(value: object) -> str | None:
    """A text that fits into a column for names. The end of a longer one is replaced by a digest."""
    if value is None:
        return None
    return _name(value if isinstance(value, str) else json_text(value))


def _required_name(value: object) -> str:
    return name(value) or ""


def _name(text: str) -> str:
    if len(text) <= NAME_LENGTH and text.isascii() and "\0" not in text:
        return text
    fitting = storable(text) or ""
    if len(fitting) <= NAME_LENGTH:
        return fitting
    return f"{fitting[: NAME_LENGTH - _DIGEST - 1]}~{sha256(fitting.encode()).hexdigest()[:_DIGEST]}"


def integer(value: object) -> int | None:
    """A whole number of at most 64 bits; None for anything else."""
    return int(value) if isinstance(value, int) and -(2**63) <= value < 2**63 else None


def number(value: object) -> float | None:
    """A finite number; None for anything else."""
    try:
        converted = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return None
    return converted if math.isfinite(converted) else None


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def entries(value: object) -> list[Mapping[str, Any]]:
    """The JSON objects in a list; none for anything else."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def size(value: object) -> int:
    """How many entries a list or mapping has; 0 for anything else."""
    return len(value) if isinstance(value, Sequence | Mapping) else 0


def flag(value: object) -> bool | None:
    """True for True; None for anything else."""
    return True if value is True else None


def truth(value: object) -> bool | None:
    """The value if it is a bool; None for anything else."""
    return value if isinstance(value, bool) else None


def _json_object(value: object) -> str:
    return json_text(mapping(value))


def _some_object(value: object) -> str | None:
    return json_text(value) if mapping(value) else None


def _some_list(value: object) -> str | None:
    return json_text(value) if isinstance(value, list) and value else None


Field = tuple[str, Callable[[Any], Any]]  # its name in the record, and how its value is converted
Fields = Mapping[str, Field]  # by column
CONVERTERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.NAME: name,
    Kind.TEXT: storable,
    Kind.INTEGER: integer,
    Kind.COUNT: integer,
    Kind.SIZE: size,
    Kind.REAL: number,
    Kind.FLAG: flag,
    Kind.TRUTH: truth,
    Kind.OBJECT: _some_object,
    Kind.GIVEN_OBJECT: _json_object,
    Kind.LIST: _some_list,
    Kind.JSON: json_text,
    Kind.SOME_OBJECT: _some_object,
    Kind.SOME_TEXT: lambda text: storable(text) or None,
}


def _fields(table: str, source: Source = Source.RECORD) -> Fields:
    """The columns of a table that have their values from a source. The parts of its key are numbered by us."""
    return {
        column.name: (column.field or column.name, _converter(column))
        for column in COLUMNS[table]
        if column.source is source
    }


def _converter(column: Column) -> Callable[[Any], Any]:
    return _required_name if column.is_required and column.kind is Kind.NAME else CONVERTERS[column.kind]


RUN, RECIPE, GROUP, END = (_fields("runs", part) for part in (Source.RECORD, Source.RECIPE, Source.GROUP, Source.END))
STEP, ATTEMPT = _fields("steps"), _fields("steps", Source.ATTEMPT)
ARTIFACT, TRANSFER = _fields("artifacts"), _fields("artifacts", Source.TRANSFER)
NUMBERED = ("host", "step", "n")  # parts of keys that rows get otherwise
MEASURED, FINDING, JUDGEMENT = (
    {name: field for name, field in _fields(table).items() if name not in NUMBERED}
    for table in ("measurements", "analysis", "judgements")
)


def columns_from(fields: Fields, record: Mapping[str, object]) -> dict[str, Any]:
    """The values of the columns that a record has fields for."""
    return {column: convert(record.get(field)) for column, (field, convert) in fields.items()}


@cache
def names_of(table: Table) -> tuple[str, ...]:
    """The names of the table's columns, in their order."""
    return (*table.columns.keys(),)


def in_order(table: Table, columns: Mapping[str, object]) -> Row:
    """The row as a tuple, in the order of the table's columns."""
    return tuple(map(columns.get, names_of(table)))


def delta_row(run_id: str, delta: Delta, host: str, clock_offset: float | None = None) -> Row:
    """The row of `context` for a change that `host` made.

    `clock_offset` is by how many seconds the host's clock was ahead of the controller's; None if that is not known.
    """
    return (
        run_id,
        delta.seq,
        _name(delta.time),
        _name(delta.host),
        _name(delta.step),
        integer(delta.attempt),
        _name(delta.scope),
        _name(delta.key),
        delta.version,
        integer(delta.based_on),
        delta.before,
        delta.after,
        _name(delta.who),
        None if host == delta.host else _name(host),
        clock_offset,
    )


def conflict_row(row: Row, delta: Delta) -> Row:
    """The row of `conflicts` for a delta that met another write; `row` is its row of `context`."""
    merge = {
        "policy": _name(delta.policy),
        "outcome": delta.outcome,
        "other": delta.other,
        "fields": json_text(list(delta.both)) if delta.both else None,
    }
    met = dict(zip(names_of(tables().context), row, strict=True))
    return in_order(tables().conflicts, met | merge)


def checks_of(record: Record) -> int:
    """How many criteria were judged. For a looped step it is 0, since its instances have records of their own."""
    return 0 if integer(record.get("instances")) else max(integer(record.get("checks")) or 0, 0)


def step_row(run_id: str, record: Record, planned: Mapping[str, object]) -> Row:
    """The row of `steps`; `planned` is the step as the run record describes it."""
    attempts = entries(record.get("attempts"))
    last = attempts[-1] if attempts else {}
    kept = [*attempts[:-1], {field: value for field, value in last.items() if field not in OUTPUTS}]
    columns = {
        "run_id": run_id,
        **columns_from(STEP, record),
        **columns_from(ATTEMPT, last),
        "idx": integer(planned.get("idx")),
        "scope": name(planned.get("scope") or ("host" if record["host"] else "run")),
        "cache_key": None if record.get("parent") else name(planned.get("cache_key")),
        "attempts": json_text(kept if attempts else []),
    }
    return in_order(tables().steps, columns)


def measurement_rows(run_id: str, record: Record) -> list[Row]:
    """The rows of `measurements` for a step, numbered from 1."""
    host, step = _name(record["host"]), _name(record["step"])
    found = entries(record.get("measurements"))
    return [
        (run_id, host, step, n, *(convert(entry.get(field)) for field, convert in MEASURED.values()))
        for n, entry in enumerate(found, 1)
    ]


def host_rows(run_id: str, record: Record) -> list[Row]:
    """The rows of `hosts`: the attributes of the hosts that have some, from the run record."""
    found = mapping(record.get("attributes"))
    return [(run_id, _name(host), json_text(mapping(own))) for host, own in found.items() if mapping(own)]


def analysis_row(run_id: str, n: int, record: Mapping[str, object]) -> Row:
    """The row of `analysis` for the finding with the number `n`; `record` has its fields."""
    return in_order(tables().analysis, {"run_id": run_id, "n": n, **columns_from(FINDING, record)})


def judgement_columns(judgement: Mapping[str, object]) -> dict[str, Any]:
    """The columns of `judgements` for a judgement, without its run and its number."""
    return columns_from(JUDGEMENT, judgement)


def pack_plan(record: Mapping[str, object]) -> dict[str, Any]:
    """The plan in a run record: `hosts` are lists, `steps` has by name the place of its list.

    Names are those of the rows of results, where a long one is cut. `derived` has the definitions by name, where the
    recipe has some. What is wrong is left out.
    """
    lists: dict[tuple[str, ...], int] = {}
    steps: dict[str, int] = {}
    for step in entries(record.get("steps")):
        hosts = step.get("hosts")
        if isinstance(step.get("name"), str) and isinstance(hosts, list):
            known = (*(str(name(host)) for host in hosts if isinstance(host, str)),)
            steps[str(name(step["name"]))] = lists.setdefault(known, len(lists))
    derived = record.get("derived")
    return {
        "hosts": [*map(list, lists)],
        "steps": steps,
        **({"derived": derived} if derived and isinstance(derived, dict) else {}),
    }
