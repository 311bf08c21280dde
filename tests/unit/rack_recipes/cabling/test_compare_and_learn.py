# SPDX-License-Identifier: GPL-3.0-or-later

"""A cabling plan is compared with what ports see, learned from it and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.cabling.compare_and_learn import KINDS, Finding, Seen, compare, learn_plan
from rack_recipes.cabling.import_plan import Source, import_plan
from rack_recipes.cabling.plan_model import Cable, CablingPlan, End, Position
from rack_recipes.cabling.write_plan_and_inventory import change, inventory_text, plan_text, write
from rack_recipes.errors import UsageError
from rack_recipes.lab.inventory_and_cabling import cabling_plan, make_inventory
from rack_recipes.lab.topology import build

CASES = yaml.safe_load(Path(__file__).with_name("comparisons.yml").read_text(encoding="utf-8"))
CABLES = (
    ("spine1:swp1", "leaf1:swp1"),
    ("spine1:swp2", "leaf2:swp1"),
    ("leaf1:swp2", "server1:eth1"),
    ("leaf1:swp3", "server2:eth1"),
    ("leaf2:swp2", "server3:eth1"),
    ("leaf2:swp3", "server4:eth1"),
)


def end(text: str) -> End:
    found = End.of(text)
    assert found
    return found


PLAN = CablingPlan(
    tuple(Cable(end(a), end(b), f"L{number}") for number, (a, b) in enumerate(CABLES, 1)),
    {"leaf2": Position("r1", 41)},
)


def seen_in(case: dict[str, Any]) -> Seen:
    asked = frozenset(case.get("asked", PLAN.ports))
    found = {one: (cable.other(one),) for one, cable in PLAN.at.items() if one.device in asked}
    found |= {end(port): tuple(map(end, sees)) for port, sees in case.get("seen", {}).items()}
    return Seen(asked, found)


def in_words(finding: Finding) -> str:
    return f"{finding.kind}: {finding.title} | {finding.advice} | {', '.join(finding.labels)}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_what_is_told(case: dict[str, Any]):
    found = compare(PLAN, seen_in(case))
    assert [*map(in_words, found.findings)] == case.get("told", [])
    assert (found.good, len(found.unchecked)) == (case["good"], case.get("unchecked", 0))


def test_every_kind_is_tried():
    told = {line.partition(":")[0] for case in CASES for line in case.get("told", [])}
    assert told == set(KINDS)


LARGE = CablingPlan(tuple(Cable(End(f"leaf{n // 4}", f"swp{n % 4}"), End(f"server{n}", "eth1")) for n in range(12)))


def recabled(order: list[int], silent: set[int]) -> Seen:
    """What is seen where the servers' ends of the cables have changed places, and some servers do not answer."""
    pairs = {cable.a: LARGE.cables[order[number]].b for number, cable in enumerate(LARGE.cables)}
    found = {near: (far,) for near, far in [*pairs.items(), *((far, near) for near, far in pairs.items())]}
    asked = {device for device in LARGE.ports if device not in {f"server{number}" for number in silent}}
    return Seen(frozenset(asked), {one: sees for one, sees in found.items() if one.device in asked})


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)))
def test_each_cable_that_was_moved_is_told_and_no_other(order: list[int], silent: set[int]):
    found = compare(LARGE, recabled(order, silent))
    moved = {LARGE.cables[number] for number, at in enumerate(order) if number != at}
    told = {cable for finding in found.findings for one in finding.ends if (cable := LARGE.at.get(one))}
    assert told == moved
    assert found.good == len(LARGE.cables) - len(moved)
    pairs = {frozenset((number, at)) for number, at in enumerate(order) if number < at and order[at] == number}
    assert sum(finding.kind == "swapped" for finding in found.findings) == len(pairs)


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)))
def test_what_is_learned_is_as_it_is_seen(order: list[int], silent: set[int]):
    seen = recabled(order, silent)
    plan, doubts = learn_plan(seen)
    assert (compare(plan, seen).findings, doubts) == ((), ())
    assert len(plan.cables) == 12
    assert sum(bool(cable.review) for cable in plan.cables) == len(silent)


def test_as_json():
    [told] = compare(PLAN, seen_in(CASES[4])).findings
    assert told.to_data()["ends"] == ["leaf1:swp2", "server1:eth1"]
    assert told.to_data()["labels"] == ["L3"]


def seen(**ports: str) -> Seen:
    """`leaf1_swp1="server1:eth1"`: what leaf1 sees at swp1; several with blanks."""
    told = {End(*name.split("_")): value for name, value in ports.items()}
    found = {port: tuple(End(*one.split(":")) for one in value.split()) for port, value in told.items()}
    return Seen(frozenset(port.device for port in found), found)


