# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports of a switch and their LLDP neighbours, by the switch's own API.

NVUE: https://docs.nvidia.com/networking-ethernet-software/cumulus-linux/ ("NVUE API"; `GET /nvue_v1/interface`).
eAPI: https://www.arista.com/en/um-eos/eos-command-api-overview (`runCmds`), with the models of the commands `show lldp
neighbors detail` and `show interfaces status`.

A port is {"up": bool, "speed_gbps": number or None, "seen": [neighbour, ...]}; a neighbour is {"system", "chassis",
"port", "mac"}: the port's name or, where the neighbour tells its MAC address instead, that.
"""

from __future__ import annotations

import re

NVUE_PATH = "/nvue_v1/interface?rev=operational"
EAPI_PATH = "/command-api"
EAPI_COMMANDS = ("show lldp neighbors detail", "show interfaces status")
PORTS_OF_NVUE = frozenset(("swp", ""))
PORTS_OF_EAPI = re.compile(r"(?:Ethernet|Et)\d")
SPEED = re.compile(r"([\d.]+)\s*([GM])?", re.IGNORECASE)
MAC = re.compile(r"[0-9a-f]{12}")


def read_nvue(api):
    """The ports of a switch with NVUE, by name."""
    return nvue_ports(api.get(NVUE_PATH))


def read_eapi(api):
    """The ports of a switch with Arista's eAPI, by name. Raises ValueError for what the switch calls an error."""
    params = {"version": 1, "cmds": list(EAPI_COMMANDS), "format": "json"}
    answer = api.post(EAPI_PATH, {"jsonrpc": "2.0", "method": "runCmds", "params": params, "id": "rack.recipes"})
    if answer.get("error"):
        raise ValueError(f"{api.where(EAPI_PATH)}: {answer['error'].get('message', answer['error'])}")
    result = answer.get("result")
    if not isinstance(result, list) or len(result) != len(EAPI_COMMANDS):
        raise ValueError(f"{api.where(EAPI_PATH)} answered without the results of {' and '.join(EAPI_COMMANDS)}")
    return eapi_ports(*result)


READERS = {"nvue": read_nvue, "eapi": read_eapi}


def nvue_ports(interfaces):
    """The ports in the answer of `GET /nvue_v1/interface`."""
    return {
        name: _nvue_port(interface)
        for name, interface in interfaces.items()
        if isinstance(interface, dict) and interface.get("type", "") in PORTS_OF_NVUE and not name.startswith("eth")
    }


def _nvue_port(interface):
    link = interface.get("link") or {}
    state = link.get("state", link.get("oper-status"))
    is_up = "up" in state if isinstance(state, dict) else str(state).lower() == "up"
    neighbours = (interface.get("lldp") or {}).get("neighbor") or {}
    return {
        "up": is_up,
        "speed_gbps": speed_gbps(link.get("speed")) if is_up else None,
        "seen": [_nvue_neighbour(name, each or {}) for name, each in neighbours.items()],
    }


def _nvue_neighbour(name, neighbour):
    chassis, port = neighbour.get("chassis") or {}, neighbour.get("port") or {}
    return _neighbour(
        chassis.get("system-name") or name,
        chassis.get("chassis-id") or "",
        port.get("id") or port.get("name") or "",
        port.get("id-type") or port.get("type") or "",
    )


def eapi_ports(lldp, status):
    """The ports in the answers of `show lldp neighbors detail` and `show interfaces status`.

    Raises ValueError if the second has none: without it no port would be up.
    """
    states = {name: state for name, state in (status.get("interfaceStatuses") or {}).items() if _is_eapi_port(name)}
    if not states:
        raise ValueError("the switch answered to show interfaces status without a single port")
    told = lldp.get("lldpNeighbors") or {}
    return {name: _eapi_port(state, (told.get(name) or {}).get("lldpNeighborInfo")) for name, state in states.items()}


def _is_eapi_port(name):
    return PORTS_OF_EAPI.match(name) is not None


def _eapi_port(state, neighbours):
    is_up = state.get("linkStatus") == "connected"
    bits = state.get("bandwidth") or 0
    return {
        "up": is_up,
        "speed_gbps": bits / 1e9 if is_up and bits else None,
        "seen": [_eapi_neighbour(each) for each in neighbours or ()],
    }


def _eapi_neighbour(told):
    interface = told.get("neighborInterfaceInfo") or {}
    # Older EOS puts names into quotes, and has them without in interfaceId_v2.
    port = str(interface.get("interfaceId_v2") or interface.get("interfaceId") or "").strip('"')
    return _neighbour(
        told.get("systemName") or "", told.get("chassisId") or "", port, interface.get("interfaceIdType") or ""
    )


def _neighbour(system, chassis, port, kind):
    named = kind.replace("_", "").lower() in ("ifname", "interfacename", "local", "ifalias", "interfacealias")
    mac = "" if named else mac_of(port)
    return {"system": str(system), "chassis": mac_of(str(chassis)), "port": "" if mac else str(port), "mac": mac}


def mac_of(text):
    """A MAC address in lower case with colons, however it is written; "" for a text that is none."""
    digits = re.sub(r"[.:\s-]", "", text).lower()
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2)) if MAC.fullmatch(digits) else ""


def speed_gbps(text):
    """`400G`, `100M` or a number of Mbit/s in Gbit/s; None for what says nothing, such as `auto`."""
    if isinstance(text, (int, float)):
        return text / 1000
    match = SPEED.match(str(text or ""))
    return float(match[1]) / (1000 if (match[2] or "G").upper() == "M" else 1) if match else None
