# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from rack_recipes.report.charts.timeline import MOST_STEPS, lanes
from rack_recipes.report.page.hosts_by_rack import MOST_HOSTS, MOST_LINKS, HostGroup, HostPlace, places, rack_picture
from rack_recipes.report.page.page_pictures import GATHER_FROM, pictures


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
    few = pictures(by_name, places(by_name["hosts"]))
    many = pictures(by_name, [HostPlace(f"h{n}", "passed") for n in range(GATHER_FROM + 1)])
    assert [one.rows for one in few.maps] == ["rows"]
    assert [one.rows for one in many.maps] == ["racks", "rows"]


def test_a_timeline_has_a_row_for_each_stage_and_each_step_that_ran(by_name):
    found = lanes(by_name["verdicts"], by_name["steps"])
    assert [(lane.name, lane.inner) for lane in found] == [
        ("stage 1", False), ("read_inventory", True), ("check_firmware", True), ("link_errors", True),
        ("loopback_rate", True), ("stage 2", False), ("compare_hosts", True), ("stage 3", False), ("burn_in", True),
    ]  # fmt: skip
    assert [span.verdict for lane in found for span in lane.spans][:3] == ["failed", "passed", "failed"]
    assert min(span.start for lane in found for span in lane.spans) == 0


def test_a_run_of_many_steps_has_a_timeline_of_its_stages(by_name):
    verdicts, steps = by_name["verdicts"], by_name["steps"]
    step, row = verdicts.place("step"), verdicts.rows[1]
    rows = tuple((*row[:step], f"s{n}", *row[step + 1 :]) for n in range(MOST_STEPS + 1))
    assert [lane.name for lane in lanes(replace(verdicts, rows=rows), steps)] == ["stage 0"]


def test_hostile_text_in_pictures_is_text(said, hostile):
    tables = {table.name: table for table in said(hostile)}
    found = pictures(tables, places(tables["hosts"]))
    for picture in (found.racks, found.timeline, found.bars, *(one.body for one in found.maps)):
        if picture is not None:
            parts = {part.tag for part in ET.fromstring(picture).iter()}
            assert parts <= {"svg", "title", "g", "path", "rect", "text", "a"}
            assert all(link.startswith("#host=") for link in re.findall(r'href="([^"]*)"', picture))
