# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from rack_recipes.report.page import hosts_by_rack
from rack_recipes.report.table_model import Column, Table

COLUMNS = (Column("host", "Host"), Column("verdict", "Verdict", "verdict"))
PLACED = (*COLUMNS, Column("attribute.rack", "rack"), Column("attribute.position", "position"))
VERDICTS = Table("verdicts", "Results", COLUMNS, (("(run)", "passed"), ("a", "failed")))


def hosts(*rows, columns=PLACED):
    return hosts_by_rack.places(Table("hosts", "Hosts", columns, rows))


def matrix(*rows):
    return Table("matrix", "Matrix", (Column("host", "Host"), Column("s1", "s1"), Column("s2", "s2")), rows)


def test_hosts_stand_by_rack_and_from_the_top_down():
    found = hosts(("a", "passed", "r10", "1"), ("b", "failed", "r2", "9"), ("c", "passed", "r2", "10"))
    assert [(one.host, one.rack, one.position) for one in found] == [
        ("c", "r2", "10"),
        ("b", "r2", "9"),
        ("a", "r10", "1"),
    ]


def test_hosts_without_a_rack_come_last_and_by_name():
    found = hosts(("h10", "passed", None, None), ("h2", "passed", None, None), ("z", "passed", "r1", None))
    assert [one.host for one in found] == ["z", "h2", "h10"]


def test_a_report_without_attributes_has_hosts_by_name():
    assert [one.host for one in hosts(("h10", "passed"), ("h2", None), columns=COLUMNS)] == ["h2", "h10"]


def test_groups_are_racks():
    found = hosts_by_rack.groups(
        hosts(("a", "passed", "r1", "1"), ("b", "failed", "r2", "1"), ("c", "passed", None, None))
    )
    assert [(group.name, [one.host for one in group.hosts]) for group in found] == [
        ("r1", ["a"]), ("r2", ["b"]), ("no rack", ["c"]),
    ]  # fmt: skip


def test_without_racks_a_group_is_so_many_hosts():
    found = hosts_by_rack.groups(hosts(*((f"h{n}", "passed") for n in range(81)), columns=COLUMNS))
    assert [(group.name, len(group.hosts)) for group in found] == [("h0 … h39", 40), ("h40 … h79", 40), ("h80", 1)]


def test_the_rows_of_the_matrix_are_in_this_order_and_the_run_comes_first():
    found = hosts(("a", "passed", "r1", "1"), ("b", "failed", "r1", "2"))
    ordered = hosts_by_rack.by_place(matrix(("a", 1, 1), ("b", 1, 1), ("(run)", 1, 1)), found)
    assert [row[0] for row in ordered.rows] == ["(run)", "b", "a"]


def test_results_have_the_rack_of_their_host():
    found = hosts_by_rack.with_racks(VERDICTS, hosts(("a", "failed", "r1", "1")))
    assert [column.name for column in found.columns] == ["host", "rack", "verdict"]
    assert found.rows == (("(run)", None, "passed"), ("a", "r1", "failed"))


def test_results_stay_as_they_are_where_no_rack_is_known():
    assert hosts_by_rack.with_racks(VERDICTS, hosts(("a", "failed"), columns=COLUMNS)) is VERDICTS
