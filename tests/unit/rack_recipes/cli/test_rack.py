# SPDX-License-Identifier: GPL-3.0-or-later

"""What `rack up` says of BMCs and PDUs, there or missing."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from rack_recipes.cli import rack
from rack_recipes.lab import rack_pdus, start_rack
from rack_recipes.lab.bmc import ipmi_bmcs, redfish_bmcs
from rack_recipes.lab.rack_state import RackState

WHOLE = RackState(
    Path("/rack"), 1, 1, {"spine": 2, "leaf": 4, "server": 8}, has_bmcs=True, has_ipmi=True, has_pdus=True
)
FILES = ["inventory  /rack/inventory.yml", "cabling    /rack/cabling.yml"]
TO_INSTALL = {redfish_bmcs: "pip install x", ipmi_bmcs: "apt-get install y", rack_pdus: "pip install z"}


@pytest.fixture(autouse=True)
def _nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, command in TO_INSTALL.items():
        monkeypatch.setattr(module, "missing", lambda command=command: command)


def said(monkeypatch: pytest.MonkeyPatch, state: RackState, *, bmcs: bool | None, json: bool = False) -> object:
    monkeypatch.setattr(start_rack, "up", lambda _topology, **_more: state)
    return rack.up(Namespace(spines=2, leaves=4, servers=8, bmcs=bmcs, json=json))[0]


@pytest.mark.parametrize(
    ("state", "bmcs", "lines"),
    [
        (
            WHOLE,
            None,
            ["8 BMCs answer by Redfish and IPMI, inside of the rack", "2 PDUs answer by SNMP, inside of the rack"],
        ),
        (
            replace(WHOLE, has_bmcs=False, has_pdus=False),
            None,
            ["8 BMCs answer by IPMI, inside of the rack", "no Redfish: pip install x", "no PDUs: pip install z"],
        ),
        (
            replace(WHOLE, has_bmcs=False, has_ipmi=False),
            None,
            ["no Redfish: pip install x", "no IPMI: apt-get install y", "2 PDUs answer by SNMP, inside of the rack"],
        ),
        (replace(WHOLE, has_bmcs=False, has_ipmi=False), False, ["2 PDUs answer by SNMP, inside of the rack"]),
        (
            replace(WHOLE, counts={"spine": 1, "leaf": 1, "server": 1}),
            None,
            ["1 BMC answers by Redfish and IPMI, inside of the rack", "1 PDU answers by SNMP, inside of the rack"],
        ),
    ],
)
def test_what_answers_and_what_is_missing(monkeypatch, state, bmcs, lines):
    first = f"{sum(state.counts.values())} nodes are up"
    assert said(monkeypatch, state, bmcs=bmcs) == "\n".join([first, *lines, *FILES])


def test_the_same_for_programs(monkeypatch):
    told = said(monkeypatch, WHOLE, bmcs=None, json=True)
    assert isinstance(told, dict)
    assert (told["bmcs"], told["ipmi"], told["pdus"]) == (True, True, True)
