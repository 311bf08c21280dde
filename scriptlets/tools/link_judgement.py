# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare a cabling plan with what switches see at their ports and BMCs at theirs, and say what to do.

A cable is {"host", "port", "peer", "peer_port", "label", "speed_gbps", "mac"}: an end at a host, and one at a switch.
`tables` are the ports of the switches that could be read, in the form of `switch_tables`; `nics` are the nodes whose
BMCs were asked, in the form of `redfish_nics`, or {"error": text}.
"""

from __future__ import annotations

import re

NUMBERED = re.compile(r"(?:swp|Ethernet|Et|eth|port)(\d+)", re.IGNORECASE)


class Hall:
    """What is planned and what is seen, by device and port."""

    def __init__(self, cables, tables, nics):
        self.cables, self.tables, self.nics = cables, tables, nics
        self.at = {(each["peer"], each["peer_port"]): each for each in cables}
        self.of = {(each["host"], each["port"]): each for each in cables}
        self._devices = {name.lower(): name for each in cables for name in (each["host"], each["peer"])}
        self._ports = {(each["host"], each["port"].lower()): (each["host"], each["port"]) for each in cables}
        self._macs = {each["mac"]: (each["host"], each["port"]) for each in cables if each["mac"]}
        for host, node in nics.items():
            for name, port in node.get("ports", {}).items():
                end = self._ports.get((host, name.lower()))
                if end and port["mac"]:
                    self._macs.setdefault(port["mac"], end)
        self.seen = {}  # (host, port) -> [(switch, port, up)]
        for switch, ports in tables.items():
            for name, port in ports.items():
                for neighbour in port["seen"]:
                    self.seen.setdefault(self.end_of(neighbour), []).append((switch, name, port["up"]))

    def device_of(self, neighbour):
        """The device of the plan that a neighbour is, or the name that it gives itself."""
        system = neighbour["system"].lower()
        known = self._devices.get(system) or self._devices.get(system.partition(".")[0])
        by_mac = self._macs.get(neighbour["chassis"]) if neighbour["chassis"] else None
        return known or (by_mac[0] if by_mac else neighbour["system"] or neighbour["chassis"] or "somebody")

    def end_of(self, neighbour):
        """The end of a cable that a neighbour is: (host, port). The port is "" where it cannot be told."""
        device = self.device_of(neighbour)
        if neighbour["mac"]:
            return self._macs.get(neighbour["mac"], (device, ""))
        return self._ports.get((device, neighbour["port"].lower()), (device, neighbour["port"]))


def judge(cables, tables, nics):
    """For each device {"good": number, "of": number, "findings": [...], "unverified": [...]}.

    A finding has the keys kind, cable, port, expected, found, do and evidence (a list of texts, one a source).
    """
    hall = Hall(cables, tables, nics)
    judged = {}
    for cable in cables:
        _count(judged, cable["host"], *_judge_cable(hall, cable))
    for host, own in judged.items():
        _join_dark(hall, host, own)
    for switch in tables:
        for finding in _unplanned(hall, switch):
            _count(judged, switch, "finding", finding)
    return judged


def _count(judged, device, how, what):
    own = judged.setdefault(device, {"good": 0, "of": 0, "findings": [], "unverified": []})
    own["of"] += how != "finding" or "cable" in what
    if how == "good":
        own["good"] += 1
    else:
        own["findings" if how == "finding" else "unverified"].append(what)


def _judge_cable(hall, cable):
    """How one cable is: ("good", None), ("finding", finding) or ("unverified", text)."""
    end, place = (cable["host"], cable["port"]), (cable["peer"], cable["peer_port"])
    elsewhere = [each for each in hall.seen.get(end, []) if each[:2] != place]
    table = hall.tables.get(cable["peer"])
    port = (table or {}).get(cable["peer_port"])
    is_here = port is not None and any(hall.end_of(each) == end for each in port["seen"])
    live = [each for each in elsewhere if each[2]]
    if is_here and (port["up"] or not live):
        return _judge_place(hall, cable, port)
    if elsewhere:
        return "finding", _moved(hall, cable, (live or elsewhere)[0])
    if table is None:
        return "unverified", f"{cable['port']}: the ports of {cable['peer']} could not be read"
    if port is None:
        return "unverified", f"{cable['port']}: {cable['peer']} shows no port {cable['peer_port']}"
    unclear = [each for each in port["seen"] if hall.end_of(each) == (cable["host"], "")]
    if unclear:
        shown = unclear[0]["mac"] or "no port"
        return "unverified", f"{cable['port']}: {cable['peer']} sees {cable['host']} with {shown}, which no port has"
    return "finding", _missing(hall, cable, port)


def _judge_place(hall, cable, port):
    """A cable that is where it belongs: whether it is up, and as fast as planned."""
    place = at(cable["peer"], cable["peer_port"])
    if not port["up"]:
        do = f"reseat the cable at {place} and at {cable['host']} {cable['port']}; if it stays down, replace it"
        return "finding", _finding(hall, cable, "down", f"{place} is down", do)
    if cable["speed_gbps"] and port["speed_gbps"] and port["speed_gbps"] < cable["speed_gbps"]:
        found = f"{port['speed_gbps']:g} Gbit/s instead of {cable['speed_gbps']:g}"
        do = f"clean and reseat both transceivers, at {place} and at {cable['host']} {cable['port']}; else replace them"
        return "finding", _finding(hall, cable, "slow", found, do)
    return "good", None


def _moved(hall, cable, sighting):
    """A cable that is in another port than planned: which one, and whether two have changed places."""
    there = sighting[:2]
    planned = hall.at.get(there)
    own_place = (cable["peer"], cable["peer_port"])
    others = hall.seen.get((planned["host"], planned["port"]), []) if planned else []
    if any(each[:2] == own_place for each in others):
        ends = sorted((there, own_place), key=lambda end: (end[0], _number(end[1]), end[1]))
        return _finding(hall, cable, "swapped", at(*there), f"exchange the cables at {_both(*ends)}", there)
    if there[0] == cable["peer"]:
        do = f"move the cable at {there[0]} from {port_words(there[1])} to {port_words(cable['peer_port'])}"
    else:
        do = f"move the cable from {at(*there)} to {at(cable['peer'], cable['peer_port'])}"
    return _finding(hall, cable, "moved", at(*there), do, there)


def _both(one, other):
    if one[0] == other[0] and port_words(one[1]).startswith("port ") and port_words(other[1]).startswith("port "):
        return f"{one[0]}, ports {port_words(one[1])[5:]} and {port_words(other[1])[5:]}"
    return f"{at(*one)} and {at(*other)}"


def _missing(hall, cable, port):
    """A cable that no switch sees. What to do depends on what the node's own end reports."""
    place, own_end = at(cable["peer"], cable["peer_port"]), f"{cable['host']} {cable['port']}"
    nic = _nic(hall, cable) or {}
    others = [hall.end_of(each) for each in port["seen"]]
    if others:
        found = f"{place} sees {others[0][0]} {others[0][1]}".rstrip()
        do = f"take out what is in {place}, and plug {_name(cable)} in there and at {own_end}"
    elif port["up"]:
        found = f"{place} is up, but sees nobody"
        do = f"check that LLDP runs on {cable['host']}, then follow the cable from {own_end}"
    elif nic.get("link") == "LinkDown":
        found = f"no link at {place}"
        do = f"seat the cable at {place}; if {own_end} stays down, check its transceiver and the cable"
    else:
        found = f"no link at {place}"
        do = f"plug {_name(cable)} in at {own_end} and at {place}"
    return _finding(hall, cable, "missing", found, do)


