# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the run of a group from the rows of its parts.

Parts may be stored from several machines at the same time. Each part's rows stay as they are; the run of the group has
copies, made anew whenever a part begins or ends. So it can be made at any moment, again, and by anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import batched
from typing import Any, cast

import sqlalchemy as sql

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes.errors import UsageError
from rack_recipes.journal.record_fields import json_text
from rack_recipes.journal.step_results_and_end_status import EXIT_CODES, status_of
from rack_recipes.store.database.database_kind import reading_connection
from rack_recipes.store.database.databases_and_errors import call_patiently, translate_errors
from rack_recipes.store.reading.recorded_runs import AT_ONCE, decoded, near_group
from rack_recipes.store.result import Result
from rack_recipes.store.schema.tables import RUN_COLUMNS, tables
from rack_recipes.store.writing.choose_part_results import (
    GROUP_STEP,
    RUNNING,
    Group,
    Missing,
    choose_results,
    counts_of,
    missing_results,
    part_of,
)
from rack_recipes.store.writing.record_to_rows import in_order, name, pack_plan, step_row, storable
from rack_recipes.store.writing.write_rows import PATIENCE, write_rows

SHARED = [column.name for column in RUN_COLUMNS if column.is_shared]
JSON = ("plan", "group_info", "counts", "options")


def join_parts(
    engine: sql.Engine, group_id: str, *, finish: bool = False, hosts: Sequence[str] = (), patience: float = PATIENCE
) -> Group:
    """Make the run of a group anew; returns the group.

    `finish` says that no more parts come: one that has not ended is given up. `hosts` must be in a part, whether or not
    the parts knew of them. Raises UsageError where there is no such group, StoreError where it cannot be written.
    """
    made: list[Group] = []
    with _named(engine, group_id), translate_errors(engine.url):
        call_patiently(lambda: made.append(_join(engine, group_id, finish=finish, hosts=hosts)), patience)
    return made[-1]


class _NoGroup(Exception):
    """The store has no part of the group."""


@contextmanager
def _named(engine: sql.Engine, group_id: str) -> Iterator[None]:
    """Tell with UsageError that there is no such group, once no transaction is open any more."""
    try:
        yield
    except _NoGroup:
        raise UsageError(f"there is no group {group_id!r} in the store{near_group(engine, group_id)}") from None


def _join(engine: sql.Engine, group_id: str, *, finish: bool, hosts: Sequence[str]) -> Group:
    """One transaction. The row of the group is locked first, so that parts that end at the same time wait."""
    with engine.begin() as connection:
        held = _lock(connection, group_id)
        rows = _part_rows(connection, group_id)
        if not rows:
            raise _NoGroup
        finished = held.get("finished") or (now() if finish else "")
        group = _group(group_id, rows, finished, [*dict.fromkeys((*held.get("named", ()), *hosts))])
        _forget(connection, group_id)
        _write(connection, group, rows)
        return group


def _group(group_id: str, rows: Sequence[Mapping[str, Any]], finished: str, named: Sequence[str]) -> Group:
    return Group(group_id, [part_of(row, row["plan"]) for row in rows], finished, named)


def read_group(engine: sql.Engine, group_id: str) -> Group:
    """The parts of a group as the store has them now. Raises UsageError where there are none, or StoreError."""
    table = tables().runs
    with _named(engine, group_id), translate_errors(engine.url), reading_connection(engine) as connection:
        rows = _part_rows(connection, group_id)
        if not rows:
            raise _NoGroup
        held = connection.execute(sql.select(table.c.group_info).where(table.c.run_id == group_id)).scalar()
    info = decoded(held) or {}
    return _group(group_id, rows, info.get("finished", ""), info.get("named", ()))


def _lock(connection: sql.Connection, group_id: str) -> dict[str, Any]:
    """Lock the row of the group, which is made where it is missing; returns what it has said so far of its parts."""
    table = tables().runs
    found = connection.execute(
        sql.select(table.c.part, table.c.group_id, table.c.group_info)
        .where(table.c.run_id == group_id)
        .with_for_update()
    ).one_or_none()
    if found is not None:
        if found.group_id != group_id or found.part is not None:
            raise UsageError(f"there is a run {group_id!r} already, which is no group: give the group another id")
        return decoded(found.group_info) or {}
    stub = {"run_id": group_id, "group_id": group_id, "status": RUNNING, "journal_offset": 0, "next_seq": 1}
    write_rows(connection, table, [in_order(table, stub)])
    return {}


