# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan from what ports see: what only one end says is marked, what contradicts is left out and told."""

from __future__ import annotations

from rack_recipes.cabling.compare_and_learn import Seen, learn_plan
from rack_recipes.cabling.plan_model import End


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
