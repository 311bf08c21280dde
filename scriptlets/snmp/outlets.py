# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outlets of a power distribution unit (PDU) and its load, by SNMP."""

from __future__ import annotations

from dataclasses import dataclass, field

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.snmp import tables, text_of


@dataclass(frozen=True)
class Quantity:
    """A column of numbers that are added up: one is `unit` large.

    Where `row` is given, that row alone counts, and the column `digits` says how many digits stand after its point.
    """

    column: str
    unit: float = 1
    row: str = ""
    digits: str = ""


@dataclass(frozen=True)
class Kind:
    """Where a kind of PDU tells what, as object identifiers of columns, and what its numbers mean."""

    state: str
    name: str
    states: dict[int, str]
    current: Quantity  # A
    power: Quantity  # W
    load: str = ""
    loads: dict[int, str] = field(default_factory=dict)


APC, RARITAN = ".1.3.6.1.4.1.318.1.1", ".1.3.6.1.4.1.13742.6"
INLET, INLET_DIGITS = f"{RARITAN}.5.2.3.1.4.1.1", f"{RARITAN}.3.3.4.1.7.1.1"
KINDS = {
    # PowerNet-MIB: rPDU2OutletSwitchedStatus, rPDU2PhaseStatus, rPDU2DeviceStatusPower (hundredths of a kilowatt)
    "APC rPDU2": Kind(
        state=f"{APC}.26.9.2.3.1.5", name=f"{APC}.26.9.2.3.1.3", states={1: "off", 2: "on"},
        current=Quantity(f"{APC}.26.6.3.1.5", 0.1), power=Quantity(f"{APC}.26.4.3.1.5", 10),
        load=f"{APC}.26.6.3.1.4", loads={1: "low", 2: "normal", 3: "near overload", 4: "overload"},
    ),
    # PowerNet-MIB, older units: rPDUOutletStatus, rPDULoadStatus, rPDUIdentDevicePowerWatts
    "APC rPDU": Kind(
        state=f"{APC}.12.3.5.1.1.4", name=f"{APC}.12.3.5.1.1.2", states={1: "on", 2: "off"},
        current=Quantity(f"{APC}.12.2.3.1.1.2", 0.1), power=Quantity(f"{APC}.12.1.16"),
        load=f"{APC}.12.2.3.1.1.3", loads={1: "normal", 2: "low", 3: "near overload", 4: "overload"},
    ),
    # PDU2-MIB, unit 1, inlet 1: outletSwitchingState, outletName, measurementsInletSensorValue
    "Raritan PDU2": Kind(
        state=f"{RARITAN}.4.1.2.1.3.1", name=f"{RARITAN}.3.5.3.1.3.1", states={7: "on", 8: "off"},
        current=Quantity(INLET, row="1", digits=INLET_DIGITS), power=Quantity(INLET, row="5", digits=INLET_DIGITS),
    ),
}  # fmt: skip
FINE, OVERLOADED = ("low", "normal"), ("near overload", "overload")


