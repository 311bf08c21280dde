# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports, neighbours and BGP sessions in what the commands of switches answer as JSON.

- Arista EOS: `show interfaces | json`, `show lldp neighbors | json` (also with `detail`), `show ip bgp summary | json`
- Cisco NX-OS: `show interface | json`, `show lldp neighbors detail | json`, `show bgp all summary | json`
- SONiC: `sonic-db-dump -n APPL_DB -k 'PORT_TABLE:*'`, the same with `LLDP_ENTRY_TABLE:*`, and BGP as FRR has it
- FRR: `show interface json`, `show bgp summary json`, `show bgp neighbors json`; neighbours are those of `lldpcli`

Models: https://www.arista.com/en/um-eos/eos-command-api-overview; Cisco, "Nexus 9000 Series NX-OS Programmability
Guide", structured output; https://github.com/sonic-net/sonic-swss/blob/master/doc/swss-schema.md; https://docs.frrouting.org/.
"""

from __future__ import annotations

import re

from scriptlets.cabling.neighbours import neighbours as lldpcli_neighbours
from scriptlets.fabric.sessions import sessions as frr_neighbours

NXOS_SHORT = re.compile(r"^Eth(?=\d)")
SONIC_PORT, SONIC_LLDP = "PORT_TABLE:", "LLDP_ENTRY_TABLE:"
NO_SPEED = 2**32 - 1  # what Linux, and so FRR, tells of a port whose speed is not known
DIGITS = re.compile(r"\d+")


def ports(told):
    """The ports: `state` (up or down), `mtu` in bytes, `speed_mbps`; None for what a switch does not tell."""
    return _read(PORTS, told, "ports")


def neighbours(told):
    """The neighbours of each port, as `NODE:PORT`."""
    return {port: sorted(set(peers)) for port, peers in _read(NEIGHBOURS, told, "LLDP neighbours").items()}


def sessions(told):
    """The BGP sessions by the name or the address of the peer, in the shape of `fabric.sessions`."""
    return _read(SESSIONS, told, "BGP sessions")


def _read(table, told, what):
    """What the first reader of a table makes of an answer that is for it. Raises ValueError where none is."""
    told = told if isinstance(told, dict) else {}
    for is_like, read in table:
        if is_like(told):
            return read(told)
    keys = ", ".join(sorted(map(str, told))[:5]) or "nothing"
    raise ValueError(f"this is no answer with {what} that is known here (it has {keys}): ask the switch for JSON")


def rows(told, *names):
    """The rows of a table of NX-OS inside of others: there a single row is no list, and an empty table is away."""
    found = [told]
    for name in names:
        inner = [(each.get(f"TABLE_{name}") or {}).get(f"ROW_{name}") or [] for each in found]
        found = [row for part in inner for row in (part if isinstance(part, list) else [part])]
    return found


def _session(state, remote_as, prefixes, *, is_shut_down=False):
    return {
        "state": state, "remote_as": _number(remote_as), "prefixes": _number(prefixes) or 0, "dropped": None,
        "hold_seconds": None, "configured_hold_seconds": None, "refuses_as": False, "is_shut_down": is_shut_down,
        "reason": "",
    }  # fmt: skip


def _number(value):
    """A whole number, also where it is written as text; None for anything else."""
    found = DIGITS.fullmatch(str(value))
    return int(found[0]) if found else None


def _port(is_up, mtu, speed_mbps):
    speed = _number(speed_mbps)
    is_known = speed not in (None, 0, NO_SPEED)
    return {"state": "up" if is_up else "down", "mtu": _number(mtu), "speed_mbps": speed if is_known else None}


def _eos_ports(told):
    return {
        name: _port(each.get("lineProtocolStatus") == "up", each.get("mtu"), (each.get("bandwidth") or 0) // 10**6)
        for name, each in told["interfaces"].items()
    }


def _nxos_ports(told):
    return {
        row["interface"]: _port(row.get("state") == "up", row.get("eth_mtu"), (_number(row.get("eth_bw")) or 0) // 1000)
        for row in rows(told, "interface")
    }


def _sonic_ports(told):
    return {
        name: _port(each.get("oper_status") == "up", each.get("mtu"), each.get("speed"))
        for name, each in _sonic(told, SONIC_PORT)
    }


def _frr_ports(told):
    """A port that is shut down has no operational status there."""
    return {
        name: _port(each.get("operationalStatus") == "up", each.get("mtu"), each.get("speed"))
        for name, each in told.items()
    }


def _sonic(told, prefix):
    """Each entry of a table of SONiC: `sonic-db-dump` puts its fields under `value`."""
    entries = ((key[len(prefix) :], each) for key, each in told.items() if key.startswith(prefix))
    return [(name, each.get("value", each)) for name, each in entries]


def _eos_neighbours(told):
    """Those of `show lldp neighbors`, a list, or of `show lldp neighbors detail`, a mapping of ports."""
    found = {}
    neighbours = told["lldpNeighbors"]
    for each in neighbours if isinstance(neighbours, list) else ():
        found.setdefault(each["port"], []).append(f"{each['neighborDevice']}:{_unquoted(each['neighborPort'])}")
    for port, each in neighbours.items() if isinstance(neighbours, dict) else ():
        found.setdefault(port, []).extend(map(_eos_detail, each.get("lldpNeighborInfo") or ()))
    return {port: peers for port, peers in found.items() if peers}


def _eos_detail(told):
    interface = told.get("neighborInterfaceInfo") or {}
    port = interface.get("interfaceId_v2") or interface.get("interfaceId") or ""
    return f"{told.get('systemName') or told.get('chassisId')}:{_unquoted(port)}"


def _unquoted(name):
    return str(name).strip('"')  # older EOS puts names into quotes


def _nxos_neighbours(told):
    found = {}
    for row in rows(told, "nbor_detail"):
        name = row.get("sys_name") or row.get("chassis_id")
        found.setdefault(_long(row["l_port_id"]), []).append(f"{name}:{_long(row.get('port_id', ''))}")
    return found


def _long(name):
    return NXOS_SHORT.sub("Ethernet", str(name))


def _sonic_neighbours(told):
    return {
        port: [f"{each.get('lldp_rem_sys_name')}:{each.get('lldp_rem_port_id')}"]
        for port, each in _sonic(told, SONIC_LLDP)
    }


def _eos_sessions(told):
    return {
        name: _session(each.get("peerState"), each.get("asn"), each.get("prefixReceived"))
        for vrf in told["vrfs"].values()
        for name, each in (vrf.get("peers") or {}).items()
    }


def _nxos_sessions(told):
    return {
        row["neighborid"]: _session(
            row.get("state"), row.get("neighboras"), row.get("prefixreceived"), is_shut_down=row.get("state") == "Shut"
        )
        for row in rows(told, "vrf", "af", "saf", "neighbor")
    }


def _frr_summary(told):
    """Those of `show bgp summary json`, which has one part for each address family."""
    return {
        name: _session(each.get("state"), each.get("remoteAs"), each.get("pfxRcd"))
        for family in told.values()
        for name, each in (family.get("peers") or {}).items()
    }


def _has(key):
    return lambda told: key in told


def _has_key_with(prefix):
    return lambda told: any(str(key).startswith(prefix) for key in told)


def _all_have(key):
    """All mappings in an answer have a key, and there is one."""

    def is_like(told):
        inner = [each for each in told.values() if isinstance(each, dict)]
        return bool(inner) and all(key in each for each in inner)

    return is_like


PORTS = (
    (_has("interfaces"), _eos_ports),
    (_has("TABLE_interface"), _nxos_ports),
    (_has_key_with(SONIC_PORT), _sonic_ports),
    (_all_have("administrativeStatus"), _frr_ports),
)
NEIGHBOURS = (
    (_has("lldpNeighbors"), _eos_neighbours),
    (_has("TABLE_nbor_detail"), _nxos_neighbours),
    (_has_key_with(SONIC_LLDP), _sonic_neighbours),
    (_has("lldp"), lldpcli_neighbours),
)
SESSIONS = (
    (_has("vrfs"), _eos_sessions),
    (_has("TABLE_vrf"), _nxos_sessions),
    (_all_have("peers"), _frr_summary),
    (_all_have("bgpState"), frr_neighbours),
)
