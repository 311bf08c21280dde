# SPDX-License-Identifier: GPL-3.0-or-later

"""How each database answers what the commands ask, by its own word: with an index, never by reading a whole table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, Engine, Table, event, text

from rack_recipes.journal.step_results_and_end_status import Cell
from rack_recipes.store.reading import recorded_runs, several_runs
from rack_recipes.store.reading.earlier_runs import median_durations, read_cached_results
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.import_journal import stored
from rack_recipes.store.writing.record_to_rows import in_order
from rack_recipes.store.writing.write_rows import forget_measurements, write_rows

OLD = 3000  # runs of which nothing else is left
RUNS, HOSTS, STEPS, KEYS = 150, 4, 10, 20  # of a run: 40 steps, 80 changes, 40 measurements
RUN, HOST, STEP, KEY = "R0100", "r2", "step3", "t.key7_v1"
LARGE = frozenset({"steps", "context", "measurements", "conflicts", "artifacts"})  # grow with steps and hosts
Ask = Callable[[Engine], object]


def _forget(store: Engine) -> None:
    with store.begin() as connection:
        forget_measurements(connection, RUN, [Cell(STEP, HOST)])


def _delete(store: Engine) -> None:
    with store.begin() as connection:
        connection.execute(tables().runs.delete().where(tables().runs.c.run_id == "R0000"))


# What commands ask, and what a run does; each question of these tables has to be found by an index.
QUESTIONS: Mapping[str, Ask] = {
    "runs": recorded_runs.runs,
    "runs: flakes": lambda store: recorded_runs.flakes(store, [f"R{number:04}" for number in range(100, 120)]),
    "a run by its id": lambda store: recorded_runs.run(store, RUN),
    "the newest run": recorded_runs.newest,
    "a run by the start of its id": lambda store: recorded_runs.find(store, RUN),
    "show: steps": lambda store: recorded_runs.steps(store, RUN),
    "analyse: steps": lambda store: recorded_runs.judged(store, RUN),
    "report: steps": lambda store: recorded_runs.reported(store, RUN),
    "analyse: verdicts of some hosts": lambda store: several_runs.verdicts_and_inputs(store, RUN, {HOST}),
    "show: measurements": lambda store: recorded_runs.measurements(store, RUN),
    "show: conflicts": lambda store: recorded_runs.conflicts(store, RUN),
    "show: who met": lambda store: recorded_runs.origins(store, RUN),
    "ctx show: hosts": lambda store: recorded_runs.hosts(store, RUN),
    "show: artifacts": lambda store: recorded_runs.artifacts(store, RUN),
    "show and ctx diff: context": lambda store: recorded_runs.context(store, RUN),
    "ctx show": lambda store: recorded_runs.history(store, RUN),
    "ctx history": lambda store: recorded_runs.history(store, RUN, KEY),
    "ctx history of a host": lambda store: recorded_runs.history(store, RUN, KEY, HOST),
    "results under a cache key": lambda store: read_cached_results(store, ["cache3", "cache4"]),
    "durations": lambda store: median_durations(store, "T-7", [STEP, "step4"]),
    "what is stored already": lambda store: stored(store, RUN),
    "measurements that are written anew": _forget,
    "a run that is pruned": _delete,
}


class Access(NamedTuple):
    """How a table is read: by which index, and whether all of it is."""

    table: str
    by: str
    is_whole: bool


def _rows() -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    known = tables()
    ids = [(f"R{number:04}", number) for number in range(RUNS)]
    hosts = [f"r{number}" for number in range(HOSTS)]
    steps = [f"step{number}" for number in range(STEPS)]
    all_runs = [(f"R{number:04}", number) for number in range(RUNS + OLD)]
    times = {run: f"2026-{1 + number % 12:02}-{1 + number % 28:02}T00:00:{number:06}Z" for run, number in all_runs}
    yield (
        known.runs,
        [
            {"run_id": run, "status": "passed", "journal_offset": 1, "next_seq": 1, "started": times[run]}
            | {"test_id": f"T-{number % 10}", "recipe": f"recipes/{number % 10}.yml", "journal": "x" * 200}
            for run, number in all_runs
        ],
    )
    yield (
        known.steps,
        [
            {"run_id": run, "host": host, "step": step, "verdict": "passed", "seconds": 1.0, "started": times[run]}
            | {"cache_key": f"cache{step[4:]}" if number % 10 == 0 else None, "inputs": f"sha256:{number}"}
            | {"attempts": "[]", "stdout": "x" * 100}
            for run, number in ids
            for host in hosts
            for step in steps
        ],
    )
    yield (
        known.context,
        [
            {"run_id": run, "seq": 1 + place * KEYS + key, "host": host, "step": STEP, "key": f"t.key{key}_v1"}
            | {"version": 1, "after": '"value"', "time": times[run], "who": STEP, "scope": "host"}
            for run, _number in ids
            for place, host in enumerate(hosts)
            for key in range(KEYS)
        ],
    )
    yield (
        known.measurements,
        [
            {"run_id": run, "host": host, "step": step, "n": 1, "name": "rx_errors", "value": 1.0, "text": "1"}
            for run, _number in ids
            for host in hosts
            for step in steps
        ],
    )
    yield (
        known.conflicts,
        [{"run_id": run, "seq": number, "key": KEY, "host": HOST} for run, _number in ids for number in range(1, 9)],
    )
    yield (
        known.artifacts,
        [
            {"run_id": run, "host": host, "step": STEP, "n": n, "name": "log.txt", "sha256": "0" * 64, "size": 1}
            for run, _number in ids
            for host in hosts
            for n in (1, 2)
        ],
    )


ANALYZE = {
    "sqlite": (),  # nobody does that there
    "mysql": [f"ANALYZE TABLE {table}" for table in ("runs", *sorted(LARGE))],
    "postgresql": ["VACUUM FULL ANALYZE"],  # the rows of earlier tests make its indexes look long
}


@pytest.fixture
def filled(store: Engine) -> Engine:
    """A store with some thousand rows a table, and with what the database knows of them."""
    with store.begin() as connection:
        for table, rows in _rows():
            write_rows(connection, table, [in_order(table, row) for row in rows], are_new=True)
    with store.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in ANALYZE[store.dialect.name]:
            connection.execute(text(statement))
    return store


def asked(store: Engine, ask: Ask) -> list[tuple[str, Any]]:
    """The statements that a question comes to, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *call: Any) -> None:
        seen.append((statement, parameters))

    event.listen(store, "before_cursor_execute", note)
    try:
        ask(store)
    finally:
        event.remove(store, "before_cursor_execute", note)
    return [(statement, given) for statement, given in seen if statement.startswith(("SELECT", "DELETE"))]


