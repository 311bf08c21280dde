# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take the power of a server away by its BMC and give it back, and time the return of the host."""

from __future__ import annotations

import contextlib
import time

from rack_recipes import Failed, Scriptlet
from scriptlets.redfish.identity import system_identity
from scriptlets.tools.identity import refuse_another_server
from scriptlets.tools.outlet_load import OutletWatch
from scriptlets.tools.redfish import RedfishError, client_of
from scriptlets.tools.return_of_host import PAUSE, answers, waited

ACTION = "#ComputerSystem.Reset"
TRIES = 3  # to turn a system on again, which an order too many does no harm to


class RedfishPowerCycle(Scriptlet):
    """Takes the power of a server away by its BMC (Redfish) and gives it back, and times the server's return.

    A device that offers PowerCycle gets this order, another one ForceOff and then On.
    """

    options = {
        "url": {"type": "str", "required": True},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "verify": {"type": "bool", "default": True},
        "ca": {"type": "str", "default": ""},
        "timeout": {"type": "float", "default": 10},
        "system": {
            "type": "str",
            "default": "",
            "description": "The Id of the system, where a device manages several",
        },
        "host": {
            "type": "str",
            "required": True,
            "description": "The name or address at which the server itself answers",
        },
        "port": {
            "type": "int",
            "default": 22,
            "description": "The port at which it answers",
            "unit": "TCP port",
            "source": "SSH's",
        },
        "banner": {
            "type": "str",
            "default": "SSH-",
            "description": ("How its first words begin; empty where it is enough that it takes a connection"),
            "source": "SSH's (RFC 4253, 4.2)",
        },
        "max_off_seconds": {
            "type": "float",
            "default": 60,
            "description": "In which the server must be away",
            "unit": "s",
            "source": "our choice",
        },
        "max_seconds": {
            "type": "float",
            "default": 900,
            "description": "In which it must be back",
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
        "redfish.power_cycle_v1": (
            "`orders` that were given, away_after_seconds and back_after_seconds (s), and `outlet`: its load before "
            "and while the server was off (W); null where no PDU tells it"
        )
    }
    needs = (
        "a BMC with Redfish and a user who may reset",
        "host.identity_v1 of an earlier step",
        "it runs on another machine",
    )
    verdicts = {
        "failed": (
            "the BMC is that of another server, or nobody knows whose it is, and nothing is switched; the server does "
            "not go away, or does not come back in time; the load of another outlet falls"
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
          module: redfish.power_cycle
          hosts: servers
          depends_on: [identity]
          delegate_to: localhost
          args:
            url: "https://{{ bmc_address }}"
            user: "{{ bmc_user }}"
            password: "{{ bmc_password }}"
            host: "{{ ansible_host }}"
          timeout: 1000
    """

    def run(self, ctx, params):
        with client_of(params) as device:
            system = device.system(params["system"])
            refuse_another_server(ctx, params, *system_identity(system))
            refuse_what_cannot_be(system, params)
            order = _Orders(device, system)
            watch = OutletWatch(params)
            self._cycle(ctx, params, order, watch)
            # A BMC may tell the old state for a while after the host answers.
            waited(lambda: order.state() == "On", time.monotonic(), params["max_off_seconds"])
            ctx.check("power", order.state(), eq="On")
            watch.judge(ctx)

    def _cycle(self, ctx, params, order, watch):
        started = time.monotonic()
        order.off()
        try:
            away = waited(
                lambda: not answers(params["host"], params["port"], params["banner"]),
                started,
                params["max_off_seconds"],
            )
            if away is None:
                raise Failed(f"{params['host']} answers all the time: is this the BMC of another server?")
            if order.wait_until_off(params["max_off_seconds"]):
                watch.look_while_off()
        finally:
            order.on()
        back = waited(lambda: answers(params["host"], params["port"], params["banner"]), started, params["max_seconds"])
        found = {"orders": order.given, "away_after_seconds": away, "back_after_seconds": back, "outlet": watch.found}
        ctx.set("redfish.power_cycle_v1", found)
        if back is None:
            raise Failed(
                f"{params['host']} is not back {params['max_seconds']:g} s after the order: look at its console"
            )
        ctx.check("return", back, "s", max=params["max_seconds"])


def refuse_what_cannot_be(system, params):
    """Raise Failed where a return could not be seen: the system is off, or the host does not answer now."""
    if system.get("PowerState") != "On":
        raise Failed(f"the system is {system.get('PowerState')} before the power cycle: turn it on first")
    if not answers(params["host"], params["port"], params["banner"]):
        raise Failed(f"{params['host']} does not answer at port {params['port']} before the power cycle")


class _Orders:
    """The orders that a system takes, and those that it was given."""

    def __init__(self, device, system):
        self._device = device
        self._path = system["@odata.id"]
        action = (system.get("Actions") or {}).get(ACTION)
        if not action:
            raise Failed("the BMC cannot switch the power of this system by Redfish: give the user the right for it")
        self._target = action["target"]
        self._allowed = self._offered(action)
        self.given = []

    def _offered(self, action):
        listed = action.get("ResetType@Redfish.AllowableValues")
        if listed is None and action.get("@Redfish.ActionInfo"):
            known = self._device.get(action["@Redfish.ActionInfo"]).get("Parameters") or ()
            listed = next((each.get("AllowableValues") for each in known if each.get("Name") == "ResetType"), None)
        return listed or ["ForceOff", "On"]

    def off(self):
        """Take the power away."""
        self._give("PowerCycle" if "PowerCycle" in self._allowed else "ForceOff")

    def wait_until_off(self, limit):
        """Wait until the BMC tells that the system is off; False for an order that gives the power back by itself."""
        if self.given == ["PowerCycle"]:
            return False
        if waited(lambda: self.state() == "Off", time.monotonic(), limit) is None:
            raise Failed(f"the BMC does not tell that the system is off within {limit:g} s: it is {self.state()}")
        return True

    def state(self):
        """The power state that the BMC tells now."""
        return self._device.get(self._path).get("PowerState")

    def on(self):
        """Give the power back."""
        if self.given == ["PowerCycle"]:
            return
        for _try in range(TRIES - 1):
            with contextlib.suppress(RedfishError):
                self._give("On")
                return
            time.sleep(PAUSE)
        self._give("On")

    def _give(self, kind):
        if kind not in self._allowed:
            raise RedfishError(f"the BMC does not offer {kind}, but {', '.join(map(str, self._allowed))}")
        self._device.post(self._target, {"ResetType": kind})
        self.given.append(kind)
