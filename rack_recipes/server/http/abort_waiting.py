# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Aborts: one who takes part ends the waiting of all, now and from then on.

An abort is the key `abort.NAME_v1` of the run, for all names `abort.all_v1`. While it holds a reason, whoever waits
gets a problem. Set to null it counts no more.
"""

from __future__ import annotations

import json

from rack_recipes.server.problems import Problem
from rack_recipes.server.served_context import Service

EVERYTHING = "all"


def key_of(name: str) -> str:
    """The context key of the abort of a name."""
    return f"abort.{name}_v1"


def check(service: Service, *names: str) -> None:
    """Raise Problem if the waiting for one of these names, or all waiting, was aborted."""
    for name in (EVERYTHING, *names):
        entry = service.live.context.entry(key_of(name), "")
        value = json.loads(entry.text) if entry else None
        if isinstance(value, dict) and value.get("reason"):
            by, reason = str(value.get("by", "")), str(value["reason"])
            what = "all waiting" if name == EVERYTHING else name
            advice = f"see to the reason; {key_of(name)} set to null lets others wait again"
            raise Problem("aborted", f"{what} was aborted by {by}: {reason}", advice, {"by": by, "reason": reason})