def of_sqlite(connection: Connection, statement: str, parameters: Any) -> Iterator[Access]:
    """Lines such as `SEARCH context USING INDEX sqlite_autoindex_context_1 (run_id=?)`, or `SCAN steps`."""
    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
        words = row.detail.split()
        if words[0] in ("SEARCH", "SCAN") and words[1] in tables().metadata.tables:
            index = words[words.index("INDEX") + 1] if "INDEX" in words else ""
            yield Access(words[1], index, is_whole=words[0] == "SCAN")


def of_mysql(connection: Connection, statement: str, parameters: Any) -> Iterator[Access]:
    """A line a table; the type ALL reads the table, `index` the whole index."""
    for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).mappings():
        if row["table"] in tables().metadata.tables:
            yield Access(row["table"], row["key"] or "", is_whole=row["type"] in ("ALL", "index"))


def of_postgresql(connection: Connection, statement: str, parameters: Any) -> Iterator[Access]:
    [(plan,)] = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    yield from _nodes((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])


def _with_parts(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A node and all below it: two indexes of a table may be read together."""
    yield node
    for each in node.get("Plans", ()):
        yield from _with_parts(each)


def _nodes(node: Mapping[str, Any]) -> Iterator[Access]:
    if "Relation Name" in node and node["Node Type"] != "ModifyTable":
        parts = [*_with_parts(node)]
        index = next((part["Index Name"] for part in parts if "Index Name" in part), "")
        yield Access(node["Relation Name"], index, is_whole=not any("Index Cond" in part for part in parts))
    for each in node.get("Plans", ()):
        yield from _nodes(each)


EXPLAINED = {"sqlite": of_sqlite, "mysql": of_mysql, "postgresql": of_postgresql}


def accesses(store: Engine, ask: Ask) -> list[Access]:
    statements = asked(store, ask)
    assert statements
    explain = EXPLAINED[store.dialect.name]
    with store.connect() as connection:
        return [access for each in statements for access in explain(connection, *each)]


@pytest.mark.usefixtures("every_database")
def test_each_question_is_answered_by_an_index(filled: Engine) -> None:
    found = {question: accesses(filled, ask) for question, ask in QUESTIONS.items()}
    whole = {question: [access for access in plan if access.is_whole] for question, plan in found.items()}
    assert {question: plan for question, plan in whole.items() if any(each.table in LARGE for each in plan)} == {}
    indexes = {access.by for plan in found.values() for access in plan if access.table in LARGE}
    assert "ix_steps_cache_key_host_inputs" in indexes
    reads_all_runs = {question for question, plan in whole.items() if plan}
    assert reads_all_runs <= {"runs", "the newest run", "a run by the start of its id", "durations"}
