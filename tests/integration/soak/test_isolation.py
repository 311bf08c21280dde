# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is to blame among 64 hosts in network namespaces: real faults by `tc`, and real traffic in every test.

The rounds are those of a step with `isolate`. A busy machine can only make a port slower for a moment, so the best of
several tries counts (`namespace_network.py`).
"""

from __future__ import annotations

import json
import random
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import product
from queue import SimpleQueue
from typing import Any

import namespace_network
import pytest
from namespace_network import Network

import reliability_sweeps
from ansible_collections.rack.recipes.tests.unit.rack_recipes.plan.members.simulated_faults import (
    DRAWN,
    Faults,
    Measured,
    end,
    searched,
    table,
)
from rack_recipes.plan.members.isolate_faults import PAIR, Isolation
from rack_recipes.plan.members.match_members import MemberTest
from rack_recipes.plan.members.sides import Outcome

pytestmark = pytest.mark.skipif(bool(why := namespace_network.objection()), reason=why or "it can")

DOCS = reliability_sweeps.CHECKOUT / "docs"
FIGURES, PAGE = DOCS / "isolation_in_namespaces.json", DOCS / "several-nodes.md"
BEGIN = "<!-- isolation in namespaces: RACK_SOAK=1 pytest tests/integration/soak/test_isolation.py -->\n"
END = "<!-- /isolation in namespaces -->\n"
RACKS = reliability_sweeps.count(4, 8)
COUNT = 8 * RACKS
SEEDS = reliability_sweeps.count(1, 20)
RACK_OF = {f"n{place:03d}": f"rack{place * RACKS // COUNT}" for place in range(COUNT)}
CASES = [name for name in DRAWN if name != "five slow nodes"]
AT_ONCE = reliability_sweeps.count(7, 4)  # networks
Swept = tuple[list[dict[str, Any]], list[str]]
WAYS = ("to", "from", "both")
TRIES = 3


@pytest.fixture(scope="module")
def networks() -> Iterator[SimpleQueue[Network]]:
    """Networks that a search may take, and must give back."""
    free: SimpleQueue[Network] = SimpleQueue()
    with ExitStack() as opened:
        for _place in range(AT_ONCE):
            free.put(opened.enter_context(Network(RACK_OF)))
        yield free


@contextmanager
def broken(networks: SimpleQueue[Network], faults: Faults, _domains: Any = None) -> Iterator[Measured]:
    """Make faults in a network, and measure there; they are gone afterwards."""
    chance = random.Random(str(sorted(map(str, faults.named()))))
    network = networks.get()
    try:
        for host in sorted(faults.nodes):
            network.slow_node(host, chance.choice(WAYS))
        for rack in sorted(faults.uplinks):
            network.slow_uplink(rack, chance.choice(WAYS))
        for link in faults.links:
            network.slow_pair(*sorted(link))
        yield partial(measured, network)
    finally:
        network.heal({*faults.nodes, *(host for link in faults.links for host in link)}, faults.uplinks)
        networks.put(network)


def measured(network: Network, tests: Sequence[MemberTest]) -> list[Outcome]:
    """What the traffic between the members of each test of a round says. Only what was not measured is tried again."""
    found: list[bool | None] = [None] * len(tests)
    for _try in range(TRIES):
        again = [place for place, passed in enumerate(found) if passed is None]
        for place, passed in zip(again, network.outcomes([tests[place].members for place in again]), strict=True):
            found[place] = passed
    return [Outcome(passed) for passed in found]


@pytest.fixture(scope="module")
def swept(networks: SimpleQueue[Network]) -> Swept:
    """The rows of the table, and who is wrongly named or not at all by other domains. A whole sweep writes the page."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        crossed = [pool.submit(named_wrongly, networks, *case) for case in product(range(SEEDS), (0, PAIR))]
        rows = [
            pool.submit(searched, COUNT, RACKS, fault, scope, SEEDS, partial(broken, networks))
            for scope, fault in product(("group", "pair"), CASES)
        ]
        found = [row.result() for row in rows]
        wrong = [text for each in crossed for text in each.result()]
    if reliability_sweeps.is_whole():
        told = {"when": datetime.now(UTC).date().isoformat(), "seeds": SEEDS, "rows": found, "crossed": wrong}
        FIGURES.write_text(json.dumps(told, indent=1) + "\n")
        PAGE.write_text(page(told))
    return found, wrong


def named_wrongly(networks: SimpleQueue[Network], seed: int, largest: int) -> list[str]:
    """What a search says wrongly of a slow uplink and a slow first host of a domain that lies across the racks."""
    chance = random.Random(seed)
    domains = {host: f"row{place // 8}" for place, host in enumerate(chance.sample(sorted(RACK_OF), COUNT))}
    first = next(host for host in RACK_OF if domains[host] == f"row{seed % RACKS}")
    uplink = chance.choice(sorted({*RACK_OF.values()}))
    faults = Faults(nodes=frozenset([first]), uplinks=frozenset([uplink]))
    with broken(networks, faults) as by_traffic:
        isolation = end(Isolation([*RACK_OF], domains, largest, seed), by_traffic)
    convicted = [one for one in isolation.convicted if not one.is_candidate]
    wrong = [f"{seed} {one}" for one in convicted if faults.is_innocent(one, RACK_OF)]
    told = {host for one in convicted for host in one.members}
    missed = {first, *(host for host, rack in RACK_OF.items() if rack == uplink)} - told
    return [*wrong, *(f"{seed} {host} is not named" for host in sorted(missed))]


def page(told: Mapping[str, Any]) -> str:
    """The page with these figures."""
    note = (
        f"Measured on {told['when']}, with the seeds 0 to {told['seeds'] - 1} of each row. In {PAIR * told['seeds']} "
        "more searches an uplink and the first host of a domain were slow, and the domains lay across the racks: "
        f"{len(told['crossed'])} findings were wrong or missing."
    )
    return table(PAGE, told["rows"], BEGIN, END, textwrap.fill(note, 120))


def test_the_right_one_is_found_and_nobody_else(swept: Swept) -> None:
    """As many as with simulated faults: of pairs, a fault of one pair alone is mostly missed."""
    for row in swept[0]:
        simulated = searched(COUNT, RACKS, row["fault"], row["scope"], SEEDS)
        assert (row["found"], row["wrong"]) == (simulated["found"], 0), row


def test_two_faults_blame_no_innocent_by_domains_that_are_not_those_of_the_fabric(swept: Swept) -> None:
    assert swept[1] == []


def test_the_page_has_what_the_last_sweep_found(swept: Swept) -> None:
    told = json.loads(FIGURES.read_text())
    assert PAGE.read_text() == page(told)
    assert [(row["fault"], row["scope"]) for row in told["rows"]] == [(row["fault"], row["scope"]) for row in swept[0]]
