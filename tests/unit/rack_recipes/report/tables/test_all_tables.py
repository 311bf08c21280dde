# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from rack_recipes.analysis.run_data import RunData, arrange_run
from rack_recipes.analysis.value_and_write_history import PastValues
from rack_recipes.report.table_model import Table, tail
from rack_recipes.report.tables.all_tables import tables
from rack_recipes.report.tables.summary_and_finding_tables import PAST_RUNS, duration

NAMES = [
    "summary", "counts", "causes", "findings", "not_passed", "reasons", "not_run", "waived", "flakes", "hosts",
    "criteria", "matrix", "steps", "rounds", "reused", "hooks", "slowest", "measurements", "statistics", "values",
    "trend", "verdicts", "context", "changes", "conflicts", "artifacts", "judgements", "finding_results", "past_runs",
]  # fmt: skip


def rows_of(table: Table, *columns: str) -> list[tuple[object, ...]]:
    return list(zip(*(table.values(column) for column in columns), strict=True))


def test_every_table_is_there_in_reading_order(report):
    assert [table.name for table in report] == NAMES


def test_the_host_that_a_result_came_through_has_a_column_where_there_is_one(by_name):
    own = {"host": "bmc1", "step": "power", "stage": 1, "idx": 1, "verdict": "passed"}
    report = tables(arrange_run(RunData(run={"run_id": "r"}, steps=[own, {**own, "host": "bmc2", "through": "j1"}])))
    [verdicts] = (table for table in report if table.name == "verdicts")
    assert verdicts.values("through") == [None, "j1"]
    assert "through" not in {column.name for column in by_name["verdicts"].columns}


def test_numbers_over_runs_and_writes_of_keys_have_tables(by_name):
    assert rows_of(by_name["trend"], "step", "name", "median", "change")[8] == (
        "loopback_rate", "rate", 92.25, "median of 7 hosts: from 97.5 to 92.25",
    )  # fmt: skip
    assert by_name["trend"].about.endswith("3 more series have no room in this table.")
    assert rows_of(by_name["changes"], "key", "host", "version", "origin") == [
        ("rack.summary_v1", "(run)", 1, "rack1-u2"), ("rack.summary_v1", "(run)", 2, None),
    ]  # fmt: skip


def test_writes_without_room_are_counted():
    report = tables(RunData(run={"run_id": "r"}), (), PastValues(writes_left_out=7))
    [changes] = (table for table in report if table.name == "changes")
    assert changes.about.endswith("The first 7 writes have no room in this table.")


def test_rows_are_as_wide_as_their_columns(report):
    for table in report:
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert len({column.name for column in table.columns}) == len(table.columns)


def test_cells_are_plain_python(report):
    allowed = {str, int, float, type(None)}
    assert {type(value) for table in report for row in table.rows for value in row} <= allowed


def test_a_run_without_results_has_all_tables():
    report = tables(arrange_run(RunData(run={"run_id": "r"})))
    assert [table.name for table in report] == NAMES
    assert not any(table.rows for table in report if table.name != "summary")


def test_the_summary_counts_the_results(by_name):
    record = by_name["summary"].record()
    names = ("results", "not_passing", "not_run", "steps", "hosts", "checks")
    assert [record[name] for name in names] == [41, 9, 6, 6, 8, 17]
    assert record["seconds"] == 521.25
    assert record["versions"] == "rack.recipes 0.1.0, ansible-core 2.21.5, python 3.13.5"


def test_the_steps_add_up_to_the_summary(by_name, outcomes):
    for report in (by_name, outcomes):
        steps, record = report["steps"], report["summary"].record()
        total = {
            column: sum(filter(None, steps.values(column))) for column in ("results", "unreachable", "not_run", "error")
        }
        assert (total["results"], total["not_run"]) == (record["results"], record["not_run"])
        not_passing = total["error"] + total["unreachable"] + sum(filter(None, steps.values("failed")))
        assert not_passing == record["not_passing"]
    assert sum(by_name["steps"].values("unreachable")) == by_name["not_passed"].values("verdict").count("unreachable")


def test_a_run_that_has_not_ended_is_running(rows):
    summary = tables(arrange_run(replace(rows, run={**rows.run, "ended": None, "status": ""})))[0].record()
    assert (summary["status"], summary["seconds"]) == ("running", None)