def _part_rows(connection: sql.Connection, group_id: str) -> list[dict[str, Any]]:
    """The rows of the parts in the order in which they began."""
    table = tables().runs
    query = sql.select(table).where(table.c.group_id == group_id, table.c.part.is_not(None))
    rows = [dict(row) for row in connection.execute(query.order_by(table.c.started, table.c.run_id)).mappings()]
    return [{**row, **{column: decoded(row[column]) or {} for column in JSON}} for row in rows]


def _forget(connection: sql.Connection, group_id: str) -> None:
    """Delete the rows that are made anew; findings, judgements and baselines stay."""
    known = tables()
    for table in (known.measurements, known.conflicts, known.artifacts, known.context, known.steps, known.hosts):
        connection.execute(sql.delete(table).where(table.c.run_id == group_id))


def _write(connection: sql.Connection, group: Group, rows: Sequence[Mapping[str, object]]) -> None:
    ids = [part.run_id for part in group.parts]
    results = {run_id: _results(connection, run_id) for run_id in ids}
    chosen = choose_results(ids, results)
    seq = 0
    for run_id in ids:
        _copy_results(connection, group.run_id, run_id, results[run_id], chosen[run_id])
        seq = _copy_changes(connection, group.run_id, run_id, seq)
    _copy_hosts(connection, group)
    _raise_versions(connection, group)
    missing = [*missing_results(group, chosen)]
    _write_missing(connection, group, missing, results)
    write_rows(connection, tables().runs, [in_order(tables().runs, _group_row(connection, group, rows, seq))])


def _results(connection: sql.Connection, run_id: str) -> list[Result]:
    table = tables().steps
    names = ("host", "step", "verdict", "parent", "stage", "idx", "scope", "tries")
    rows = connection.execute(sql.select(*(table.c[column] for column in names)).where(table.c.run_id == run_id))
    return cast("list[Result]", [dict(zip(names, row, strict=True)) for row in rows])


def _copy_results(
    connection: sql.Connection,
    group_id: str,
    run_id: str,
    all_of_it: Sequence[Result],
    chosen: Mapping[str, Sequence[Result]],
) -> None:
    """Copy the results that count. Most hosts are in one part: theirs are copied together, those of others by host."""
    had: dict[str, int] = {}
    for row in all_of_it:
        had[row["host"]] = had.get(row["host"], 0) + 1
    split = {
        host: [row["step"] for row in chosen.get(host, ())] for host in had if len(chosen.get(host, ())) < had[host]
    }
    for table in (tables().steps, tables().measurements, tables().artifacts):
        _copy(connection, table, group_id, run_id, *(table.c.host.not_in(part) for part in batched(split, AT_ONCE)))
        for host, steps in split.items():
            for part in batched(steps, AT_ONCE):
                _copy(connection, table, group_id, run_id, table.c.host == host, table.c.step.in_(part))


def _copy(
    connection: sql.Connection,
    table: sql.Table,
    group_id: str,
    run_id: str,
    *where: sql.ColumnElement[bool],
    **changed: Any,
) -> None:
    """Copy the rows of a part that these conditions choose. `changed` has columns with other values."""
    values: dict[str, Any] = {"run_id": sql.literal(group_id), **changed}
    if table is tables().artifacts:  # the files stay in the folder of the part
        values["path"] = sql.literal(f"../{run_id}/") + table.c.path
    source = sql.select(*(values.get(column.name, column) for column in table.c))
    connection.execute(
        table.insert().from_select([column.name for column in table.c], source.where(table.c.run_id == run_id, *where))
    )


def _copy_changes(connection: sql.Connection, group_id: str, run_id: str, seq: int) -> int:
    """Copy all changes and conflicts, numbered on behind those of earlier parts; returns the last number."""
    last = seq
    for table in (tables().context, tables().conflicts):
        _copy(connection, table, group_id, run_id, seq=table.c.seq + seq)
        newest = connection.execute(sql.select(sql.func.max(table.c.seq)).where(table.c.run_id == group_id)).scalar()
        last = max(last, newest or 0)
    return last


