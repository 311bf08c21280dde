# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The BGP sessions of a router that runs FRR."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import run_json

WRONG_AS = "0202"  # code and subcode of the notification "OPEN message error, bad peer AS" (RFC 4271, 6.2)


class BgpSessions(Scriptlet):
    """Whether a router (FRR) has its BGP sessions, and how many networks each brings."""

    options = {
        "ports": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The ports, or addresses, that must have a session",
        },
        "min_prefixes": {
            "type": "int",
            "default": 1,
            "description": "How many networks each session must bring",
            "unit": "networks",
            "source": "a session that brings nothing is of no use",
        },
    }
    reads = ()
    writes = {
        "fabric.bgp_v1": (
            "For each port state, remote_as, prefixes (networks), dropped (times), hold_seconds (agreed) and "
            "configured_hold_seconds (s), refuses_as, is_shut_down and the reason of the last end"
        )
    }
    needs = (
        "FRR's vtysh",
        "root or the group frrvty",
    )
    verdicts = {
        "failed": "a session is not established, or brings too little; a wrong AS is named",
        "marginal": "the ends of a session are configured with different hold times",
        "error": "vtysh is not there, or does not answer",
    }
    example = """
        - name: sessions
          module: fabric.sessions
          hosts: "leaves:spines"
          become: true
          args: {ports: [swp1, swp2]}
    """

    def run(self, ctx, params):
        found = sessions(run_json(("vtysh", "-c", "show bgp neighbors json")))
        ctx.set("fabric.bgp_v1", found)
        wrong = [said for port in params["ports"] for said in judge(ctx, port, found.get(port), params)]
        if wrong:
            raise Failed("; ".join(wrong))


def sessions(told):
    """State, numbers of the systems, networks and last error of each session, from FRR's JSON."""
    return {name: _session(own) for name, own in (told or {}).items() if isinstance(own, dict)}


def _session(own):
    family = (own.get("addressFamilyInfo") or {}).get("ipv4Unicast") or {}
    return {
        "state": own.get("bgpState"),
        "remote_as": own.get("remoteAs"),
        "prefixes": family.get("acceptedPrefixCounter", 0),
        "dropped": own.get("connectionsDropped", 0),
        "refuses_as": str(own.get("lastErrorCodeSubcode", "")).endswith(WRONG_AS),
        "hold_seconds": _seconds(own.get("bgpTimerHoldTimeMsecs")),
        "configured_hold_seconds": _seconds(own.get("bgpTimerConfiguredHoldTimeMsecs")),
        "is_shut_down": bool(own.get("adminShutDown")),
        "reason": own.get("lastNotificationReason") or own.get("lastResetDueTo") or "",
    }


def _seconds(told):
    return None if told is None else told / 1000


def judge(ctx, port, found, params):
    """Judge one session; yields what is wrong with it."""
    if found is None:
        ctx.check(f"session.{port}", "not configured", eq="Established")
        yield f"no session is configured at {port}"
        return
    if ctx.check(f"session.{port}", found["state"], eq="Established") == "failed":
        yield f"{port}: {_why(found)}"
    elif ctx.check(f"prefixes.{port}", found["prefixes"], "networks", min=params["min_prefixes"]) == "failed":
        yield f"{port}: {found['prefixes']} networks come in, expected at least {params['min_prefixes']}"
    hold, configured = found["hold_seconds"], found["configured_hold_seconds"]
    if found["state"] == "Established" and None not in (hold, configured):
        # Both ends take the shorter time (RFC 4271, 4.2): another one than the own says that the two differ.
        ctx.check(f"hold.{port}", hold, "s", min=0, warn={"min": configured})


def _why(found):
    if found["is_shut_down"]:
        return "the session is shut down here"
    if found["refuses_as"]:
        return f"this router expects AS {found['remote_as']}, which the peer is not: correct remote-as here"
    return f"the session is {found['state']}" + (f" ({found['reason']})" if found["reason"] else "")
