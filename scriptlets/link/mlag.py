# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pair of switches that servers see as one (MLAG): its peer, and its bonds."""

from __future__ import annotations

import json

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.commands import run

COMMANDS = (("clagctl", "-j"), ("Cli", "-p", "15", "-c", "show mlag | json"))
"""That of Cumulus Linux, and that of Arista EOS in its own shell."""


class LinkMlag(Scriptlet):
    """Whether a pair of switches that servers see as one (MLAG) is whole: peer, peer link, settings, bonds.

    It reads `clagctl -j` (Cumulus Linux) or `show mlag | json` (Arista EOS), whichever the switch has.
    """

    options = {
        "told": {
            "type": "raw",
            "description": "The JSON from elsewhere, such as from a step with eos_command",
        },
        "absent": {"type": "str", "choices": ["skip", "fail"], "default": "skip"},
    }
    reads = ()
    writes = {
        "link_pair.mlag_v1": (
            "peer_is_alive, peer_link, peer_link_is_up, backup_is_active, `conflicts` and `single` (bonds), "
            "and `bonds` (their number)"
        )
    }
    needs = ("clagctl or Arista's FastCli, or their answer in `told`",)
    verdicts = {
        "failed": ("the peer does not answer, the peer link is down, settings differ, or a bond is on one switch only"),
        "skipped": "there is no MLAG (failed with `absent: fail`)",
        "error": "the answer is not known",
    }
    example = """
        - name: mlag
          module: link.mlag
          hosts: leaves
    """

    def run(self, ctx, params):
        told = params["told"] or asked()
        found = read(json.loads(told) if isinstance(told, str) else told) if told else None
        if not found:
            is_missing("MLAG", params)
        ctx.set("link_pair.mlag_v1", found)
        wrong = [said for said in _judge(ctx, found) if said]
        if wrong:
            raise Failed("; ".join(wrong))


def asked():
    """What the switch says; empty where it has none of the commands."""
    for command in COMMANDS:
        try:
            return run(command)
        except ValueError as error:
            if "is not installed" not in str(error):
                raise
    return ""


def read(told):
    """What is known of the pair, the same for both systems; None where MLAG is not configured."""
    if "status" in told and "peerAlive" in told["status"]:
        return _cumulus(told)
    if told.get("state") in (None, "disabled"):
        return None
    return _arista(told)


def _cumulus(told):
    status, bonds = told["status"], told.get("clagIntfs") or {}
    return {
        "peer_is_alive": status["peerAlive"] is True,
        "peer_link": status.get("peerIf", ""),
        "peer_link_is_up": status["peerAlive"] is True,
        "backup_is_active": status.get("backupActive"),
        "conflicts": sorted(name for name, own in bonds.items() if own.get("conflicts")),
        "single": sorted(name for name, own in bonds.items() if own.get("status") != "dual"),
        "bonds": len(bonds),
    }


def _arista(told):
    ports = told.get("mlagPorts") or {}
    single = sum(ports.get(name, 0) for name in ("Inactive", "Active-partial"))
    return {
        "peer_is_alive": told.get("negStatus") == "connected",
        "peer_link": told.get("peerLink", ""),
        "peer_link_is_up": told.get("peerLinkStatus") == "up" and told.get("localIntfStatus") == "up",
        "backup_is_active": None,
        "conflicts": [] if told.get("configSanity") == "consistent" else ["configuration"],
        "single": [f"{single} of {sum(ports.values())}"] if single else [],
        "bonds": sum(ports.values()),
    }


def _judge(ctx, found):
    """Judge the pair; yields what is wrong."""
    rules = {
        "peer_is_alive": "the peer does not answer: look at the other switch",
        "peer_link_is_up": f"the peer link {found['peer_link']} is down: look at its cables",
    }
    for name, said in rules.items():
        yield said if ctx.check(name, found[name], eq=True) == "failed" else ""
    if found["backup_is_active"] is not None and ctx.check("backup", found["backup_is_active"], eq=True) == "failed":
        yield "the backup way to the peer is not active: look at the management network"
    if ctx.check("conflicts", len(found["conflicts"]), max=0) == "failed":
        yield f"the switches differ in {', '.join(found['conflicts'])}: give both the same settings"
    if ctx.check("single", len(found["single"]), max=0) == "failed":
        yield f"bonds that are on one switch only: {', '.join(found['single'])}: look at their second cable"
