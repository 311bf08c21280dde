# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of one run, in the order in which people read it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, run, step
from rack_recipes.errors import UsageError
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.reading.reading_order import by_names, by_step
from rack_recipes.store.reading.recorded_runs import NOT_IN_BRIEF, RARE, TEXTS_AT_ONCE
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.import_journal import import_journal
from rack_recipes.store.writing.record_to_rows import analysis_row
from rack_recipes.store.writing.write_rows import write_rows

Written = Callable[..., Path]


def started(day: int, run_id: str) -> dict[str, object]:
    return run(run_id, time=f"2026-11-{day:02}T00:00:00.000000Z")


@pytest.fixture
def three(store: Engine, journal: Written) -> Engine:
    for day, run_id in ((2, "20261102-ab"), (3, "20261103-ab"), (1, "20261101-AB%")):
        import_journal(store, journal([started(day, run_id)], run_id))
    return store


def test_runs_come_newest_first(three: Engine) -> None:
    assert [row["run_id"] for row in recorded_runs.runs(three)] == ["20261103-ab", "20261102-ab", "20261101-AB%"]
    assert recorded_runs.newest(three) == "20261103-ab"


def test_an_empty_store_has_no_newest_run(store: Engine) -> None:
    assert recorded_runs.newest(store) is None
    assert recorded_runs.runs(store) == []


@pytest.mark.parametrize(
    ("start", "found"),
    [("20261102", "20261102-ab"), ("20261103-ab", "20261103-ab"), ("20261101-AB%", "20261101-AB%")],
)
def test_a_run_is_found_by_the_start_of_its_id(three: Engine, start: str, found: str) -> None:
    assert recorded_runs.find(three, start) == found