def test_cables_that_both_ends_tell_of_come_in_natural_order():
    told = {"leaf10_swp1": "spine1:swp10", "spine1_swp10": "leaf10:swp1"}
    plan, doubts = learn_plan(seen(**told, leaf2_swp1="spine1:swp2", spine1_swp2="leaf2:swp1"))
    assert [*map(str, plan.cables)] == ["leaf2:swp1 - spine1:swp2", "leaf10:swp1 - spine1:swp10"]
    assert not any(cable.review for cable in plan.cables)
    assert doubts == ()


def test_what_one_end_tells_is_marked():
    plan, doubts = learn_plan(seen(leaf1_swp1="server1:eth1", leaf1_swp2="server2:eth1", server2_eth1=""))
    assert [cable.review for cable in plan.cables] == [
        "only leaf1:swp1 says so: server1 has not answered",
        "only leaf1:swp2 says so: server2:eth1 sees nobody",
    ]
    assert doubts == ()


def test_what_contradicts_is_left_out_and_told():
    plan, doubts = learn_plan(seen(a_1="b:1", b_1="c:1", c_1="b:1", d_1="e:1 f:1", g_1="h:1", h_1="g:1"))
    assert [*map(str, plan.cables)] == ["g:1 - h:1"]
    assert doubts == (
        "a:1 - b:1 (told by a:1): a port has only one cable, and others are told of these",
        "b:1 - c:1 (told by b:1 and c:1): a port has only one cable, and others are told of these",
        "d:1 - e:1 (told by d:1): a port has only one cable, and others are told of these",
        "d:1 - f:1 (told by d:1): a port has only one cable, and others are told of these",
    )


def test_a_port_that_sees_itself_is_no_cable():
    plan, doubts = learn_plan(seen(a_1="a:1"))
    assert plan.cables == ()
    assert len(doubts) == 1


WRITTEN_CABLES = (
    Cable(End("leaf1", "swp1"), End("server1", "et-0/0/0:1"), "on"),
    Cable(End("leaf1", "swp2"), End("server2", "1"), review="only leaf1:swp2 says so: server2 has not answered"),
)


@pytest.mark.parametrize(
    "plan",
    [
        CablingPlan(WRITTEN_CABLES),
        CablingPlan(WRITTEN_CABLES, {"leaf1": Position("12", 3.5), "server1": Position("12")}),
    ],
)
def test_a_written_plan_reads_as_the_same(plan: CablingPlan):
    assert import_plan([Source("cabling.yml", plan_text(plan, ["learned", "look at it"]))]) == plan


def test_a_plan_is_written_as_a_rack_writes_it():
    topology = build(1, 2, 2)
    written = yaml.safe_dump(cabling_plan(topology), sort_keys=False)
    plan = import_plan([Source("cabling.yml", written)])
    assert plan_text(plan) == written


def test_the_inventory_has_the_cables_as_a_rack_has_them(tmp_path: Path):
    topology = build(1, 2, 2)
    plan = import_plan([Source("cabling.yml", yaml.safe_dump(cabling_plan(topology)))])
    ours = yaml.safe_load(inventory_text(plan))["all"]["hosts"]
    groups = make_inventory(topology, tmp_path, 1)["all"]["children"].values()
    theirs = {name: own["cables"] for group in groups for name, own in group["hosts"].items()}
    assert {name: own["cables"] for name, own in ours.items()} == theirs


def test_the_inventory_has_the_positions():
    hosts = yaml.safe_load(inventory_text(CablingPlan(WRITTEN_CABLES, {"leaf1": Position("12", 3)})))["all"]["hosts"]
    assert hosts["leaf1"] == {
        "cables": {"swp1": "server1:et-0/0/0:1", "swp2": "server2:1"},
        "rack": "12",
        "position": 3,
    }


def test_what_a_file_changes(tmp_path: Path):
    path = tmp_path / "cabling.yml"
    new = change(path, "- a\n- b\n")
    assert (new.is_new, new.is_none) == (True, False)
    write(new)
    assert change(path, "- a\n- b\n").is_none
    diff = change(path, "- a\n- c\n").diff
    assert "\n-- b\n+- c\n" in diff


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"cannot be read: .*Is a directory"):
        change(tmp_path, "")
    with pytest.raises(UsageError, match=r"none/cabling.yml: cannot be written: No such file"):
        write(change(tmp_path / "none" / "cabling.yml", ""))


def test_a_host_may_have_its_domain_in_its_name():
    plan = CablingPlan(WRITTEN_CABLES)
    assert plan.of_host("leaf1.dc.example")["swp2"] == "server2:1"
    assert plan.of_host("leaf9") == {}