def test_steps_come_in_the_order_of_the_recipe(by_name):
    steps = ["read_inventory", "check_firmware", "link_errors", "loopback_rate", "compare_hosts", "burn_in"]
    assert by_name["steps"].values("step") == steps
    assert [column.name for column in by_name["matrix"].columns] == ["host", *steps]


def test_measured_values_are_exact(by_name):
    values = {row[2]: row[3] for row in by_name["values"].rows}  # of each name the last one
    assert values["serial"] == 2**53 + 1
    assert values["carrier"] == "true"


def test_past_runs_are_earlier_ones_of_the_same_test(rows):
    def past(number: int, **fields: object) -> dict[str, object]:
        return {**rows.run, "run_id": f"p{number:03d}", "started": f"2025-01-01T00:00:00.{number:06d}Z", **fields}

    runs = [past(number) for number in range(PAST_RUNS + 5)]
    others = [rows.run, past(900, test_id="other"), past(901, started="2027-01-01T00:00:00.000000Z")]
    found = tables(arrange_run(replace(rows, runs=[*others, *runs])))[-1]
    assert found.values("run_id") == [f"p{number:03d}" for number in range(PAST_RUNS + 4, 4, -1)]


def test_columns_that_an_older_store_lacks_are_empty(rows):
    old = [{name: step[name] for name in ("host", "step", "verdict")} for step in rows.steps]
    verdicts = next(table for table in tables(arrange_run(replace(rows, steps=old))) if table.name == "verdicts")
    assert len(verdicts.rows) == len(old)
    assert set(verdicts.values("seconds")) == {None}


def cover(**about: object) -> dict[str, object]:
    record = tables(arrange_run(RunData(run={"run_id": "r", **about})))[0].record()
    return {name: record[name] for name in ("labels", "params", "options", "refs", "resumes")}


def test_the_cover_tells_what_was_asked_for():
    assert cover(
        labels={"team": "fabric", "rack": "1"},
        params={"vlan": 12, "ports": ["eth0"], "password": "********", "empty": None},
        options={"only": ["a", "b"], "seed": 7},
        refs=["RFC 2544", "https://example.org"],
        resumes="R0",
    ) == {
        "labels": "team: fabric, rack: 1",
        "params": 'vlan = 12, ports = ["eth0"], password = ********, empty = null',
        "options": 'only = ["a", "b"], seed = 7',
        "refs": "RFC 2544, https://example.org",
        "resumes": "R0",
    }


def test_the_cover_is_silent_about_what_was_not_asked_for():
    assert set(cover(labels={}, params={}, options={}, refs=[]).values()) == {None}


def test_a_finding_names_its_first_results_and_a_table_has_them_all(by_name):
    named = by_name["findings"].values("results")
    assert named[1] == "rack1-u5: loopback_rate (rate)"
    assert named[2].endswith("rack1-u5: burn_in and 2 more")
    assert named[3] == "(run): compare_hosts"
    found = by_name["finding_results"].rows
    assert found[:3] == (
        (1, "rack1-u2", "check_firmware", None, "failed"),
        (1, "rack1-u5", "check_firmware", None, "failed"),
        (2, "rack1-u5", "loopback_rate", "rate", "marginal"),
    )
    assert [row[0] for row in found].count(3) == 7
    assert found[-1] == (4, "(run)", "compare_hosts", None, "passed")


def test_a_host_has_its_attributes_its_gravest_result_and_its_counts(by_name):
    hosts = by_name["hosts"]
    assert [column.title for column in hosts.columns][4:8] == ["nic_model", "position", "rack", "tags"]
    rows = {row[0]: dict(zip((column.name for column in hosts.columns), row, strict=True)) for row in hosts.rows}
    assert list(rows) == [f"rack1-u{number}" for number in (1, 2, 3, 4, 5, 6, 10, 11, 12)]
    second, spare = rows["rack1-u2"], rows["rack1-u12"]
    assert (second["verdict"], second["step"], second["attribute.nic_model"]) == ("failed", "check_firmware", "CX-6")
    assert second["reason"] == "firmware 22.31.1014 is older than 22.36.1010"
    assert [second[name] for name in ("results", "failed", "blocked", "passed")] == [5, 1, 3, 1]
    assert (rows["rack1-u1"]["verdict"], rows["rack1-u1"]["step"]) == ("passed", None)
    assert (second["attribute.position"], hosts.columns[5].kind) == (2, "number")
    assert (spare["verdict"], spare["results"], spare["attribute.tags"]) == (None, 0, '["spare"]')