def test_an_id_that_begins_another_is_found(store: Engine, journal: Written) -> None:
    for run_id in ("R1", "R10"):
        import_journal(store, journal([run(run_id)], run_id))
    assert recorded_runs.find(store, "R1") == "R1"


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ("2026", "3 runs begin with '2026': 20261103-ab, 20261102-ab, 20261101-AB%"),
        ("last~3", "last~3: there are only 3 runs in the store"),
        ("20261101-ab", "there is no run '20261101-ab'"),
        ("2026110%", "there is no run"),
        ("lst", r"there is no run 'lst' in the store \(did you mean 'last'\?\)"),
        ("x' OR '1'='1", "there is no run"),
    ],
)
def test_none_or_several_are_told(three: Engine, start: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        recorded_runs.find(three, start)


def test_a_run_that_is_not_there_is_told(three: Engine) -> None:
    with pytest.raises(UsageError, match="there is no run '2026' in the store"):
        recorded_runs.run(three, "2026")
    assert recorded_runs.steps(three, "2026") == []


def test_history_of_a_key_or_of_a_host(store: Engine, journal: Written) -> None:
    changes = [
        delta(1, "r1", key="a_v1", after=1),
        delta(1, "r2", key="a_v1", after=2),
        delta(2, "r1", key="b_v1", after=3),
        delta(3, "r1", key="a_v1", after=None, based_on=1),
        delta(1, "", key="a_v1", scope="run", after=5),
    ]
    import_journal(store, journal([run(), *changes]))

    def sequence(**selected: str) -> list[int]:
        return [row["seq"] for row in recorded_runs.history(store, "R1", **selected)]

    assert sequence() == [1, 2, 3, 4, 5]
    assert sequence(key="a_v1") == [1, 2, 4, 5]
    assert sequence(host="r1") == [1, 3, 4]
    assert sequence(key="a_v1", host="r1") == [1, 4]
    assert sequence(host="") == [5]
    newest = {(row["host"], row["key"]): row["value"] for row in recorded_runs.context(store, "R1")}
    assert newest == {("", "a_v1"): 5, ("r1", "a_v1"): None, ("r1", "b_v1"): 3, ("r2", "a_v1"): 2}


def test_attributes_of_hosts_come_from_the_run_record(store: Engine, journal: Written) -> None:
    import_journal(store, journal([run(attributes={"r1": {"rack": "a1", "position": 7}, "r2": {}})]))
    assert recorded_runs.attributes(store, "R1") == {"r1": {"rack": "a1", "position": 7}}


@pytest.mark.usefixtures("every_database")
def test_findings_come_back_as_they_were_written(store: Engine, journal: Written) -> None:
    """Every database keeps long titles, every character, numbers and the order."""
    import_journal(store, journal([run()]))
    title = "r1 is \u202e\U0010ffff at 9.5 C " + "x" * 300
    record = {
        "kind": "outlier", "grade": "notable", "title": title, "advice": "", "results": [["r1", "a", "t"]],
        "figures": {"value": 9.5, "of": 2**70}, "about": {"host": "r1"}, "method": "vote", "explains": 3,
        "origin": "rules", "suggestion": True, "action": "reseat", "rule": "r", "time": "T",
    }  # fmt: skip
    with store.begin() as connection:
        write_rows(connection, tables().analysis, [analysis_row("R1", n, record) for n in (2, 1)])
    found = recorded_runs.findings(store, "R1")
    assert [row.pop("n") for row in found] == [1, 2]
    assert found[0] == found[1] == {"run_id": "R1", **record}


def test_what_an_analysis_reads_of_results_is_what_was_stored_without_their_output(
    store: Engine, journal: Written
) -> None:
    told = {"n": 1, "verdict": "passed", "exit_code": 0, "stdout": "much"}
    found = {**told, "findings": [{"title": 'a "finding"', "grade": "note"}]}
    records = [step(2, "r1", attempts=[told]), step(3, "r2", attempts=[told, found], tags=["a"], flake=True)]
    import_journal(store, journal([run(), *records]))
    first, second = sorted(recorded_runs.judged(store, "R1"), key=lambda row: str(row["host"]))
    stored = recorded_runs.steps(store, "R1")
    for row, whole in zip((first, second), stored, strict=True):
        assert {**whole, **row, "attempts": whole["attempts"]} == whole
        assert not {"stdout", "stderr", "exit_code", "max_rss_kib"} & row.keys()
    assert first["attempts"] == []
    assert second["attempts"][-1]["findings"] == found["findings"]
    assert "stdout" not in second["attempts"][-1]


def test_columns_that_a_run_does_not_use_are_left_out_of_what_an_analysis_reads(
    store: Engine, journal: Written
) -> None:
    import_journal(store, journal([run(), step(2, "r1"), step(3, "r2", rounds={"count": 2})]))
    for rows in (recorded_runs.judged(store, "R1"), recorded_runs.reported(store, "R1")):
        assert [row["rounds"] for row in sorted(rows, key=lambda row: str(row["host"]))] == [{}, {"count": 2}]
        assert not {"run_id", *RARE} - {"rounds"} & rows[0].keys()


def test_brief_rows_are_those_of_all_without_what_nobody_looks_at(store: Engine, journal: Written) -> None:
    measured = [{"name": "t", "value": 2.5, "unit": "C"}]
    changes = [delta(n, "r1", key=f"k{n % 2}_v1", after=n) for n in (4, 5, 6)]
    import_journal(store, journal([run(), step(2, "r1", measurements=measured), *changes]))
    for read in (recorded_runs.measurements, recorded_runs.context):
        whole, brief = read(store, "R1"), read(store, "R1", brief=True)
        assert whole
        assert brief == [{name: row[name] for name in row if name not in NOT_IN_BRIEF} for row in whole]


def test_what_a_report_reads_of_results_is_what_was_stored(store: Engine, journal: Written) -> None:
    """The log of what did not pass, the attempts of flakes, and what the last attempt used."""
    told = {"n": 1, "verdict": "passed", "exit_code": 0, "max_rss_kib": 9, "stdout": "much", "stderr": "a log"}
    bad = {**told, "verdict": "failed"}
    records = [
        step(2, "r1", attempts=[told]),
        step(3, "r2", attempts=[bad, told], flake=True),
        step(4, "r3", verdict="failed", attempts=[bad]),
    ]
    import_journal(store, journal([run(), *records]))
    found = sorted(recorded_runs.reported(store, "R1"), key=lambda row: str(row["host"]))
    stored = recorded_runs.steps(store, "R1")
    assert [row["stderr"] for row in found] == [None, None, "a log"]
    assert [len(row["attempts"]) for row in found] == [0, 2, 0]
    assert [(row["exit_code"], row["max_rss_kib"], row["flake"]) for row in found] == [
        (0, 9, False),
        (0, 9, True),
        (0, 9, False),
    ]
    for row, whole in zip(found, stored, strict=True):
        assert {**whole, **row, "attempts": 0, "stderr": 0} == {**whole, "attempts": 0, "stderr": 0}
        assert "stdout" not in row


def test_many_json_texts_are_read_as_each_alone_would_be(store: Engine, journal: Written) -> None:
    values = [None, 0, "", [], {}, "a,b", "]", 2**70, 1e300, {"a": [1, "\u2028"]}] * (TEXTS_AT_ONCE // 9)
    changes = [delta(n, "r1", key=f"k{n}_v1", after=value) for n, value in enumerate(values, 1)]
    import_journal(store, journal([run(), *changes]))
    assert len(values) > TEXTS_AT_ONCE
    assert [row["after"] for row in recorded_runs.history(store, "R1")] == values
    assert [row["before"] for row in recorded_runs.history(store, "R1")] == [None] * len(values)


@pytest.mark.parametrize("texts", [("1", "[2", "3]"), ("1", ""), ("1", "x")])
def test_a_text_that_is_not_json_is_not_taken_for_a_part_of_its_neighbours(store: Engine, texts: tuple[str]) -> None:
    query = sql.union_all(*(sql.select(sql.literal(text).label("value")) for text in texts))
    with pytest.raises(JSONDecodeError):
        recorded_runs.read(store, query, {"value": recorded_runs.decoded})


def test_numbers_of_a_path_are_read_alone(store: Engine, journal: Written) -> None:
    names = ("t", "t.max", "t[0]", "tt", "T")
    measured = step(9, "r1", measurements=[{"name": name, "value": 1, "unit": "s"} for name in names])
    keys = ("a", "a_v1", "a.b_v1", "a.b_v1.c", "a.bb_v1", "z_v1")
    changes = [delta(n, host, key=key, after=n) for n, (key, host) in enumerate(product(keys, ("r1", "r2")), 10)]
    import_journal(store, journal([started(1, "R1"), measured, *changes], "R1"))
    found = recorded_runs.measurements(store, "R1", name="t", step="compute")
    assert {row["name"] for row in found} == {"t", "t.max", "t[0]"}
    assert recorded_runs.measurements(store, "R1", step="other") == []
    for path, wanted in (
        ("a.b_v1", {"a", "a.b_v1", "a.b_v1.c"}),
        ("a.b_v1.c.d[0]", {"a", "a.b_v1", "a.b_v1.c"}),
        ("z", set()),
    ):
        assert {row["key"] for row in recorded_runs.context(store, "R1", path=path)} == wanted, path


def test_some_of_many_values_and_how_many_there_are(store: Engine, journal: Written) -> None:
    again = delta(30, "r2", key="b_v1", after=2, based_on=1)
    changes = [
        delta(n, host, key=key, after=1) for n, (key, host) in enumerate(product(("b_v1", "a_v1"), ("r2", "r1")))
    ]
    import_journal(store, journal([started(1, "R1"), *changes, again], "R1"))
    found = recorded_runs.context(store, "R1", most=3)
    assert [(row["key"], row["host"], row["value"]) for row in found] == [
        ("a_v1", "r1", 1), ("a_v1", "r2", 1), ("b_v1", "r1", 1)
    ]  # fmt: skip
    assert recorded_runs.number_of_values(store, "R1") == 4


def step_row(name: str, host: str = "leaf1", idx: int | None = 1, parent: str | None = None) -> dict[str, Any]:
    return {"step": name, "host": host, "idx": idx, "stage": 1, "parent": parent}


def test_steps_come_as_in_the_recipe_and_hosts_as_people_count():
    rows = [
        step_row("a", "leaf10", 2),
        step_row("b", "leaf2"),
        step_row("a", "leaf2", 2),
        step_row("b", ""),
        step_row("b", "leaf10"),
    ]
    assert [(row["step"], row["host"]) for row in by_step(rows)] == [
        ("b", ""),
        ("b", "leaf2"),
        ("b", "leaf10"),
        ("a", "leaf2"),
        ("a", "leaf10"),
    ]


def test_instances_come_behind_their_step_as_people_count():
    names = ["port", "port[1]", "port[1#2]", "port[2]", "port[10]", "port[eth2]", "port[eth10]"]
    rows = [step_row("portal"), *(step_row(name, parent="port" if "[" in name else None) for name in reversed(names))]
    assert [row["step"] for row in by_step(rows)] == [*names, "portal"]


def test_a_step_whose_place_is_not_known_comes_first():
    assert [row["step"] for row in by_step([step_row("a"), step_row("z", idx=None)])] == ["z", "a"]


def test_rows_of_one_name_keep_their_order():
    rows = [{"key": key, "host": host, "n": n} for n, (key, host) in enumerate([("b_v10", "h"), ("b_v2", "h")] * 2)]
    assert [(row["key"], row["n"]) for row in by_names(rows, "key", "host")] == [
        ("b_v2", 1),
        ("b_v2", 3),
        ("b_v10", 0),
        ("b_v10", 2),
    ]
