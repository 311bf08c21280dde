# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare a cabling plan with what all switches see, and ask the BMCs of nodes whose cables are not as planned."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from rack_recipes import Scriptlet
from scriptlets.tools.link_judgement import Hall, judge
from scriptlets.tools.redfish import RedfishError, client_of
from scriptlets.tools.redfish_nics import read_node
from scriptlets.tools.switch_tables import mac_of

AT_ONCE = 16  # BMCs


class JudgeLinks(Scriptlet):
    """Judges each cable by the tables of all switches (`cabling.switch_ports`), for `cabling.own_links`.

    They are asked only where something is wrong, or where a switch shows MAC addresses that `facts` do not have.
    """

    scope = "run"
    options = {
        "cables": {
            "type": "dict",
            "required": True,
            "description": 'For each host what its ports belong into: {node7: {mlx5_3: "leaf4:swp21"}}',
        },
        "facts": {
            "type": "dict",
            "default": {},
            "description": (
                "What more is known of a port: {node7: {mlx5_3: {label: CBL-12-07-03, speed_gbps: 400, mac: "
                '"b8:3f:..."}}}'
            ),
        },
        "bmcs": {
            "type": "dict",
            "default": {},
            "description": "The address of each host's BMC, as https://ADDRESS",
        },
        "user": {"type": "str", "default": ""},
        "password": {"type": "str", "default": "", "no_log": True},
        "verify": {"type": "bool", "default": True},
        "ca": {"type": "str", "default": ""},
        "timeout": {"type": "float", "default": 10},
    }
    reads = ("switch.ports_v1",)
    writes = {
        "cabling.judged_v1": (
            "For each host how many links are `good`, `of` how many, and the `findings`: kind, cable, port, "
            "expected, found, what to do"
        )
    }
    needs = (
        "switch.ports_v1 of the switches (cabling.switch_ports)",
        "BMCs with Redfish, where something is unclear",
    )
    verdicts = {
        "error": "no switch could be read, or the plan names an end that is not NODE:PORT",
    }
    example = """
        - name: judge
          module: cabling.judge_links
          scope: run
          args:
            cables: {node7: {mlx5_3: "leaf4:swp21"}}
    """

    def validate(self, ctx, params):
        planned(params["cables"], params["facts"])

    def run(self, ctx, params):
        cables = planned(params["cables"], params["facts"])
        tables = ctx.values("switch.ports_v1")
        judged = judge(cables, tables, {})
        asked = [host for host in sorted(_unclear(cables, tables, judged)) if params["bmcs"].get(host)]
        if asked:
            judged = judge(cables, tables, _ask(asked, params))
        ctx.set("cabling.judged_v1", judged, scope="run")
        ctx.measure("links_good", sum(own["good"] for own in judged.values()), "links")
        ctx.check("switches_read", len(tables), "switches", min=1)
        if not tables:
            raise ValueError("no switch could be read, so no cable was judged: look at the step before")


def planned(cables, facts):
    """The cables of the plan, one for each that is named. Raises ValueError for an end that is not NODE:PORT."""
    found = []
    for host, ports in cables.items():
        for port, end in (ports or {}).items():
            peer, colon, peer_port = str(end).partition(":")
            if not (peer and colon and peer_port):
                raise ValueError(f"cables: {host}, {port}: expected NODE:PORT, got {end!r}")
            known = ((facts or {}).get(host) or {}).get(port) or {}
            found.append({
                "host": host, "port": port, "peer": peer, "peer_port": peer_port,
                "label": str(known.get("label") or ""), "speed_gbps": known.get("speed_gbps"),
                "mac": mac_of(str(known.get("mac") or "")),
            })  # fmt: skip
    return _once(found)


def _once(cables):
    """Each cable once, where the plan names it at both of its ends. The end that comes first in the plan stays."""
    known, found = set(), []
    for each in cables:
        ends = frozenset(((each["host"], each["port"]), (each["peer"], each["peer_port"])))
        if ends not in known:
            known.add(ends)
            found.append(each)
    return found


def _unclear(cables, tables, judged):
    """The hosts whose BMCs can tell more: those with findings, and those that a switch shows by unknown addresses."""
    yield from (host for host, own in judged.items() if own["findings"])
    hall = Hall(cables, tables, {})
    yield from (host for host, port in hall.seen if not port)


def _ask(hosts, params):
    """What the BMCs of these hosts say, or {"error": text}."""

    def ask(host):
        try:
            with client_of({**params, "url": params["bmcs"][host]}) as device:
                return read_node(device)
        except RedfishError as error:
            return {"error": str(error)}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(hosts, pool.map(ask, hosts)))