class PduOutlets(Scriptlet):
    """Which outlets of a PDU are on, its current, its power, and what it says of its load, by SNMP.

    Without `outlets` all are told and none is judged.
    """

    options = {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 161},
        "version": {"type": "str", "choices": ["2c", "3"], "default": "2c"},
        "community": {"type": "str", "no_log": True},
        "user": {"type": "str"},
        "auth_protocol": {
            "type": "str",
            "choices": ["SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512", "MD5"],
            "default": "SHA",
        },
        "auth_password": {"type": "str", "no_log": True},
        "privacy_protocol": {"type": "str", "choices": ["AES", "AES-192", "AES-256", "DES"], "default": "AES"},
        "privacy_password": {"type": "str", "no_log": True},
        "context": {"type": "str"},
        "timeout": {"type": "float", "default": 2},
        "retries": {"type": "int", "default": 2},
        "outlets": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Outlets that must be as `state` says",
        },
        "state": {
            "type": "str",
            "choices": ["on", "off"],
            "default": "on",
            "description": "Whether these outlets must be on, or off",
        },
        "others": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Names of other hosts: an outlet of `outlets` that is called like one of them is wrong",
        },
        "max_current": {
            "type": "float",
            "description": "The highest current of the whole PDU",
            "unit": "A",
        },
        "max_power": {
            "type": "float",
            "description": "The highest power of the whole PDU",
            "unit": "W",
        },
        "missing": {
            "type": "str",
            "choices": ["failed", "skipped"],
            "default": "failed",
            "description": "What the step is where the device tells of no outlets",
        },
    }
    reads = ()
    writes = {"pdu.outlets_v1": "kind, `outlets` (name and state by number), current_a (A), power_w (W) and load"}
    needs = (
        "net-snmp (Debian: snmp)",
        "a PDU of APC or Raritan",
        "it runs on another machine",
    )
    verdicts = {
        "failed": (
            "an outlet is not as it must be, or is called like another host; the PDU has too much load, or the device "
            "has no outlets"
        ),
        "skipped": "the device has no outlets, with `missing: skipped`",
        "error": "the device does not answer",
    }
    example = """
        - name: outlet
          module: snmp.outlets
          hosts: servers
          delegate_to: localhost
          args:
            address: "{{ pdu_address }}"
            community: "{{ pdu_community }}"
            outlets: ["{{ pdu_outlet }}"]
    """

    def run(self, ctx, params):
        name, told = first_known(params)
        if not told:
            ending = Skipped if params["missing"] == "skipped" else Failed
            raise ending(f"no such hardware: {params['address']} tells of no outlets of {', '.join(KINDS)}")
        found = {"kind": name, "outlets": outlets(KINDS[name], told), **load(KINDS[name], told)}
        ctx.set("pdu.outlets_v1", found)
        wrong = [*judged_outlets(ctx, found, params), *judged_load(ctx, found, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def first_known(params):
    """The kind of a PDU and what it tells, by object identifiers; an empty name and nothing for another device."""
    for name, kind in KINDS.items():
        states = tables(params, (kind.state,))
        if states[kind.state]:
            parts = (kind.name, kind.current.column, kind.current.digits, kind.power.column, kind.load)
            others = {root for root in parts if root}
            return name, {**states, **tables(params, others)}
    return "", {}


def outlets(kind, told):
    """Each outlet by its number: its name and its state."""
    return {
        number: {"name": text_of(told[kind.name].get(number, b"")), "state": kind.states.get(state, "unknown")}
        for number, state in told[kind.state].items()
    }


def load(kind, told):
    """Current and power of the whole PDU, and the worst that it says of its load; None for what it does not tell."""
    said = [kind.loads.get(state, "unknown") for state in told[kind.load].values()] if kind.load else []
    worst = next((each for each in reversed(OVERLOADED) if each in said), said[0] if said else None)
    return {"current_a": total(kind.current, told), "power_w": total(kind.power, told), "load": worst}


def total(quantity, told):
    """The sum of a column, which is that of all phases; None where there is no number. Negative ones say: unknown."""
    rows = told[quantity.column]
    values = [rows[row] for row in ([quantity.row] if quantity.row else rows) if isinstance(rows.get(row), int)]
    known = [value for value in values if value >= 0]
    digits = told[quantity.digits].get(quantity.row, 0) if quantity.digits else 0
    return round(sum(known) * quantity.unit / 10**digits, 3) if known else None


def judged_outlets(ctx, found, params):
    """Judge the outlets that were asked for; gives what is wrong, and what to do."""
    for number in params["outlets"]:
        outlet = found["outlets"].get(number)
        if outlet is None:
            raise Failed(f"{params['address']} has no outlet {number}, only {', '.join(found['outlets'])}")
        if ctx.check(f"outlet.{number}", outlet["state"], eq=params["state"]) == "failed":
            named = f" ({outlet['name']})" if outlet["name"] else ""
            yield f"outlet {number}{named} of {params['address']} is {outlet['state']}: switch it {params['state']}"
        if params["others"] and outlet["name"]:
            is_own = outlet["name"] not in params["others"]
            if ctx.check(f"own_outlet.{number}", is_own, eq=True) == "failed":
                yield (
                    f"outlet {number} of {params['address']} is called {outlet['name']}, which is another host: "
                    "correct the inventory or the label, before anybody switches it"
                )


def judged_load(ctx, found, params):
    """Judge the load of the whole PDU; gives what is wrong, and what to do."""
    if found["load"] is not None and ctx.check("load", found["load"], one_of=list(FINE)) == "failed":
        yield f"{params['address']} says {found['load']}: move servers to another PDU before its breaker trips"
    for name, key, unit in (("current", "current_a", "A"), ("power", "power_w", "W")):
        limit = params[f"max_{name}"]
        if limit is None and found[key] is not None:
            ctx.measure(f"pdu_{name}", found[key], unit)
        elif limit is not None and found[key] is None:
            raise ValueError(f"{params['address']} does not tell its {name}")
        elif limit is not None and ctx.check(f"pdu_{name}", found[key], unit, max=limit) == "failed":
            yield f"{params['address']} gives {found[key]:g} {unit}: move servers to another PDU"