def _join_dark(hall, host, own):
    """Where a node has lost all of its cables at once, that is one finding: it is off, or has no power."""
    node = hall.nics.get(host, {})
    lost = [each for each in own["findings"] if each["kind"] == "missing"]
    is_all = len(lost) > 1 and len(lost) + len(own["unverified"]) == own["of"]
    if not is_all or not ("error" in node or node.get("power") == "Off"):
        return
    links = f"none of its {len(lost)} links is up"
    if "error" in node:
        found = f"{links}, and its BMC does not answer"
        do = f"{host} has no power: switch on its outlets at the PDU and seat its power cords"
    else:
        found, do = f"{links}, and its BMC says that it is off", f"switch {host} on"
    evidence = [f"BMC: {node.get('error') or 'PowerState Off'}", *(each["evidence"][0] for each in lost)]
    dark = {"kind": "dark", "cable": "", "port": "", "expected": "up", "found": found, "do": do, "evidence": evidence}
    own["findings"] = [dark, *(each for each in own["findings"] if each["kind"] != "missing")]


def _unplanned(hall, switch):
    """Neighbours of a switch that no cable of the plan leads to."""
    for name, port in hall.tables[switch].items():
        for neighbour in port["seen"]:
            end = hall.end_of(neighbour)
            planned = hall.at.get((switch, name))
            if end in hall.of or (planned and end == (planned["host"], "")) or _is_own_end(hall, switch, name, end):
                continue
            who = " ".join(filter(None, end))
            wanted = f"{planned['host']} {planned['port']}" if planned else "nobody"
            yield {
                "kind": "unplanned", "port": name, "expected": wanted, "found": who,
                "do": f"follow the cable at {at(switch, name)}, and take it out or add it to the plan",
                "evidence": [_told(hall, switch, name)],
            }  # fmt: skip


