# SPDX-License-Identifier: GPL-3.0-or-later

"""The search for the node, link or uplink to blame, on simulated hosts; it writes the table of the page."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.plan.members.simulated_faults import (
    DRAWN,
    Faults,
    search,
    searched,
)
from rack_recipes.plan.members.isolate_faults import BETWEEN, Isolation, Outcome, domains_for

DOCS = Path(__file__).resolve().parents[5] / "docs"
SEEDS = 20
BEGIN, END = "<!-- isolation: pytest tests/unit/rack_recipes/plan/members --update -->\n", "<!-- /isolation -->\n"
COLUMNS: Mapping[str, str] = {
    "fault": "fault",
    "scope": "scope",
    "hosts": "hosts",
    "found": "found",
    "wrong": "wrong findings",
    "tests": "tests at most",
    "rounds": "rounds at most",
    "all_pairs": "all pairs",
    "lower_bound": "lower bound",
}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """The rows of the table."""
    of_64 = [name for name in DRAWN if name != "five slow nodes"]
    found = [searched(64, 8, fault, scope, SEEDS) for scope in ("group", "pair") for fault in of_64]
    five = [searched(232, racks, "five slow nodes", scope, SEEDS) for racks, scope in ((0, "group"), (29, "pair"))]
    return [*found, *five]


def test_nodes_and_uplinks_are_found_and_nobody_else(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        right, of = row["found"].split(" of ")
        assert row["wrong"] == 0, row
        assert right == of or (row["scope"] == "pair" and "link" in row["fault"]) or "pair alone" in row["fault"], row


def test_groups_find_a_fault_of_one_pair_alone(rows: list[dict[str, Any]]) -> None:
    (row,) = (row for row in rows if row["scope"] == "group" and "pair alone" in row["fault"])
    assert row["found"] == "20 of 20"


def test_232_nodes_with_five_faults_take_few_tests(rows: list[dict[str, Any]]) -> None:
    (row,) = (row for row in rows if row["hosts"] == 232 and row["scope"] == "group")
    assert row["tests"] <= 60
    assert row["rounds"] <= 8


def test_the_page_has_what_was_found(rows: list[dict[str, Any]], golden: Callable[[Path, str], None]) -> None:
    golden(DOCS / "isolation.json", json.dumps({"seeds": SEEDS, "rows": rows}, indent=1) + "\n")
    page = (DOCS / "several-nodes.md").read_text()
    head, rest = page.split(BEGIN)
    lines = [f"| {' | '.join(COLUMNS.values())} |", f"|{' --- |' * len(COLUMNS)}"]
    lines += [f"| {' | '.join('' if row[name] is None else str(row[name]) for name in COLUMNS)} |" for row in rows]
    golden(DOCS / "several-nodes.md", head + BEGIN + "\n" + "\n".join(lines) + "\n\n" + END + rest.split(END)[1])


@pytest.mark.parametrize("largest", [0, 2])
def test_any_number_of_hosts_domains_and_faults_comes_to_an_end(largest: int) -> None:
    for seed in range(300):
        chance = random.Random(seed)
        hosts = [f"n{number}" for number in range(chance.randrange(13))]
        domains = {host: f"d{chance.randrange(4)}" for host in hosts}
        nodes = frozenset(host for host in hosts if chance.random() < 0.2)
        uplinks = frozenset(f"d{number}" for number in range(4) if chance.random() < 0.1)
        search(hosts, domains, Faults(nodes=nodes, uplinks=uplinks), largest, seed)


@pytest.mark.parametrize("sizes", [(2, 1), (1, 2), (3, 2), (4, 2, 1), (1, 1, 1), (5, 1, 3)])
def test_pairs_of_two_domains_leave_out_none_of_a_small_one(sizes: tuple[int, ...]) -> None:
    """Where the number is odd, one of the largest domain stays alone, and no pair is of one domain."""
    domains = {f"n{domain}{number}": f"d{domain}" for domain, size in enumerate(sizes) for number in range(size)}
    isolation = Isolation([*domains], domains, 2)
    between = []
    while tests := isolation.next_round():
        between += [test.members for test in tests if test.phase == BETWEEN]
        isolation.take([Outcome(True)] * len(tests))
    assert len(between) == min(sum(sizes) // 2, sum(sizes) - max(sizes))
    assert all(domains[one] != domains[other] for one, other in between)


def test_who_is_absent_is_no_suspect_and_is_told() -> None:
    hosts = [f"n{number}" for number in range(8)]
    isolation = Isolation(hosts, domains_for(hosts, dict.fromkeys(hosts, "rack1")))
    while tests := isolation.next_round():
        isolation.take([Outcome(None, frozenset(("n3",))) if "n3" in test.members else Outcome(True) for test in tests])
    assert isolation.untested == ["n3"]
    assert not isolation.convicted


def test_a_failure_that_does_not_come_back_blames_nobody() -> None:
    hosts = [f"n{number}" for number in range(8)]
    isolation = Isolation(hosts, domains_for(hosts, {}))
    isolation.take([Outcome(number > 0) for number, _test in enumerate(isolation.next_round())])
    while tests := isolation.next_round():
        isolation.take([Outcome(True) for _test in tests])
    assert not isolation.convicted


@pytest.mark.parametrize("largest", [0, 2])
@pytest.mark.parametrize("places", [pytest.param(6, id="two uplinks in a rack"), pytest.param(4, id="in two racks")])
def test_an_uplink_that_the_domains_do_not_show_blames_none_of_its_nodes(places: int, largest: int) -> None:
    """A group is a star around its first member, as `fabric.incast` tests it."""
    behind = {"n3", "n4", "n5"}
    domains = {f"n{place}": f"rack{(place + 6 - places) // places}" for place in range(12)}
    isolation = Isolation([*domains], domains, largest)
    while tests := isolation.next_round():
        sides = [[host in behind for host in test.members] for test in tests]
        isolation.take([Outcome(len({*each}) == 1) for each in sides])
    assert {(one.kind, one.domain) for one in isolation.convicted} == {("uplink", "")}
    told = {host for one in isolation.convicted for host in one.members}
    assert told == behind or (told < behind and places == 4)  # its rack hides one of them


def test_a_faulty_node_does_not_hide_the_uplink_of_its_domain() -> None:
    hosts = [f"n{number}" for number in range(12)]
    domains = {host: f"leaf{place // 3}" for place, host in enumerate(hosts)}
    found = search(hosts, domains, Faults(nodes=frozenset(("n5",)), uplinks=frozenset(("leaf1",))), 0, 1)
    assert (found.right, found.wrong) == (2, 0)
