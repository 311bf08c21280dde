# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a server's power away and give it back by its BMC (IPMI), and time how long the server takes to return."""

from __future__ import annotations

import re
import time

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.identity import in_words, of_host, refuse_another_server
from scriptlets.tools.ipmi import ipmi
from scriptlets.tools.outlet_load import OutletWatch
from scriptlets.tools.return_of_host import answers, waited

GET_SYSTEM_GUID = ("raw", "0x06", "0x37")  # IPMI 2.0, 22.14
SERIAL_FIELDS = ("Product Serial", "Chassis Serial", "Board Serial")


class IpmiPowerCycle(Scriptlet):
    """Takes a server's power away and gives it back by its BMC (IPMI), and times the server's return.

    A server that is off before is not touched: somebody wants it so.
    """

    options = {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 623},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "privilege": {"type": "str", "choices": ["OPERATOR", "ADMINISTRATOR"], "default": "OPERATOR"},
        "cipher_suite": {"type": "int"},
        "timeout": {"type": "int", "default": 1},
        "tries": {"type": "int", "default": 4},
        "host": {
            "type": "str",
            "required": True,
            "description": "The name or address at which the server itself answers",
        },
        "host_port": {
            "type": "int",
            "default": 22,
            "description": "The port at which it answers",
            "unit": "TCP port",
            "source": "SSH's",
        },
        "max_off": {
            "type": "float",
            "default": 30,
            "description": "How long it may take until it is off",
            "unit": "s",
            "source": "our choice",
        },
        "max_return": {
            "type": "float",
            "default": 600,
            "description": "How long it may take from the order until it answers",
            "unit": "s",
            "source": "our choice: servers with much memory start for minutes",
        },
        "identify_by": {
            "type": "list",
            "elements": "str",
            "choices": ["uuid", "serial"],
            "default": ["uuid", "serial"],
        },
        "unidentified": {"type": "str", "choices": ["failed", "switched"], "default": "failed"},
        "pdu_address": {"type": "str", "default": ""},
        "pdu_port": {"type": "int", "default": 161},
        "pdu_community": {"type": "str", "no_log": True},
        "pdu_outlet": {"type": "str", "default": ""},
    }
    reads = ("host.identity_v1",)
    writes = {
        "ipmi.power_cycle_v1": (
            "off_s and return_s: how long it took until it was off, and until it answered again (s); `outlet`: its "
            "load before and while the server was off (W); null where no PDU tells it"
        )
    }
    needs = (
        "ipmitool (Debian: ipmitool)",
        "a BMC with IPMI 2.0 and a user with the privilege OPERATOR",
        "host.identity_v1 of an earlier step",
        "it runs on another machine",
    )
    verdicts = {
        "failed": (
            "the BMC is that of another server, or nobody knows whose it is, and nothing is switched; the server is "
            "off before, does not go off, or does not come back in time; the load of another outlet falls"
        ),
        "error": "the BMC does not answer, or refuses the order",
    }
    example = """
        - name: identity
          module: host.identity
          hosts: servers
          become: true
          success: {ctx_has_keys: [host.identity_v1]}
        - name: power_cycle
          module: ipmi.power_cycle
          hosts: servers
          depends_on: [identity]
          delegate_to: localhost
          args:
            address: "{{ bmc_address }}"
            user: "{{ bmc_user }}"
            password: "{{ bmc_password }}"
            host: "{{ ansible_host }}"
          timeout: 900
    """

    def run(self, ctx, params):
        if not is_on(params):
            raise Failed(f"the server is off: switch it on by its BMC at {params['address']}, then try again")
        if params["identify_by"]:
            refuse_another_server(ctx, params, *identity(params))
        watch = OutletWatch(params)
        started = time.monotonic()
        ipmi(params, ("chassis", "power", "off"))
        off = waited(lambda: not is_on(params), started, params["max_off"])
        if off is None:
            raise Failed(f"the server is not off {params['max_off']:g} s after the order: look at its BMC")
        try:
            watch.look_while_off()
        finally:
            ipmi(params, ("chassis", "power", "on"))
        back = waited(lambda: answers(params["host"], params["host_port"]), started, params["max_return"])
        ctx.set("ipmi.power_cycle_v1", {"off_s": off, "return_s": back, "outlet": watch.found})
        if back is None:
            raise Failed(
                f"{params['host']}:{params['host_port']} does not answer {params['max_return']:g} s after the power "
                "was switched: look at the server's console"
            )
        ctx.check("return", back, "s", max=params["max_return"])
        watch.judge(ctx)


def identity(params):
    """What the BMC tells of its server, as `of_host` gives it, and in words.

    A BMC need not have a UUID (GUID) or the record of the parts (FRU): what it refuses to tell is not known.
    """
    guid, serials = _told(params, GET_SYSTEM_GUID), []
    raw = bytes(int(each, 16) for each in guid.split()) if re.fullmatch(r"(\s*[0-9a-f]{2}){16}\s*", guid) else b""
    if not of_host(raw, ())["uuid"]:
        fields = dict(line.partition(":")[::2] for line in _told(params, ("fru", "print", "0")).splitlines())
        told = {name.strip(): value.strip() for name, value in fields.items()}
        serials = [told[name] for name in SERIAL_FIELDS if name in told]
    side = of_host(raw, serials)
    return side, in_words("a server", raw.hex() if side["uuid"] else None, ", ".join(serials))


def _told(params, words):
    try:
        return ipmi(params, words)
    except ValueError:
        return ""


def is_on(params):
    """Whether the BMC says that the server is on. Raises ValueError for another answer."""
    said = ipmi(params, ("chassis", "power", "status")).strip()
    states = {"Chassis Power is on": True, "Chassis Power is off": False}
    if said not in states:
        raise ValueError(f"ipmitool says {said[:100]!r} of the power")
    return states[said]
