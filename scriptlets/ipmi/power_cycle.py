# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a server's power away and give it back by its BMC (IPMI), and time how long the server takes to return."""

from __future__ import annotations

import socket
import time

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from scriptlets.tools.ipmi import ipmi

PAUSE = 0.2  # seconds between two looks


class IpmiPowerCycle(Scriptlet):
    """Switch a server off and on, and say how long that took: until it was off, and until it answers again, in s.

    The server is back when `host` takes a connection at `host_port`, which is SSH's. It runs on another machine than
    the one that it switches. A server that is off before is not touched: somebody wants it so.
    """

    options = {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 623},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "privilege": {"type": "str", "choices": ["OPERATOR", "ADMINISTRATOR"], "default": "OPERATOR"},
        "cipher_suite": {"type": "int"},  # by default the best that the BMC has; some old ones need 3
        "timeout": {"type": "int", "default": 1},  # seconds for one answer
        "tries": {"type": "int", "default": 4},
        "host": {"type": "str", "required": True},
        "host_port": {"type": "int", "default": 22},
        "max_off": {"type": "float", "default": 30},  # seconds until it is off
        "max_return": {"type": "float", "default": 600},  # seconds from the order to the answer
    }
    reads = ()
    writes = ("ipmi.power_cycle_v1",)

    def run(self, ctx, params):
        if not is_on(params):
            raise Failed(f"the server is off: switch it on by its BMC at {params['address']}, then try again")
        started = time.monotonic()
        ipmi(params, ("chassis", "power", "off"))
        off = waited(lambda: not is_on(params), started, params["max_off"])
        if off is None:
            raise Failed(f"the server is not off {params['max_off']:g} s after the order: look at its BMC")
        ipmi(params, ("chassis", "power", "on"))
        back = waited(lambda: answers(params), started, params["max_return"])
        ctx.set("ipmi.power_cycle_v1", {"off_s": off, "return_s": back})
        if back is None:
            raise Failed(
                f"{params['host']}:{params['host_port']} does not answer {params['max_return']:g} s after the power "
                "was switched: look at the server's console"
            )
        ctx.check("return", back, "s", max=params["max_return"])


def is_on(params):
    """Whether the BMC says that the server is on. Raises ValueError for another answer."""
    said = ipmi(params, ("chassis", "power", "status")).strip()
    states = {"Chassis Power is on": True, "Chassis Power is off": False}
    if said not in states:
        raise ValueError(f"ipmitool says {said[:100]!r} of the power")
    return states[said]


def answers(params):
    """Whether the server takes a connection."""
    try:
        with socket.create_connection((params["host"], params["host_port"]), timeout=1):
            return True
    except OSError:
        return False


def waited(holds, started, limit):
    """The seconds since `started` until something holds; None where it does not within `limit`."""
    while time.monotonic() - started < limit:
        if holds():
            return round(time.monotonic() - started, 2)
        time.sleep(PAUSE)
    return None
