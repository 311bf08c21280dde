# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a server hangs on its outlet: the load of that outlet falls while the server is off.

A PDU that meters each outlet is needed. Where it does not, nothing is known, and nothing is judged.
"""

from __future__ import annotations

import time

from rack_recipes import Failed
from scriptlets.tools.snmp import tables

PAUSE = 0.5  # seconds between two looks
FALLEN = 0.5  # of the load before: what a server takes while it is off is less
LONGEST = 20.0  # seconds that a PDU may take until it tells another load
METERS = {
    # PowerNet-MIB: rPDU2OutletMeteredStatusPower
    ".1.3.6.1.4.1.318.1.1.26.9.4.3.1.7": "{}",
    # PDU2-MIB, unit 1: measurementsOutletSensorValue of the sensor activePower (5)
    ".1.3.6.1.4.1.13742.6.5.4.3.1.4.1": "{}.5",
}
"""The column of the load of outlets, and the row of an outlet in it."""

# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {
    "pdu_address": {
        "description": "The PDU that feeds the server, by SNMP 2c; the load of its outlet must fall with the power"
    },
    "pdu_port": {"description": "The port of the PDU", "unit": "UDP port", "source": "RFC 3417, 3.2"},
    "pdu_community": {"description": "The community of the PDU"},
    "pdu_outlet": {"description": "The outlet that the server hangs on by the inventory"},
}


class OutletWatch:
    """The loads of a PDU's outlets before a server goes off, and whether the right one falls then."""

    def __init__(self, params):
        self._params = {
            "address": params["pdu_address"], "port": params["pdu_port"], "community": params["pdu_community"],
            "version": "2c", "timeout": 2, "retries": 2,
        }  # fmt: skip
        self._outlet = str(params["pdu_outlet"] or "")
        self._before = self._loads() if params["pdu_address"] and self._outlet else {}
        self.found = None

    def _loads(self):
        """The load of each outlet by its number; nothing of a PDU that does not answer or does not meter outlets."""
        try:
            told = tables(self._params, METERS)
        except ValueError:  # what the PDU does is judged by the steps that ask it alone
            return {}
        for column, row in METERS.items():
            suffix = row.format("")
            loads = {key.removesuffix(suffix): load for key, load in told[column].items() if key.endswith(suffix)}
            if loads:
                return loads
        return {}

    def look_while_off(self):
        """Wait until the load of the outlet falls. Call it while the server is off."""
        if not self._before.get(self._outlet):
            return
        until = time.monotonic() + LONGEST
        now = self._loads()
        while not self._has_fallen(now, self._outlet) and time.monotonic() < until:
            time.sleep(PAUSE)
            now = self._loads() or now
        others = [number for number in self._before if number != self._outlet and self._has_fallen(now, number)]
        self.found = {
            "outlet": self._outlet, "before": self._before[self._outlet], "off": now.get(self._outlet),
            "has_fallen": self._has_fallen(now, self._outlet), "others": others,
        }  # fmt: skip

    def _has_fallen(self, now, number):
        before = self._before[number]
        return isinstance(before, int) and before > 0 and now.get(number, before) <= before * FALLEN

    def judge(self, ctx):
        """Judge what `look_while_off` has seen; raises Failed for a server that hangs on another outlet."""
        if self.found is None:
            return
        if ctx.check("outlet_load_falls", self.found["has_fallen"], eq=True) == "failed":
            others = ", ".join(self.found["others"])
            where = f"that of outlet {others} fell" if others else "nor did that of another one"
            raise Failed(
                f"the load of outlet {self._outlet} of {self._params['address']} did not fall while the server was "
                f"off, {where}: the server hangs on another outlet; correct the cords or the inventory before anybody "
                "switches an outlet"
            )