def _is_own_end(hall, switch, name, end):
    """Whether a cable between two switches is seen from the end that the plan names first."""
    own = hall.of.get((switch, name))
    return own is not None and end == (own["peer"], own["peer_port"])


def _finding(hall, cable, kind, found, do, there=None):
    evidence = [_told(hall, cable["peer"], cable["peer_port"])]
    if there:
        evidence.append(_told(hall, *there))
    nic = _nic(hall, cable)
    if nic:
        speed = f", {nic['speed_gbps']:g} Gbit/s" if nic["speed_gbps"] else ""
        peer = f", sees {nic['peer']} {nic['peer_port']}" if nic["peer"] else ""
        evidence.append(f"BMC of {cable['host']}: {cable['port']} {nic['link']}{speed}{peer}")
    elif "error" in hall.nics.get(cable["host"], {}):
        evidence.append(f"BMC of {cable['host']}: {hall.nics[cable['host']]['error']}")
    expected = at(cable["peer"], cable["peer_port"])
    return {
        "kind": kind, "cable": cable["label"], "port": cable["port"], "expected": expected, "found": found, "do": do,
        "seen": list(there or ()), "planned": [cable["peer"], cable["peer_port"]], "evidence": evidence,
    }  # fmt: skip


def _nic(hall, cable):
    ports = hall.nics.get(cable["host"], {}).get("ports", {})
    named = {name.lower(): port for name, port in ports.items()}
    return named.get(cable["port"].lower())


def _told(hall, switch, name):
    """What a switch says of one of its ports, as a text."""
    port = hall.tables.get(switch, {}).get(name)
    if port is None:
        return f"{switch} {name}: not read"
    speed = f", {port['speed_gbps']:g} Gbit/s" if port["speed_gbps"] else ""
    seen = " and ".join(" ".join(filter(None, hall.end_of(each))) for each in port["seen"]) or "nobody"
    return f"{switch} {name}: {'up' if port['up'] else 'down'}{speed}, sees {seen}"


def _name(cable):
    return f"cable {cable['label']}" if cable["label"] else "its cable"


def port_words(name):
    """A port as one says it: `port 22` for swp22, the whole name where that says more."""
    match = NUMBERED.fullmatch(name)
    return f"port {match[1]}" if match else name


def _number(name):
    match = NUMBERED.fullmatch(name)
    return int(match[1]) if match else 0


def at(device, port):
    """A port of a device as one says it: `leaf4 port 22`."""
    return f"{device} {port_words(port)}"