def _copy_hosts(connection: sql.Connection, group: Group) -> None:
    """Copy what the inventory says of each host; of a host in several parts the last one counts."""
    table, several = tables().hosts, group.several()
    for part in group.parts:
        earlier = [host for host, parts in several.items() if part in parts and parts[-1] is not part]
        _copy(
            connection,
            table,
            group.run_id,
            part.run_id,
            *(table.c.host.not_in(some) for some in batched(earlier, AT_ONCE)),
        )


def _raise_versions(connection: sql.Connection, group: Group) -> None:
    """Count on the versions of keys that several parts have set, so that none is there twice."""
    table, ids = tables().context, [part.run_id for part in group.parts]
    place = (table.c.key, table.c.host)
    of_parts = sql.select(*place).where(table.c.run_id.in_(ids)).group_by(*place)
    shared = connection.execute(of_parts.having(sql.func.count(table.c.run_id.distinct()) > 1)).all()
    for key, host in shared:
        rows = connection.execute(
            sql.select(table.c.seq).where(table.c.run_id == group.run_id, table.c.key == key, table.c.host == host)
        )
        for version, seq in enumerate(sorted(row.seq for row in rows), 1):
            connection.execute(
                table.update().where(table.c.run_id == group.run_id, table.c.seq == seq).values(version=version)
            )


def _write_missing(
    connection: sql.Connection, group: Group, missing: Sequence[Missing], results: Mapping[str, Sequence[Result]]
) -> None:
    """Write an error for each step on a host that has no result, and one for what is wrong with the whole group."""
    known = {row["step"]: row for rows in results.values() for row in rows if not row["parent"]}
    rows = [_missing_row(group.run_id, one, known.get(one.step)) for one in missing]
    if problems := [*group.problems()]:
        rows.append(_missing_row(group.run_id, Missing(GROUP_STEP, "", "; ".join(problems)), None))
    write_rows(connection, tables().steps, rows)


def _missing_row(group_id: str, one: Missing, like: Result | None) -> tuple[Any, ...]:
    record = {
        "kind": "step",
        "stage": like["stage"] if like else 0,
        "n": 0,
        "host": one.host,
        "step": one.step,
        "verdict": "error",
        "reason": one.reason,
        "started": now(),
        "seconds": 0.0,
        "blocks": True,
    }
    return step_row(group_id, record, {"idx": like["idx"], "scope": like["scope"]} if like else {})


def _group_row(connection: sql.Connection, group: Group, rows: Sequence[Mapping[str, Any]], seq: int) -> dict[str, Any]:
    """The row of the group in `runs`."""
    counts, checks = _counted(connection, group.run_id)
    first, whole = rows[0], group.whole()
    is_check = any(row["options"].get("check") for row in rows)
    status = RUNNING if group.is_running else status_of(counts, checks, is_check=is_check)
    ended = max((part.ended for part in group.parts), default="") or group.finished
    derived = {"derived": first["plan"]["derived"]} if first["plan"].get("derived") else {}
    plan = pack_plan({"steps": [{"name": step, "hosts": sorted(hosts)} for step, hosts in whole.items()], **derived})
    return {
        **{column: first[column] for column in SHARED},
        "run_id": group.run_id,
        "group_id": group.run_id,
        "started": first["started"],
        "ended": None if group.is_running else name(ended),
        "status": status,
        "exit_code": None if group.is_running else EXIT_CODES[status],
        "controller": name(", ".join(dict.fromkeys(part.controller for part in group.parts))),
        "hosts": len(frozenset(group.named).union(*whole.values()) - {""}),
        "counts": json_text(counts),
        "journal_offset": 0,
        "next_seq": seq + 1,
        "options": _options(rows),
        "checks": checks,
        "plan": storable(json_text(plan)),
        "group_info": storable(json_text(group.to_info())),
        "stopped": next((row["stopped"] for row in rows if row["stopped"]), None),
    }


def _options(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The options that all parts have in common: each may have a --limit of its own."""
    same = {
        key: value for key, value in rows[0]["options"].items() if all(row["options"].get(key) == value for row in rows)
    }
    return json_text(same) if same else None


def _counted(connection: sql.Connection, group_id: str) -> tuple[dict[str, int], int]:
    """The counts of verdicts, and how many criteria were judged."""
    table = tables().steps
    query = sql.select(table.c.verdict, table.c.instances, table.c.checks).where(table.c.run_id == group_id)
    rows = connection.execute(query).all()
    return counts_of((row.verdict, row.instances) for row in rows), sum(row.checks or 0 for row in rows)
