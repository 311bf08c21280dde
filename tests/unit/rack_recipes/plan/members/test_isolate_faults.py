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
    Searched,
    end,
    judged,
    searched,
    simulated,
    table,
)
from rack_recipes.plan.members.isolate_faults import BETWEEN, Isolation, domains_for
from rack_recipes.plan.members.sides import LINK, NODE, UPLINK, Outcome, unexplained

DOCS = Path(__file__).resolve().parents[5] / "docs"
SEEDS = 20
BEGIN, END = "<!-- isolation: pytest tests/unit/rack_recipes/plan/members --update -->\n", "<!-- /isolation -->\n"


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
    page = DOCS / "several-nodes.md"
    golden(page, table(page, rows, BEGIN, END))


def search(hosts: Any, domains: Mapping[str, str], faults: Faults, largest: int, seed: int) -> Searched:
    return judged(end(Isolation(hosts, domains, largest, seed), simulated(faults, domains)), faults)


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


DOMAINS: Mapping[str, Callable[[list[str], random.Random], Mapping[str, str]]] = {
    "of the fabric": lambda hosts, _chance: {host: f"d{place // 4}" for place, host in enumerate(hosts)},
    "with two leaves": lambda hosts, _chance: {host: f"d{place // 8}" for place, host in enumerate(hosts)},
    "smaller": lambda hosts, _chance: {host: f"d{place // 2}" for place, host in enumerate(hosts)},
    "crosswise": lambda hosts, _chance: {host: f"d{place % 4}" for place, host in enumerate(hosts)},
    "at random": lambda hosts, chance: {host: f"d{place % 3}" for place, host in enumerate(shuffled(hosts, chance))},
    "unknown": lambda hosts, _chance: domains_for(hosts, {}),
}
FAULTY = ("node uplink", "first uplink", "uplink uplink", "node node uplink", "node link", "uplink link", "first node")
TESTED = {"all to all": (0, False), "star": (0, True), "pairs": (2, False)}


def shuffled(hosts: list[str], chance: random.Random) -> list[str]:
    return chance.sample(hosts, len(hosts))


def drawn(kinds: str, fabric: Mapping[str, str], domains: Mapping[str, str], chance: random.Random) -> Faults:
    """Faults of these kinds; `first` is the first host of a domain, which stands for it in tests between domains."""
    hosts, words = [*fabric], kinds.split()
    nodes = chance.sample(hosts, words.count("node"))
    if "first" in words:
        domain = chance.choice(sorted({*domains.values()}))
        nodes.append(next(host for host in hosts if domains[host] == domain))
    uplinks = chance.sample(sorted({*fabric.values()}), words.count("uplink"))
    links = [frozenset(chance.sample(hosts, 2)) for _each in range(words.count("link"))]
    return Faults(frozenset(nodes), frozenset(links), frozenset(uplinks))


@pytest.mark.parametrize("named", DOMAINS)
@pytest.mark.parametrize("tested", TESTED)
@pytest.mark.parametrize("kinds", FAULTY)
def test_faults_at_once_never_blame_an_innocent_whatever_the_domains_are(kinds: str, tested: str, named: str) -> None:
    """What is slow is named too, if only as a candidate; a slow link beside another fault may stay unnamed."""
    hosts = [f"n{place:02d}" for place in range(16)]
    fabric = {host: f"leaf{place // 4}" for place, host in enumerate(hosts)}
    largest, is_star = TESTED[tested]
    for seed in range(8):
        chance = random.Random(f"{kinds} {tested} {named} {seed}")
        domains = DOMAINS[named](hosts, chance)
        faults = drawn(kinds, fabric, domains, chance)
        isolation = end(Isolation(hosts, domains, largest, seed), simulated(faults, fabric, is_star=is_star))
        convicted = isolation.convicted
        wrong = [one for one in convicted if not one.is_candidate and faults.is_innocent(one, fabric)]
        assert not wrong, (seed, faults, domains)
        told = {host for one in convicted for host in one.members}
        assert faults.nodes <= told, (seed, faults, domains)
        if "link" not in kinds:
            behind = [{host for host in hosts if fabric[host] == at} for at in faults.uplinks]
            assert all(told & each for each in behind), (seed, faults, domains)


@pytest.mark.parametrize("largest", [0, 2])
def test_of_two_leaves_alone_nobody_can_tell_whose_uplink_is_slow(largest: int) -> None:
    domains = {f"n{place}": f"leaf{place // 4}" for place in range(8)}
    isolation = end(Isolation([*domains], domains, largest), simulated(Faults(uplinks=frozenset(["leaf1"])), domains))
    found = {(one.kind, one.domain, one.is_candidate) for one in isolation.convicted}
    assert found == {(UPLINK, "leaf0", True), (UPLINK, "leaf1", True)}


def test_of_two_hosts_alone_nobody_can_tell_which_is_slow() -> None:
    isolation = end(Isolation(["a", "b"], {"a": "d", "b": "d"}), lambda tests: [Outcome(False)] * len(tests))
    assert {(one.kind, one.members, one.is_candidate) for one in isolation.convicted} == {
        (NODE, ("a",), True),
        (NODE, ("b",), True),
    }


def test_what_failed_by_nothing_that_is_to_blame_is_left_open() -> None:
    """A failure that does not come back, beside a slow node."""
    hosts = [f"n{place}" for place in range(12)]
    domains = {host: f"leaf{place // 4}" for place, host in enumerate(hosts)}
    isolation = Isolation(hosts, domains)
    first, second, _third = isolation.next_round()
    assert "n5" in second.members
    isolation.take([Outcome(False), Outcome(False), Outcome(True)])
    end(isolation, simulated(Faults(nodes=frozenset(["n5"])), domains))
    assert [one.members for one in isolation.convicted] == [("n5",)]
    left = unexplained(isolation.sides, isolation.tried, isolation.convicted)
    assert [each.test.members for each in left] == [first.members]


def test_a_slow_link_is_none_where_its_ends_are_on_two_sides() -> None:
    """Behind an uplink: each of these pairs fails again and again, though both ends pass at home."""
    domains = {f"n{place:02d}": f"leaf{place // 4}" for place in range(16)}
    for seed in range(20):
        isolation = end(
            Isolation([*domains], domains, 2, seed), simulated(Faults(uplinks=frozenset(["leaf2"])), domains)
        )
        assert all(one.kind != LINK for one in isolation.convicted)


def test_a_faulty_node_does_not_hide_the_uplink_of_its_domain() -> None:
    hosts = [f"n{number}" for number in range(12)]
    domains = {host: f"leaf{place // 3}" for place, host in enumerate(hosts)}
    found = search(hosts, domains, Faults(nodes=frozenset(("n5",)), uplinks=frozenset(("leaf1",))), 0, 1)
    assert (found.right, found.wrong) == (2, 0)