def test_instances_count_and_a_looped_step_does_not(outcomes):
    assert dict(rows_of(outcomes["counts"], "verdict", "results")) == {
        "failed": 2, "error": 1, "blocked": 1, "skipped": 1, "marginal": 1, "cached": 1, "passed": 4,
    }  # fmt: skip
    record = outcomes["summary"].record()
    assert [record[name] for name in ("steps", "results", "not_passing", "not_run")] == [6, 11, 3, 2]
    assert "port" not in outcomes["not_passed"].values("step")


def test_instances_stand_under_their_step_in_their_order(outcomes):
    assert outcomes["steps"].values("step") == [
        "links", "port", "port[eth0]", "port[eth1]", "port[eth10]", "port[eth11]", "soak", "wait", "report", "none",
    ]  # fmt: skip
    found = rows_of(outcomes["steps"], "step", "instances", "results", "failed")
    assert found[1:4] == [("port", 4, 1, 0), ("port[eth0]", None, 1, 0), ("port[eth1]", None, 1, 1)]
    assert [column.name for column in outcomes["matrix"].columns] == [
        "host", "links", "port", "soak", "wait", "report", "none",
    ]  # fmt: skip


def test_a_flake_tells_what_went_wrong_first(outcomes):
    assert outcomes["flakes"].rows == (("r1", "wait", "passed", 3, "failed: no answer", 1.5),)


def test_rounds_have_their_statistics(outcomes):
    (row,) = outcomes["rounds"].rows
    assert row == ("r1", "soak", "passed", 100, 100, "t", "ms", 2.5, 3.25, 4.5, 0.25, 4)
    assert not [name for name in outcomes["measurements"].values("name") if name.startswith("t.")]
    assert "t.p95" in outcomes["values"].values("name")


def test_artifacts_have_their_place_or_why_there_is_none(outcomes):
    assert rows_of(outcomes["artifacts"], "host", "step", "attempt", "name", "size", "path", "note") == [
        ("r1", "links", 2, "links.log", 5242880, f"artifacts/{'a7' * 32}", None),
        ("r2", "links", 1, "links.log", 5242880, None, "lost, and not back within 30 s: reset"),
    ]


def test_criteria_come_by_verdict_and_the_nearest_to_a_limit_first(outcomes):
    found = rows_of(outcomes["criteria"], "step", "name", "limits", "verdict", "values", "value", "distance", "margin")
    assert found == [
        ("port", "speed", "min 10", "failed", 4, 1, -9, -90),
        ("links", "p99", "max 20, warn max 18", "marginal", 1, 19.5, 0.5, 2.5),
        ("links", "mode", "one of a, b", "passed", 1, "a", None, None),
    ]
    values = rows_of(outcomes["values"], "name", "verdict", "margin")
    assert values[:6] == [
        ("speed", "failed", -90), ("speed", "failed", -90), ("p99", "marginal", 2.5), ("speed", "passed", 0),
        ("speed", "passed", 150), ("mode", "passed", None),
    ]  # fmt: skip
    assert {verdict for _name, verdict, _margin in values[6:]} == {None}


@pytest.mark.parametrize(
    ("started", "ended", "expected"),
    [
        ("2026-11-25T12:00:00.000000Z", "2026-11-25T12:08:41.250000Z", 521.25),
        ("2026-11-25T12:00:00.000000Z", None, None),
        (None, None, None),
    ],
)
def test_duration(started, ended, expected):
    assert duration(started, ended) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("one\ntwo\n\n", "one\ntwo"),
        (
            "\n".join(map(str, range(30))),
            "[20 characters before this are left out]\n" + "\n".join(map(str, range(10, 30))),
        ),
        ("x" * 2001, "[1 characters before this are left out]\n" + "x" * 2000),
        ("a" * 1500 + "\n" + "b" * 1000, "[1,501 characters before this are left out]\n" + "b" * 1000),
        (
            "[20 characters before this are left out]\n" + "b" * 2003,
            "[23 characters before this are left out]\n" + "b" * 2000,
        ),
    ],
)
def test_the_end_of_a_log(text, expected):
    assert tail(text) == expected
