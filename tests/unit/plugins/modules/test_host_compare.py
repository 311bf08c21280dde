# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed
from ansible_collections.rack.recipes.plugins.modules.host_compare import HostCompare

TWIN = {
    "hostname": "r",
    "kernel": {"release": "6.12"},
    "cpu": {"cores": 32, "microcode": None},
    "memory": {"total_bytes": 1000},
    "disks": [{"name": "sda", "size_bytes": 100}, {"name": "sdb", "size_bytes": 200}],
    "links": [{"name": "eth0", "mac": "02:00", "mtu": 9000}],
}


def twins(count):
    """Inventories of hosts that differ in their names and addresses only."""
    names = [f"r{number:02}" for number in range(1, count + 1)]
    found = {name: copy.deepcopy(TWIN) for name in names}
    for number, (name, inventory) in enumerate(found.items()):
        inventory["hostname"] = name
        inventory["links"][0]["mac"] = f"02:{number:02}"
    return found


@pytest.fixture
def compare(run):
    def compare(inventories, **params):
        hosts = {host: {} if held is None else {"host.inventory_v1": held} for host, held in inventories.items()}
        return run(HostCompare, params, hosts)

    return compare


@pytest.fixture
def differences(compare):
    return lambda inventories, **params: compare(inventories, **params).context["host.differences_v1"]


def test_twins_do_not_differ(compare):
    found = compare(twins(3))
    assert found.context["host.differences_v1"] == {
        "hosts": 3,
        "fields": 10,
        "differences": [],
        "undecided": [],
        "differing_hosts": [],
        "without_inventory": [],
        "note": "",
    }
    assert found.measurements == {
        "hosts_compared": (3, "hosts"),
        "fields_compared": (10, "fields"),
        "hosts_differing": (0, "hosts"),
    }


def test_hosts_that_differ_are_named(differences):
    hosts = twins(4)
    hosts["r03"]["links"][0]["mtu"] = 1500
    hosts["r04"]["kernel"]["release"] = "6.1"
    found = differences(hosts)
    assert found["differences"] == [
        {"field": "kernel.release", "majority": "6.12", "share": 0.75, "hosts": {"r04": "6.1"}},
        {"field": "links.eth0.mtu", "majority": 9000, "share": 0.75, "hosts": {"r03": 1500}},
    ]
    assert found["differing_hosts"] == ["r03", "r04"]


def test_nothing_is_a_value_too(differences):
    hosts = twins(3)
    hosts["r01"]["cpu"]["microcode"] = "0x1"
    del hosts["r02"]["cpu"]["cores"]
    assert [one["hosts"] for one in differences(hosts)["differences"]] == [{"r02": None}, {"r01": "0x1"}]


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (0, False), (1, "1"), ("", None)])
def test_values_of_different_types_differ(differences, one, other):
    hosts = twins(3)
    for host in hosts:
        hosts[host]["cpu"]["cores"] = other if host == "r02" else one
    assert [(item["field"], list(item["hosts"])) for item in differences(hosts)["differences"]] == [
        ("cpu.cores", ["r02"])
    ]


def test_a_tie_blames_nobody(differences):
    hosts = twins(4)
    for host in ("r01", "r02"):
        hosts[host]["kernel"]["release"] = "6.1"
    found = differences(hosts)
    assert (found["differences"], found["differing_hosts"]) == ([], [])
    assert found["undecided"] == [
        {
            "field": "kernel.release",
            "distinct": 2,
            "values": [{"value": "6.1", "hosts": ["r01", "r02"]}, {"value": "6.12", "hosts": ["r03", "r04"]}],
        }
    ]


def test_half_is_no_majority(differences):
    hosts = twins(4)
    hosts["r03"]["kernel"]["release"] = "6.1"
    hosts["r04"]["kernel"]["release"] = "5.10"
    assert differences(hosts)["undecided"][0]["distinct"] == 3


