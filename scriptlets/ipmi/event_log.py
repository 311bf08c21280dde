# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event log of a server's BMC by IPMI: what came into it since a mark."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.ipmi import ipmi
from scriptlets.tools.ipmi_events import event, newer, raw_records, words_of

SHOWN = 5


class IpmiEventLog(Scriptlet):
    """The events that came into a BMC's log since a mark, and how many of them say that something went wrong.

    The records are compared by their numbers, so it does not matter how wrong the clock of the BMC is.
    """

    options = {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 623},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "privilege": {"type": "str", "choices": ["USER", "OPERATOR", "ADMINISTRATOR"], "default": "USER"},
        "cipher_suite": {"type": "int"},
        "timeout": {"type": "int", "default": 1},
        "tries": {"type": "int", "default": 4},
        "after": {
            "type": "int",
            "default": 0,
            "description": (
                "The number of the last record that does not count, as ipmi.event_mark tells it; 0 stands for "
                "the whole log"
            ),
            "unit": "number of a record",
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Words of events that are told and not judged",
        },
        "max_faults": {
            "type": "int",
            "default": 0,
            "description": "How many may say that something went wrong",
            "unit": "events",
            "source": "a healthy server has none",
        },
    }
    reads = ()
    writes = {
        "ipmi.event_log_v1": (
            "A list with the last 200 events: number, seconds of the BMC's clock (s), sensor, event, details, "
            "is_over and is_fault"
        )
    }
    needs = (
        "ipmitool (Debian: ipmitool)",
        "a BMC with IPMI 2.0",
        "it runs on another machine",
    )
    verdicts = {
        "failed": "more than max_faults events say that something went wrong",
        "error": "the BMC does not answer, or refuses the user",
    }
    example = """
        - name: mark
          module: ipmi.event_mark
          hosts: servers
          delegate_to: localhost
          args: {address: "{{ bmc_address }}", user: "{{ bmc_user }}", password: "{{ bmc_password }}"}
          success: {ctx_has_keys: [ipmi.event_mark_v1]}
        - name: events
          module: ipmi.event_log
          hosts: servers
          delegate_to: localhost
          depends_on: [mark]
          args:
            address: "{{ bmc_address }}"
            user: "{{ bmc_user }}"
            password: "{{ bmc_password }}"
            after: "${ipmi.event_mark_v1.last}"
    """

    def run(self, ctx, params):
        found = events(params)
        ctx.set("ipmi.event_log_v1", found[-200:])
        faults = [each for each in found if each["is_fault"] and not is_ignored(each, params["ignore"])]
        if ctx.check("faults", len(faults), "events", max=params["max_faults"]) == "failed":
            shown = "; ".join(map(in_words, faults[:SHOWN]))
            raise Failed(f"{shown}: look at this part, then clear the log" + more(len(faults) - SHOWN))


def events(params):
    """The events after the mark. Their words are asked for only where there are some."""
    new = newer(raw_records(params), params["after"])
    if not new:
        return []
    words = words_of(ipmi(params, ("sel", "elist", "last", str(len(new))), ("-c",)))
    return [event(record, words) for record in new]


def is_ignored(found, ignore):
    """Whether an event is one of those that are not judged."""
    return any(word in f"{found['sensor']} {found['event']}" for word in ignore)


def in_words(found):
    """An event in a line."""
    details = f" ({found['details']})" if found["details"] else ""
    return f"{found['sensor']}: {found['event']}{details}"


def more(count):
    """How many events were not shown."""
    return f" ({count} more)" if count > 0 else ""
