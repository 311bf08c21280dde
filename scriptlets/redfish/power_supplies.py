# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The power supplies of a server, as its BMC tells by Redfish."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.redfish import Missing, client_of, is_there, named, status_of


class RedfishPowerSupplies(Scriptlet):
    """Health, state, input and output of every power supply, and whether there are as many as expected."""

    options = {
        "url": {"type": "str", "required": True},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "verify": {"type": "bool", "default": True},
        "ca": {"type": "str", "default": ""},
        "timeout": {"type": "float", "default": 10},
        "missing": {
            "type": "str",
            "choices": ["failed", "skipped"],
            "default": "failed",
            "description": "What the step is where no power supplies are listed",
        },
        "count": {
            "type": "int",
            "description": "How many there must be",
            "unit": "power supplies",
        },
    }
    reads = ()
    writes = {
        "redfish.power_supplies_v1": (
            "For each power supply state, health, capacity_watts and output_watts (W), input_volts (V), "
            "manufacturer, model, serial and firmware"
        )
    }
    needs = (
        "a BMC with Redfish",
        "it runs on another machine",
    )
    verdicts = {
        "failed": "one is not healthy, too few are plugged in, or none is listed",
        "skipped": "none is listed, with `missing: skipped`",
        "error": "the BMC does not answer, or refuses the user or the certificate",
    }
    example = """
        - name: power_supplies
          module: redfish.power_supplies
          hosts: servers
          delegate_to: localhost
          args:
            url: "https://{{ bmc_address }}"
            user: "{{ bmc_user }}"
            password: "{{ bmc_password }}"
            count: 2
    """

    def run(self, ctx, params):
        with client_of(params) as device:
            found = power_supplies(device)
        if not found:
            raise (Skipped if params["missing"] == "skipped" else Failed)(
                "no such hardware: no power supplies are listed"
            )
        ctx.set("redfish.power_supplies_v1", found)
        wrong = [said for name, own in found.items() for said in _judge(ctx, name, own)]
        expected = params["count"]
        if expected is not None and ctx.check("power_supplies", len(found), min=expected) == "failed":
            wrong.append(f"{len(found)} power supplies are plugged in, expected {expected}: plug in what is missing")
        if wrong:
            raise Failed("; ".join(wrong))


def power_supplies(device):
    """The power supplies of all chassis that are plugged in, by their names."""
    listed = [own for chassis in device.all_of("Chassis") for own in _of_chassis(device, chassis) if is_there(own)]
    return {name: _supply(own) for name, own in named(listed).items()}


def _of_chassis(device, chassis):
    """Those of the newer PowerSubsystem, and else those of Power (DSP8010)."""
    try:
        return [*device.members(device.follow(device.follow(chassis, "PowerSubsystem"), "PowerSupplies"))]
    except Missing:
        pass
    try:
        return device.follow(chassis, "Power").get("PowerSupplies") or []
    except Missing:
        return []


def _supply(own):
    state, health = status_of(own)
    return {
        "state": state,
        "health": health,
        "capacity_watts": own.get("PowerCapacityWatts"),
        "output_watts": next((own[key] for key in ("PowerOutputWatts", "LastPowerOutputWatts") if own.get(key)), None),
        "input_volts": own.get("LineInputVoltage"),
        "manufacturer": own.get("Manufacturer"),
        "model": str(own.get("Model") or "").strip() or None,
        "serial": own.get("SerialNumber"),
        "firmware": own.get("FirmwareVersion"),
    }


def _judge(ctx, name, own):
    """Judge one power supply; yields what is wrong with it."""
    for key in ("output_watts", "input_volts"):
        if isinstance(own[key], (int, float)):
            ctx.measure(f"{name}.{key}", own[key], "W" if key == "output_watts" else "V")
    if not own["health"] and own["state"] == "Enabled":
        raise ValueError(f"the BMC does not tell the health of {name}")
    is_bad = ctx.check(f"health.{name}", own["health"] or own["state"], eq="OK") == "failed"
    if is_bad and own["input_volts"] == 0:
        yield f"{name} has no input voltage: check its cable and the outlet of the PDU, then replace it"
    elif is_bad:
        yield f"{name} is {own['health'] or own['state']}: plug it in again, and replace it if that does not help"
