# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from rack_recipes.report.charts.timeline import lanes_of_tables
from rack_recipes.report.page import page_pictures
from rack_recipes.report.page.hosts_by_rack import MOST_HOSTS, MOST_LINKS, HostGroup, HostPlace, places, rack_picture
from rack_recipes.report.page.page_pictures import GATHER_FROM, draw_pictures
from rack_recipes.report.table_model import Table
from rack_recipes.report.tables.columns import CONTEXT, TREND, VALUES


def rack(hosts, verdict="failed", name="r1"):
    return HostGroup(name, tuple(HostPlace(f"{name}-{n}", verdict, name, str(n)) for n in range(hosts)))


def tiles(picture):
    return list(ET.fromstring(picture).iter("rect"))


def test_each_host_is_a_tile_in_the_colour_of_its_verdict_and_a_link():
    picture = rack_picture([HostGroup("r1", (HostPlace("a&b", "failed", "r1", "3"), HostPlace("c", "passed", "r1")))])
    assert [tile.get("class") for tile in tiles(picture)] == ["v-failed tile", "ground tile"]
    assert [tile.findtext("title") for tile in tiles(picture)] == ["a&b at 3: failed", "c: passed"]
    assert [link.get("href") for link in ET.fromstring(picture).iter("a")] == ["#host=a%26b", "#host=c"]


@pytest.mark.parametrize(
    ("hosts", "role", "tiles_shown"),
    [(MOST_LINKS, "group", MOST_LINKS), (MOST_LINKS + 1, "img", MOST_LINKS + 1), (MOST_HOSTS + 1, "img", 1)],
)
def test_many_hosts_have_no_links_and_too_many_are_one_tile_a_rack(hosts, role, tiles_shown):
    picture = rack_picture([rack(hosts)])
    assert ET.fromstring(picture).get("role") == role
    assert len(tiles(picture)) == tiles_shown
    assert ('href="' in picture) == (role == "group")


def test_racks_that_do_not_fit_continue_below():
    names = list(ET.fromstring(rack_picture([rack(40, name=f"r{n}") for n in range(25)])).iter("text"))
    assert len({text.get("y") for text in names}) == 3
    assert all(float(text.get("x")) < 460 for text in names)


def test_a_map_of_many_hosts_is_gathered_by_rack_first(by_name):
    few = draw_pictures(by_name, places(by_name["hosts"]))
    many = draw_pictures(by_name, [HostPlace(f"h{n}", "passed") for n in range(GATHER_FROM + 1)])
    assert [one.rows for one in few.maps] == ["rows"]
    assert [one.rows for one in many.maps] == ["racks", "rows"]


def test_a_timeline_has_a_row_for_each_stage_and_each_step_that_ran(by_name):
    found = lanes_of_tables(by_name["verdicts"], by_name["steps"])
    assert [(lane.name, lane.inner) for lane in found] == [
        ("stage 1", False), ("read_inventory", True), ("check_firmware", True), ("link_errors", True),
        ("loopback_rate", True), ("stage 2", False), ("compare_hosts", True), ("stage 3", False), ("burn_in", True),
    ]  # fmt: skip
    assert [span.verdict for lane in found for span in lane.spans][:3] == ["error", "passed", "failed"]
    assert min(span.start for lane in found for span in lane.spans) == 0


def test_hostile_text_in_pictures_is_text(said, hostile):
    tables = {table.name: table for table in said(hostile)}
    found = draw_pictures(tables, places(tables["hosts"]))
    maps = [picture for one in found.maps for picture in (one.head, one.body)]
    for picture in (found.racks, found.timeline, found.bars, found.proportions, *maps):
        if picture is not None:
            root = ET.fromstring(picture)
            assert root.find("title") is not None
            assert {part.tag for part in root.iter()} <= {"svg", "title", "g", "path", "rect", "text", "a"}
            assert all(link.startswith("#host=") for link in re.findall(r'href="([^"]*)"', picture))


def values(*rows):
    cells = [
        (host, step, name, value, "MB/s", verdict, "min 9, warn min 9.5", 0.5, None)
        for host, step, name, value, verdict in rows
    ]
    return Table("values", "Values", VALUES, tuple(cells))


def test_a_measurement_has_a_histogram_and_a_box_for_each_rack():
    rows = [(f"r{n}", "copy", "rate", 9.0 + n / 10, "passed") for n in range(12)]
    [one] = page_pictures.measurement_pictures(values(*rows), {f"r{n}": f"rack{n % 2}" for n in range(12)}, trend())
    assert (one.step, one.name, one.unit, one.verdict, one.values) == ("copy", "rate", "MB/s", "passed", 12)
    histogram, boxes = one.charts
    assert "min 9" in histogram.svg
    assert boxes.figures.values("group") == ["rack0", "rack1"]


