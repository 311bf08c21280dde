# SPDX-License-Identifier: GPL-3.0-or-later

"""Cabling plans in every format: samples, errors, damage, and what is asked of NetBox."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rack_recipes.cabling.formats.csv_files import headings, rows
from rack_recipes.cabling.import_plan import FORMATS, Source, import_plan, read_sources
from rack_recipes.cabling.plan_model import CablingPlan, End, Position
from rack_recipes.errors import UsageError

HERE = Path(__file__).parent
SAMPLES = HERE / "samples"
FAULTY = yaml.safe_load((HERE / "faulty_plans.yml").read_text(encoding="utf-8"))
# The files, the format, the number of cables, one of them with its label.
GOOD: list[tuple[list[str], str, int, str]] = [
    (["netbox_cables.json"], "netbox", 7, "node1:mlx5_0 - leaf3:swp1 (CBL-12-01-00)"),
    (["netbox_cables.json", "netbox_devices.json"], "", 7, "node1:mlx5_1 - leaf4:swp1 (CBL-12-01-01)"),
    (["netbox_inventory.json"], "netbox-inventory", 2, "leaf3:swp1 - node1:mlx5_0 (CBL-12-01-00)"),
    (["netbox_import.csv"], "netbox-csv", 2, "leaf1:swp1 - spine1:swp1 (L-0001, blue)"),
    (["netbox_import.csv"], "netbox-csv", 2, 'leaf "two":swp1 - spine1:swp2'),
    (["netbox_table.csv"], "netbox-table", 1, "leaf1:swp1 - spine1:swp1 (C1)"),
    (["clos01.clab.yml"], "containerlab", 4, "client2:eth1 - leaf2:e1-2"),
    (["extended.clab.yml"], "containerlab", 1, "srl1:ethernet-1/1 - srl2:ethernet-1/1"),
    (["sonic_links.csv"], "sonic", 3, "vlab-kne-t1-01:Ethernet8 - VM0102:Ethernet0"),
    (["sonic_devices.csv", "sonic_links.csv"], "", 3, "vlab-kne-t1-01:Ethernet0 - VM0100:Ethernet0"),
    (["topology.dot"], "ptm", 5, "leaf1:swp49 - leaf2:swp49"),
    (["topology_nodes.dot"], "ptm", 1, "server01:eth1 - leaf01:swp1"),
]


def sample(*names: str, format_: str = "") -> CablingPlan:
    return import_plan(read_sources([str(SAMPLES / name) for name in names]), format_)


@pytest.mark.parametrize(("names", "format_", "count", "cable"), GOOD)
def test_a_plan_is_read_whatever_its_format(names: list[str], format_: str, count: int, cable: str):
    seen = sample(*names)
    assert len(seen.cables) == count
    assert cable in map(str, seen.cables)
    if format_:
        assert sample(*names, format_=format_) == seen


def test_every_format_has_a_sample():
    formats = {name for name, found in FORMATS.items() if not found.devices}
    assert {format_ for _names, format_, _count, _cable in GOOD if format_} | {"cabling"} == formats


def test_every_format_is_on_the_page():
    page = Path(__file__).resolve().parents[4].joinpath("docs/cabling.md").read_text(encoding="utf-8")
    assert [name for name in FORMATS if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("case", FAULTY, ids=lambda case: str(case["file"]))
def test_of_a_faulty_plan_all_is_said_with_its_place(case: dict[str, Any]):
    with pytest.raises(UsageError) as raised:
        import_plan([Source(case["file"], case["text"])])
    assert str(raised.value).splitlines() == case["said"]


def test_what_is_no_cable_of_a_network_is_left_out_and_counted():
    assert sample("netbox_import.csv").left_out == {"ends at dcim.frontport": 1, "status planned": 1}
    assert sample("netbox_table.csv").left_out == {"several ports at one end": 1}
    assert sample("extended.clab.yml").left_out == {
        "a link of the type mgmt-net": 1,
        "a link of the type host": 1,
        "a link to a bridge": 1,
        "a link to macvlan": 1,
    }


def test_what_netbox_has_besides_is_left_out():
    def cable(name: str | None = "a", kind: str = "dcim.interface", status: str = "connected", ends: int = 1) -> Any:
        one = {"object_type": kind, "object": {"name": f"e{ends}", "device": {"name": name}}}
        other = {
            "object_type": "dcim.interface",
            "object": {"name": f"{name}{kind}{status}{ends}", "device": {"name": "b"}},
        }
        return {"a_terminations": [one] * ends, "b_terminations": [other], "status": {"value": status}, "label": ""}

    data = [cable(), cable(None), cable(kind="dcim.powerport"), cable(status="planned"), cable(ends=0), cable(ends=2)]
    plan = import_plan([Source("x.json", json.dumps(data))])
    assert len(plan.cables) == 1
    assert plan.left_out == {
        "a device without a name": 1,
        "ends at dcim.powerport": 1,
        "status planned": 1,
        "an open end": 1,
        "several ports at one end": 1,
    }


def test_several_saved_pages_are_one_plan():
    whole = json.loads((SAMPLES / "netbox_cables.json").read_text())["results"]
    saved = [{"count": 7, "results": whole[:4]}, {"count": 7, "results": whole[4:]}]
    assert import_plan([Source("x.json", json.dumps(saved))]) == sample("netbox_cables.json")


def test_positions_come_along():
    plan = sample("netbox_cables.json", "netbox_devices.json")
    assert plan.positions["node1"] == Position("12", 2)
    assert str(plan.positions["leaf3"]) == "rack 12, unit 21"
    assert sample("netbox_inventory.json").positions["leaf3"] == Position("12", 21)
    assert sample("netbox_table.csv").positions == {"leaf1": Position("r1"), "spine1": Position("r0")}


def test_a_device_that_another_file_does_not_list_is_named_with_both_places():
    links = Source("links.csv", "StartDevice,StartPort,EndDevice,EndPort\nleafs1,e1,b,e2\n")
    devices = Source("devices.csv", "Hostname,HwSku\nb,x\nleaf1,x\n")
    with pytest.raises(UsageError, match=r"links.csv:2:1: expected a device of devices.csv, got 'leafs1'") as raised:
        import_plan([links, devices])
    assert "did you mean 'leaf1', at devices.csv:3:1?" in str(raised.value)


def test_devices_alone_are_no_plan():
    with pytest.raises(UsageError, match=r"sonic_devices.csv: expected cables, got a device file of sonic-mgmt"):
        sample("sonic_devices.csv")


@pytest.mark.parametrize(
    ("text", "got"), [("", "an empty file"), ("topologie: {}", "a mapping with topologie"), ("hello", "'hello'")]
)
def test_what_no_format_recognises_is_refused(text: str, got: str):
    with pytest.raises(UsageError, match=r"x:1:1: expected a cabling plan: our own cabling.yml; .*PTM's") as raised:
        import_plan([Source("x", text)])
    assert f"got {got}" in str(raised.value)


def test_the_nearest_format_is_named():
    with pytest.raises(UsageError, match=r"--format: expected one of .*, got 'netbx' \(did you mean 'netbox'\?\)"):
        import_plan([Source("x", "")], "netbx")


def test_the_format_that_is_asked_for_is_taken():
    with pytest.raises(UsageError, match="x:1:1: expected the column startdevice"):
        import_plan([Source("x", "- {a: a:1, b: b:1}\n")], "sonic")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("containerlab", "x:1:1: expected a topology of containerlab, got a list"),
        ("ptm", r"x:1:1: expected PTM's topology.dot, got '- \{a: a:1, b: b:1\}"),
    ],
)
def test_a_content_that_is_not_of_this_format_is_refused(name: str, said: str):
    with pytest.raises(UsageError, match=said):
        import_plan([Source("x", "- {a: a:1, b: b:1}\n")], name)


def test_of_many_problems_the_first_are_said():
    rows = "".join(f"a{number},1,a{number},1\n" for number in range(30))
    with pytest.raises(UsageError) as raised:
        import_plan([Source("x", f"StartDevice,StartPort,EndDevice,EndPort\n{rows}")])
    assert str(raised.value).endswith("and 10 more problems")


def test_a_port_may_have_colons():
    assert End.of("leaf1:et-0/0/0:1") == End("leaf1", "et-0/0/0:1")
    assert End.of("leaf1:") is None


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"nope.csv: expected a file that can be read, or a URL, got no such file"):
        read_sources(["nope.csv"])
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"a,b\nx,caf\xe9\n")
    with pytest.raises(UsageError, match=r"latin.csv:2:6: expected a file in UTF-8, got the byte 0xe9"):
        read_sources([str(latin)])
    latin.write_bytes(b"\xff\xfea\0")
    with pytest.raises(UsageError, match=r"latin.csv:1:1: expected a file in UTF-8, got one in UTF-16"):
        read_sources([str(latin)])


def test_the_mark_that_spreadsheets_write_is_passed_over(tmp_path: Path):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbfStartDevice,StartPort,EndDevice,EndPort\r\na,1,b,2\r\n")
    assert [*map(str, import_plan(read_sources([str(path)])).cables)] == ["a:1 - b:2"]


DAMAGED = sorted(path for path in Path(__file__).with_name("samples").iterdir() if path.suffix != ".md")
TITLES = ["first", "second", "third"]
CELL = st.text(st.sampled_from('ab,;"|\t\n é'), max_size=6).map(str.strip)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3)), st.sampled_from(",;|\t"), st.sampled_from(["\n", "\r\n"]))
def test_every_table_reads_as_it_was_written(table: list[list[str]], delimiter: str, ending: str):
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator=ending).writerows([TITLES, *table])
    found = [*rows(written.getvalue(), "x.csv")]
    assert [[row[title] for title in TITLES] for row in found] == [row for row in table if any(row)]


def test_each_cell_has_its_place():
    text = '# a\r\n"b, c",d,e\r\n\r\n"f\ng",,h,i\r\n'
    assert headings("First;second \n") == ["first", "second"]
    found = [*rows(f"First,Second,Third\r\n{text}", "x.csv")]
    assert [(row["first"], row.place("first"), row.place("third")) for row in found] == [
        ("b, c", "x.csv:3:1", "x.csv:3:10"),
        ("f\ng", "x.csv:5:1", "x.csv:6:5"),
    ]
    assert (found[0]["none"], found[0].place("none")) == ("", "x.csv:3:1")


@settings(max_examples=60)
@pytest.mark.parametrize("path", DAMAGED, ids=lambda path: path.name)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(path: Path, data: st.DataObject):
    text = path.read_text(encoding="utf-8")[:2000]
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 40))
    put = data.draw(st.text(st.sampled_from("[]{}:,\"'-\n \tx0#%;|=\\"), max_size=5))
    source = Source(path.name, text[:at] + put + text[at + cut :])
    for name in ("", data.draw(st.sampled_from([*FORMATS]))):
        with suppress(UsageError):
            import_plan([source], name)