def test_two_hosts_cannot_outvote_each_other(differences):
    hosts = twins(2)
    hosts["r02"]["kernel"]["release"] = "6.1"
    found = differences(hosts)
    assert found["differing_hosts"] == []
    assert len(found["undecided"]) == 1


def test_a_tie_fails_a_check_and_blames_nobody(compare):
    hosts = twins(8)
    for host in ("r01", "r02", "r03"):
        hosts[host]["kernel"]["release"] = "6.1"
    hosts["r04"]["kernel"]["release"] = "5.10"
    hosts["r05"]["kernel"]["release"] = None
    hosts["r06"]["kernel"]["release"] = "5.4"
    hosts["r07"]["kernel"]["release"] = "4.4"
    with pytest.raises(Failed) as caught:
        compare(hosts, fail=True)
    assert str(caught.value).splitlines() == [
        "the hosts differ, and there is no majority:",
        'kernel.release has no majority: "6.1" on r01, r02, r03; "5.10" on r04; null on r05; "5.4" on r06 and 2 more',
    ]


def test_only_the_first_values_of_many_are_listed(differences):
    hosts = twins(30)
    for host in hosts:
        hosts[host]["kernel"]["release"] = host
    (undecided,) = differences(hosts)["undecided"]
    assert (undecided["distinct"], len(undecided["values"])) == (30, 10)


def test_a_missing_disk_is_one_difference(differences):
    hosts = twins(3)
    del hosts["r02"]["disks"][1]
    assert differences(hosts)["differences"] == [
        {"field": "disks.sdb", "majority": "present", "share": 0.6667, "hosts": {"r02": "absent"}}
    ]


def test_an_extra_disk_is_one_difference(differences):
    hosts = twins(3)
    hosts["r02"]["disks"].append({"name": "sdc", "size_bytes": 7})
    assert differences(hosts)["differences"] == [
        {"field": "disks.sdc", "majority": "absent", "share": 0.6667, "hosts": {"r02": "present"}}
    ]


def test_the_order_of_a_list_with_names_does_not_count(differences):
    hosts = twins(3)
    hosts["r02"]["disks"].reverse()
    assert differences(hosts)["differences"] == []


def test_memory_may_differ_a_little(differences):
    hosts = twins(4)
    for host, size in {"r02": 1001, "r03": 1004, "r04": 900}.items():
        hosts[host]["memory"]["total_bytes"] = size
    assert differences(hosts)["differences"] == [
        {"field": "memory.total_bytes", "majority": 1000, "share": 0.75, "hosts": {"r04": 900}}
    ]
    assert differences(hosts, tolerance={})["undecided"][0]["distinct"] == 4
    assert differences(hosts, tolerance={"memory.*": 20})["differences"] == []


def test_an_unknown_size_is_no_small_difference(differences):
    hosts = twins(3)
    hosts["r02"]["memory"]["total_bytes"] = None
    assert differences(hosts)["differences"][0]["hosts"] == {"r02": None}


def test_fields_can_be_ignored(differences):
    hosts = twins(3)
    hosts["r02"]["links"].append({"name": "veth3f2a", "mtu": 1500})
    hosts["r03"]["kernel"]["release"] = "6.1"
    assert differences(hosts)["differing_hosts"] == ["r03"]
    assert differences(hosts, ignore=["*"])["note"] == "every field is ignored: nothing was compared"
    names = {one["field"] for one in differences(hosts, ignore=["kernel.*"])["undecided"]}
    assert names == {"hostname", "links.eth0.mac"}


def test_one_host_passes_and_says_that_nothing_was_compared(compare):
    found = compare(twins(1))
    assert found.context["host.differences_v1"]["note"] == "there is one inventory: nothing was compared"
    assert found.measurements["hosts_compared"] == (1, "hosts")