def test_the_measurement_with_the_worst_value_comes_first_and_few_values_have_no_picture():
    rows = [("r1", "b", "x", 1, "failed"), *((f"r{n}", "a", "y", n, "passed") for n in range(5)),
            *((f"r{n}", "b", "x", n, "passed") for n in range(5)), ("r1", "c", "z", 1, "passed")]  # fmt: skip
    found = page_pictures.measurement_pictures(values(*rows), {}, trend())
    assert [(one.step, one.verdict, one.values) for one in found] == [("b", "failed", 6), ("a", "passed", 5)]


def test_values_that_are_no_numbers_and_too_many_measurements_are_left_out():
    rows = [(f"r{n}", f"s{step}", "x", n, "passed") for step in range(30) for n in range(3)]
    texts = [(f"r{n}", "text", "x", "up", "passed") for n in range(9)]
    found = page_pictures.measurement_pictures(values(*texts, *rows), {}, trend())
    assert [one.step for one in found] == [f"s{step}" for step in range(page_pictures.MOST)]


def over_runs(step, name, key=None, runs=4, change_at=None, line="all hosts"):
    """The points of one line of the table of earlier runs."""
    return [
        (step, name, None if key else "MB/s", line, f"R{n}", f"2026-11-{n + 1:02}T00:00:00Z", 9.0 + n, 8.5, 9.5 + n, 7,
         "from 9 to 12" if n == change_at else None, key)
        for n in range(runs)
    ]  # fmt: skip


def trend(*lines):
    return Table("trend", "Over runs", TREND, tuple(point for line in lines for point in line))


def test_a_measurement_with_earlier_runs_has_a_line_with_limits_and_changes():
    past = trend(over_runs("copy", "rate", change_at=2), over_runs("copy", "other"))
    [one] = page_pictures.measurement_pictures(values(("r1", "copy", "rate", 9.4, "passed")), {}, past)
    [line] = one.charts  # one value has neither a histogram nor a box
    assert line.figures.values("value") == [9.0, 10.0, 11.0, 12.0]
    assert line.figures.values("change") == [None, None, "from 9 to 12", None]
    assert "min 9" in line.svg
    assert "warn min 9.5" in line.svg


def test_the_line_stands_before_the_other_pictures():
    rows = [(f"r{n}", "copy", "rate", 9.0 + n / 10, "passed") for n in range(5)]
    past = trend(over_runs("copy", "rate", line="model A"), over_runs("copy", "rate", line="model B"))
    [one] = page_pictures.measurement_pictures(values(*rows), {}, past)
    assert one.charts[0].figures.name == "trend"
    assert set(one.charts[0].figures.values("series")) == {"model A", "model B"}
    assert len(one.charts) == 3


def test_lists_in_the_context_have_pictures_of_many_hosts_by_rack():
    rows = [("gauge.samples_v1", f"r{n}", 1, [n, n + 1, n + 2, n + 3, 9], "gauge", None) for n in range(40)]
    rows += [
        ("fan.rpm_v1", "r1", 1, {"all": [1, 2, 3, 4, 5, 6], "few": [1, 2]}, "fan", None),
        ("x_v1", "", 1, "a", "", None),
    ]
    rows += [("bins_v1", "", 1, {"edges": [0, 1, 2], "counts": [3, 4]}, "fan", None)]
    table = Table("context", "Context", CONTEXT, tuple(rows))
    racks = {f"r{n}": f"R{n % 2}" for n in range(40)}
    many, one, bins = page_pictures.key_samples(table, racks)
    assert [(one.name, one.hosts, len(one.charts)) for one in (many, one, bins)] == [
        ("gauge.samples_v1", 40, 2), ("fan.rpm_v1.all", 1, 2), ("bins_v1", 1, 1),
    ]  # fmt: skip
    assert "12 of 40 hosts" in many.charts[0].svg
    assert [row[:2] for row in many.charts[1].figures.rows] == [("R0", 100), ("R1", 100)]


def test_numbers_of_the_context_have_a_line_those_that_changed_last_first():
    quiet = [over_runs(None, f"a.k{n}_v1.mean", key=f"a.k{n}_v1") for n in range(page_pictures.MOST_KEYS)]
    early = over_runs(None, "early", key="b.early_v1", change_at=1)
    late = over_runs(None, "late", key="b.late_v1", change_at=3)
    found = page_pictures.key_trends(trend(over_runs("copy", "rate"), *quiet, early, late))
    assert [one.name for one in found][:3] == ["late", "early", "a.k0_v1.mean"]
    assert len(found) == page_pictures.MOST_KEYS
    assert found[0].change == "from 9 to 12"
    assert page_pictures.key_trends(trend()) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("min 3, max 9.5, warn max 8", [("min", 3.0), ("max", 9.5), ("warn max", 8.0)]),
        ("max -1e-3", [("max", -0.001)]),
        ("eq true", []),
        ("one of [1, 2]", []),
        ("differ", []),
        ("", []),
    ],
)
def test_limits_in_words(words, expected):
    assert [*page_pictures.parse_limits(words)] == expected
