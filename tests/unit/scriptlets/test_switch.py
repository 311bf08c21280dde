# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for switches, on what the command lines of four network operating systems answered (`captured/`)."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
CASES: dict[str, list[dict[str, Any]]] = yaml.safe_load((HERE / "switch_answers.yml").read_bytes())


@pytest.fixture
def scriptlet(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A function that imports a drop-in as a host does."""
    monkeypatch.syspath_prepend(str(HERE.parents[2]))
    return lambda name: importlib.import_module(f"scriptlets.{name}")


def told(case: dict[str, Any]) -> Any:
    return case["told"] if "told" in case else json.loads((HERE / "captured" / case["file"]).read_bytes())


def of(*kinds: str) -> list[Any]:
    return [pytest.param(kind, case, id=f"{kind}-{n}") for kind in kinds for n, case in enumerate(CASES[kind])]


@pytest.mark.parametrize(("kind", "case"), of("ports", "neighbours"))
def test_what_a_switch_answers(scriptlet, kind, case):
    assert getattr(scriptlet("tools.switch_command_answers"), kind)(told(case)) == case["found"]


@pytest.mark.parametrize(("kind", "case"), of("sessions"))
def test_the_sessions_of_a_switch(scriptlet, kind, case):
    found = scriptlet("tools.switch_command_answers").sessions(told(case))
    assert {peer: [one["state"], one["remote_as"], one["prefixes"]] for peer, one in found.items()} == case["found"]
    shape = scriptlet("fabric.sessions").sessions(
        json.loads((HERE / "captured/frr-10.3-bgp-neighbors.json").read_bytes())
    )
    assert {frozenset(one) for one in found.values()} == {frozenset(one) for one in shape.values()}


@pytest.mark.parametrize("kind", ["ports", "neighbours", "sessions"])
@pytest.mark.parametrize("answer", [{}, {"b": 1, "a": {}}, "% Unknown command", None, []])
def test_an_answer_of_another_kind_is_an_error(scriptlet, kind, answer):
    with pytest.raises(ValueError, match=r"this is no answer with .* that is known here \(it has (a, b|nothing)\)"):
        getattr(scriptlet("tools.switch_command_answers"), kind)(answer)


class TestPorts:
    FRR = told(CASES["ports"][0])

    def test_ports_as_they_must_be(self, scriptlet, rack_context):
        params = {"told": self.FRR, "ports": ["swp1", "swp2"], "mtu": 9000, "speed_mbps": 10000}
        assert rack_context.run(scriptlet("switch.ports").SwitchPorts, params).verdict == "passed"
        assert {"state.swp1", "mtu.swp2", "speed_mbps.swp1"} <= rack_context.checked.keys()
        assert rack_context["links.ports_v1"]["swp1"]["mtu"] == 9000

    def test_each_port_that_is_wrong_is_named_with_what_to_do(self, scriptlet, rack_context):
        broken = {**self.FRR, "swp1": {**self.FRR["swp1"], "operationalStatus": "down", "mtu": 1500}}
        params = {"told": broken, "ports": ["swp1", "swp2", "swp9"], "mtu": 9000}
        outcome = rack_context.run(scriptlet("switch.ports").SwitchPorts, params)
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            (
                "there is no port swp9: correct its name in the inventory; "
                "swp1 is down: check its cable, its transceiver and the port at the other end; "
                "swp1 takes frames of 1500 bytes, expected 9000: correct its configuration"
            ),
        )

    def test_a_speed_that_the_switch_does_not_tell_is_an_error(self, scriptlet, rack_context):
        params = {"told": told(CASES["ports"][2]), "ports": ["Ethernet1"], "speed_mbps": 1000}
        outcome = rack_context.run(scriptlet("switch.ports").SwitchPorts, params)
        assert (outcome.verdict, outcome.reason.rpartition(": ")[2]) == (
            "error",
            "the switch does not tell speed_mbps of Ethernet1",
        )


class TestNeighbours:
    def test_a_domain_counts_only_where_the_plan_has_one(self, scriptlet, rack_context):
        answer, run = told(CASES["neighbours"][1]), scriptlet("switch.neighbours").SwitchNeighbours
        for planned in ("spine1:Ethernet3", "spine1.lab.example:Ethernet3"):
            assert rack_context.run(run, {"told": answer, "expected": {"Ethernet1": planned}}).verdict == "passed"
        outcome = rack_context.run(run, {"told": answer, "expected": {"Ethernet1": "spine1.other:Ethernet3"}})
        assert outcome.verdict == "failed"

    def test_a_wrong_and_a_missing_neighbour(self, scriptlet, rack_context):
        expected = {"swp1": "spine2:swp1", "swp7": "server9:eth1"}
        params = {"told": told(CASES["neighbours"][4]), "expected": expected}
        outcome = rack_context.run(scriptlet("switch.neighbours").SwitchNeighbours, params)
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            "swp1: expected spine2:swp1, found spine1:swp1; swp7: expected server9:eth1, found no neighbour",
        )
        assert rack_context["lldp.neighbours_v1"]["swp1"]["peer"] == "spine1"


class TestSessions:
    def test_sessions_as_they_must_be(self, scriptlet, rack_context):
        params = {"told": told(CASES["sessions"][0]), "peers": ["swp1", "swp2"], "min_prefixes": 1}
        assert rack_context.run(scriptlet("switch.sessions").SwitchSessions, params).verdict == "passed"

    def test_a_session_that_is_down_and_one_that_is_missing(self, scriptlet, rack_context):
        params = {"told": told(CASES["sessions"][1]), "peers": ["10.0.0.1", "10.0.0.3", "10.0.0.5"]}
        outcome = rack_context.run(scriptlet("switch.sessions").SwitchSessions, params)
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            "10.0.0.3: the session is Active; no session is configured at 10.0.0.5",
        )
