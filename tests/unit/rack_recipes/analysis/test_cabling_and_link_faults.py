# SPDX-License-Identifier: GPL-3.0-or-later

"""Links judged from both ends, from what the hosts say in the context."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.planted_runs import (
    NO_HISTORY,
    context_row,
    step_row,
)
from rack_recipes.analysis import cabling_and_link_faults
from rack_recipes.analysis.findings import NOTABLE, Finding, ResultId
from rack_recipes.analysis.run_data import RunData

CASES = json.loads(Path(__file__).with_name("links.json").read_text())


def found_in(of_hosts: dict[str, Any], key: str = "links.state_v1", **rows: Any) -> list[Finding]:
    context = [context_row(host, key, value, "look") for host, value in of_hosts.items()]
    return [*cabling_and_link_faults.findings(RunData({}, context=context, **rows), NO_HISTORY)]


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_what_is_said_of_links(case: dict[str, Any]):
    found = found_in(case["links"])
    assert [finding.title for finding in found] == case["titles"]
    assert all(finding.method and finding.advice and finding.results for finding in found)
    if "advice" in case:
        assert found[0].advice == case["advice"]


def test_a_finding_rests_on_the_steps_that_looked_and_explains_those_that_failed():
    case = CASES[2]
    rows = [step_row("r3", "look", "failed"), step_row("r5", "look", "failed"), step_row("leaf1", "look")]
    [finding] = found_in(case["links"], steps=rows)
    assert finding.results == tuple(ResultId(host, "look") for host in ("r3", "r5", "leaf1"))
    assert finding.explains == 2
    assert finding.about == {"host": "r3", "ends": ["r3 eth1", "r5 eth1"]}
    assert finding.figures == {"r3 eth1": "leaf1 5", "r5 eth1": "leaf1 3"}


@pytest.mark.parametrize("domain", ["", ".lab.example"])
def test_two_hosts_with_each_others_name_have_no_swapped_cables(domain: str):
    seen = {"3": "r5", "5": "r3"}
    links = {
        port: {"peer": peer, "peer_port": "eth1", "expected_peer": wanted, "expected_port": "eth1"}
        for (port, peer), wanted in zip(seen.items(), ("r3", "r5"), strict=True)
    }
    names = {"r3": f"r5{domain}", "r5": f"r3{domain}", "r4": f"r4{domain}"}
    context = [context_row(host, "host.identity_v1", {"host_name": name}, "identity") for host, name in names.items()]
    context.append(context_row("leaf1", "links.state_v1", links, "look"))
    [finding] = cabling_and_link_faults.findings(RunData({}, context=context), NO_HISTORY)
    assert finding.title == "r3 and r5 have each other's host name, so their cables look swapped"
    assert finding.advice.endswith("leave the cables: they are where they belong.")


def test_errors_at_both_ends_are_one_finding_about_the_cable():
    clean = {f"e{n}": {"rx_errors": 0} for n in range(20)}
    bad = {
        "r1": {"eth1": {"peer": "r2", "peer_port": "eth1", "rx_errors": 7}},
        "r2": {"eth1": {"peer": "r1", "peer_port": "eth1", "rx_errors": 9}, **clean},
    }
    [finding] = found_in(bad)
    assert finding.title == "r1 eth1 counts rx_errors 7, and the other end r2 eth1 9; 20 of 22 ends count none"
    assert finding.advice == "Change the cable between r1 eth1 and r2 eth1: both of its ends see it."
    assert finding.grade == NOTABLE


def test_other_keys_are_no_links_and_keys_of_one_port_are_joined():
    wrong = {"r1": {"eth1": {"expected_peer": "leaf1", "expected_port": "1"}}}
    assert not found_in(wrong, "cables.state_v1")
    assert len(found_in(wrong, "lldp.neighbours_v2")) == 1
    unsaid = [context_row("r1", "link.ports_v1", {"eth1": {"mtu": 9000}}, "ports")]
    context = [
        *unsaid,
        context_row("r1", "links.plan_v1", wrong["r1"]),
        context_row("r1", "lldp.seen_v1", {"eth1": {"peer": "leaf1", "peer_port": "2"}}),
    ]
    [finding] = cabling_and_link_faults.findings(RunData({}, context=context), NO_HISTORY)
    assert finding.title == "r1 eth1 is connected to leaf1 2 and belongs to leaf1 1"
    assert finding.results == (ResultId("r1", "learn"),)


def test_what_is_long_is_no_name():
    """A host may say anything: a device, a port or a setting that nobody would read is passed over."""
    long = "x" * 65
    good = {"peer": "r2", "peer_port": "eth1", "expected_peer": "leaf1", "expected_port": "1"}
    assert len(found_in({"r1": {"eth1": good}})) == 1
    assert found_in({"r1": {long: good}}) == []
    assert found_in({"r1": {"eth1": {**good, "peer": long, "expected_peer": long}}}) == []
    ends = {"r1": {"eth1": {"peer": "r2", "peer_port": "eth1", "mtu": long}}}
    assert found_in({**ends, "r2": {"eth1": {"peer": "r1", "peer_port": "eth1", "mtu": 1500}}}) == []


def test_many_broken_links_are_counted():
    dark = {
        f"r{n}": {"eth1": {"expected_peer": "leaf1", "expected_port": str(n)}}
        for n in range(cabling_and_link_faults.MOST_LINK_FINDINGS + 3)
    }
    found = found_in(dark)
    assert len(found) == cabling_and_link_faults.MOST_LINK_FINDINGS + 1
    assert found[-1].title == "3 more links are like these: r50 eth1 sees no neighbour; leaf1 50 is expected, ..."
    assert len(found[-1].results) == 3
