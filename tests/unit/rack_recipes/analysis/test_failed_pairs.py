# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom the analysis names where pairs of hosts fail, on runs as the virtual rack has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.methods.test_failed_pairs import matched
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.planted_runs import NO_HISTORY, step_row
from rack_recipes.analysis import causes
from rack_recipes.analysis.findings import PROBLEM, Finding, most_important_first
from rack_recipes.analysis.methods.failed_pairs import Pair
from rack_recipes.analysis.run_data import RunData
from rack_recipes.lab.topology import LEAF, SERVER, SPINE, build

CASES = yaml.safe_load(Path(__file__).with_name("failed_pairs_of_runs.yml").read_text())
RACK = build()
SERVERS = [node.name for node in RACK.of_role(SERVER)]
ROUTERS = [node.name for role in (SPINE, LEAF) for node in RACK.of_role(role)]
LEAVES = {leaf.name: [name for name in SERVERS if RACK.leaf_of(name) == leaf] for leaf in RACK.of_role(LEAF)}
OF_ROUTERS = ("bgp", "forwarding", "routes")


def run_of(case: dict[str, Any]) -> RunData:
    everywhere = matched(case["lost"], {"leaf": LEAVES})
    less = {step: matched(patterns, {"leaf": LEAVES}) for step, patterns in case.get("less", {}).items()}
    lost = {step: less.get(step, everywhere) for step in ("mesh", "reach")}
    given = {**case.get("failed", {}), **case.get("error", {})}
    steps = [*_rows(lost, given, case)]
    measured = {(row["host"], row["step"]) for row in steps if row["verdict"] in ("passed", "failed")}
    networks = [
        {"host": host, "step": "routes", "name": f"paths.{prefix}", "value": 0, "verdict": verdict}
        for host, own in case.get("networks", {}).items()
        for prefix, verdict in own.items()
    ]
    return RunData(
        {"run_id": "R"},
        steps=steps,
        measurements=[*(row for row in _measurements(lost) if (row["host"], row["step"]) in measured), *networks],
        attributes={name: _attributes(name) for name in RACK.nodes},
    )


def _attributes(name: str) -> dict[str, Any]:
    node = RACK.nodes[name]
    leaf = {SERVER: lambda: RACK.leaf_of(name).name, LEAF: lambda: name}.get(node.role, str)()
    return {"rack": node.rack, "role": node.role, "class": node.role, **({"leaf": leaf} if leaf else {})}


def _rows(lost: dict[str, set[Pair]], given: dict[str, str], case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    sources = {(pair.source, step) for step, pairs in lost.items() for pair in pairs}
    for host, steps in (*((name, ("mesh", "reach")) for name in SERVERS), *((name, OF_ROUTERS) for name in ROUTERS)):
        for step in steps:
            place = f"{host}/{step}"
            verdict = "failed" if (host, step) in sources or place in given else "passed"
            verdict = "error" if place in case.get("error", {}) else verdict
            verdict = "unreachable" if host in case.get("away", ()) else verdict
            yield step_row(host, step, verdict, reason=given.get(place, ""))


def _measurements(lost: dict[str, set[Pair]]) -> Iterator[dict[str, Any]]:
    for host in SERVERS:
        for step in ("mesh", "reach"):
            for other in SERVERS:
                if other != host:
                    verdict = "failed" if (host, other) in lost[step] else "passed"
                    name = f"loss.{RACK.nodes[other].address}"
                    yield {"host": host, "step": step, "name": name, "value": 0, "verdict": verdict}
            yield {"host": host, "step": step, "name": "hops.10.9.9.9", "value": 0, "verdict": None}


def found_in(run: RunData) -> list[Finding]:
    return most_important_first(causes.findings(run, NO_HISTORY))


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_who_is_named(case: dict[str, Any]) -> None:
    first, *others = found_in(run_of(case))
    assert first.title == case["title"]
    assert first.advice == case.get("advice", first.advice)
    assert len(others) == case.get("others", 0)
    assert first.grade == PROBLEM
    is_told = f"; {first.about.get('host')} says at " in first.title
    assert first.explains == (first.figures["of_failures"] if is_told else len({*first.results}))


def test_a_healthy_matrix_has_no_findings() -> None:
    assert not found_in(run_of({"lost": []}))


def test_results_between_hosts_are_pairs_themselves() -> None:
    """Where `leaf2` is, its servers are server3 and server4: what fails is between them and the others."""
    rows = [
        step_row("", f"link[{one},{other}]", verdict, parent="link", members=[other, one])
        for one, other in combinations(SERVERS, 2)
        for verdict in ("failed" if len({one, other} & {*LEAVES["leaf2"]}) == 1 else "passed",)
    ]
    group = step_row("", "group[all]", "failed", parent="group", members=[*SERVERS])
    attributes = {name: _attributes(name) for name in RACK.nodes}
    first, *_others = found_in(RunData({"run_id": "R"}, steps=[*rows, group], attributes=attributes))
    assert first.title.startswith("12 failing pairs of link lead to or from hosts of leaf2 (server3, server4)")


def links(
    *failed: tuple[str, str], tested: Sequence[tuple[str, str]] = (), bad: str = "failed", phase: str = "round 1"
) -> list[Any]:
    """Results of links between servers of which these failed."""
    pairs = tested or [*combinations(SERVERS, 2)]
    return [
        step_row("", f"link[{one},{other}]", bad if (one, other) in failed else "passed", parent="link",
                 members=[one, other], phase=phase)
        for one, other in pairs
    ]  # fmt: skip


OF_8 = [(one, "server8") for one in SERVERS[:-1]]


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        (links(*OF_8), "7 failing pairs of link lead to or from server8 (7 of 7"),
        (links(*OF_8, bad="error"), "7 failing pairs of link lead to or from server8 (7 of 7"),
        (
            links(*OF_8[:3], tested=[*combinations(SERVERS[:3], 2), *OF_8[:3]], bad="unreachable"),
            "3 failing pairs of link lead to or from server8 (3 of 3",
        ),
        # A search says itself who is to blame: its pairs are those that it chose.
        (links(*OF_8, phase="round 2, confirmation"), ""),
        # The order in which a result names its two ends is no direction.
        (links(*((one, "server3") for one in SERVERS[:2])), "2 failures have no common cause"),
        (links(("server1", "server2")), ""),
        (links(("server1", "server2"), tested=[("server1", "server2"), ("server3", "server4")]), ""),
        (links(*combinations(SERVERS, 2)), "28 failures have no common cause"),
    ],
)
def test_a_link_is_blamed_and_no_way_of_it(rows: list[Any], title: str) -> None:
    attributes = {name: _attributes(name) for name in RACK.nodes}
    titles = [one.title for one in found_in(RunData({"run_id": "R"}, steps=rows, attributes=attributes))]
    assert [one[: len(title)] for one in titles] == ([title] if title else [])