def test_a_check_that_was_asked_for_and_not_made_is_an_error(compare):
    with pytest.raises(ValueError, match="there is one inventory: nothing was compared"):
        compare(twins(1), fail=True)
    with pytest.raises(ValueError, match="every field is ignored"):
        compare(twins(3), fail=True, ignore=["*"])


def test_no_inventory_at_all_is_an_error(compare):
    with pytest.raises(ValueError, match="no host has the key"):
        compare({"r01": None})


def test_hosts_without_an_inventory_are_named(differences):
    found = differences({**twins(3), "r09": None})
    assert (found["hosts"], found["without_inventory"]) == (3, ["r09"])


def test_a_step_can_fail_and_says_why(compare):
    hosts = twins(5)
    hosts["r02"]["links"][0]["mtu"] = 1500
    hosts["r02"]["cpu"]["microcode"] = "0x2"
    del hosts["r04"]["disks"][0]
    with pytest.raises(Failed) as caught:
        compare(hosts, fail=True)
    assert str(caught.value).splitlines() == [
        "2 of 5 hosts differ from the others:",
        'r02: cpu.microcode is "0x2" instead of null; links.eth0.mtu is 1500 instead of 9000',
        'r04: disks.sda is "absent" instead of "present"',
    ]


def test_long_reasons_are_cut(compare):
    hosts = twins(60)
    for number, host in enumerate(hosts):
        if number < 25:
            hosts[host]["extra"] = {f"field_{field:02}": number for field in range(12)}
    with pytest.raises(Failed) as caught:
        compare(hosts, fail=True)
    lines = str(caught.value).splitlines()
    assert lines[-1] == "and 5 more"
    assert lines[1].endswith("; and 2 more")


@pytest.mark.parametrize("percent", ["1", -1, True, None])
def test_a_tolerance_is_a_number(compare, percent):
    with pytest.raises(ValueError, match="tolerance: expected a number of percent for memory"):
        compare(twins(3), tolerance={"memory": percent})


def test_what_was_asked_for_is_a_check(compare):
    found = compare(twins(3), fail=True)
    assert found.checks == {"hosts_differing": "passed", "fields_undecided": "passed"}
    assert compare(twins(3)).checks == {}


def differing(differences, *changed):
    """The fields that the last of three hosts differs in; `changed` are the extras of the others and of it."""
    hosts = twins(3)
    for host, extra in zip(hosts, (changed[0], *changed)):
        hosts[host]["extra"] = copy.deepcopy(extra)
    found = differences(hosts)
    return [(one["field"], one["majority"], one["hosts"]["r03"]) for one in found["differences"]]


@pytest.mark.parametrize(
    ("majority", "other", "told"),
    [
        ({"a.b": 1, "a": {"b": 2}}, {"a.b": 5, "a": {"b": 2}}, [("extra.a.b", 1, 5)]),
        (
            [{"name": "x", "v": 1}, {"name": "x", "v": 2}],
            [{"name": "x", "v": 5}, {"name": "x", "v": 2}],
            [("extra.x.v", 1, 5)],
        ),
        ({"a": {}}, {}, [("extra.a", {}, None)]),
        ({"a": {}}, {"a": []}, [("extra.a", {}, [])]),
        ({"a": None}, {"a": []}, [("extra.a", None, [])]),
        ({"a": []}, {"a": [1]}, [("extra.a.0", None, 1)]),
        ({"a": [1]}, {"a": []}, [("extra.a.0", 1, None)]),
        ([{"name": "x", "v": []}], [], [("extra.x", "present", "absent")]),
        ([[]], [{}], [("extra.0", [], {})]),
    ],
)
def test_no_difference_hides_another(differences, majority, other, told):
    assert differing(differences, majority, other) == told
    assert differing(differences, majority, majority) == []


def test_what_is_empty_everywhere_is_no_field(differences):
    hosts = twins(3)
    for host in hosts:
        hosts[host]["extra"] = {"none": [], "nothing": {}}
    assert differences(hosts)["fields"] == 10
