# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event logs of a server that its BMC keeps, read by Redfish: what is new since a mark."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.redfish import Missing, client_of

SHOWN, KEPT = 3, 100
SEVERITIES = ("OK", "Warning", "Critical")


class RedfishLogMark(Scriptlet):
    """Notes the newest entry of each log, for a later step that asks what has come since; put it first in a recipe."""

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
            "description": "What the step is where the BMC keeps no log",
        },
    }
    reads = ()
    writes = {
        "redfish.log_mark_v1": (
            "For each log the newest time in it, by the BMC's own clock, and the entries of that time"
        )
    }
    needs = (
        "a BMC with Redfish",
        "it runs on another machine",
    )
    verdicts = {
        "failed": "the BMC keeps no log",
        "skipped": "the same, with `missing: skipped`",
        "error": "the BMC does not answer, or refuses the user or the certificate",
    }
    example = """
        - name: log_mark
          module: redfish.event_log
          function: RedfishLogMark
          hosts: servers
          delegate_to: localhost
          args: {url: "https://{{ bmc_address }}", user: "{{ bmc_user }}", password: "{{ bmc_password }}"}
    """

    def run(self, ctx, params):
        logs = _read(params)
        ctx.set("redfish.log_mark_v1", {log: newest(entries) for log, entries in logs.items()})
        ctx.check("logs", len(logs), min=1)


class RedfishEventLog(Scriptlet):
    """The entries of a BMC's logs that are newer than the mark of RedfishLogMark, judged by their severity."""

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
            "description": "What the step is where the BMC keeps no log",
        },
        "severities": {
            "type": "list",
            "elements": "str",
            "default": ["Warning", "Critical"],
            "description": "The severities that are wrong: OK, Warning, Critical",
        },
    }
    reads = ("redfish.log_mark_v1",)
    writes = {"redfish.event_log_v1": "A list of the newest entries: id, created, severity and message"}
    needs = (
        "a BMC with Redfish",
        "redfish.log_mark_v1 of an earlier step",
        "it runs on another machine",
    )
    verdicts = {
        "failed": "a new entry is of such a severity, or the BMC keeps no log",
        "skipped": "the BMC keeps no log, with `missing: skipped`",
        "error": "there is no mark, the BMC does not answer, or refuses the user or the certificate",
    }
    example = """
        - name: log_mark
          module: redfish.event_log
          function: RedfishLogMark
          hosts: servers
          delegate_to: localhost
          args: {url: "https://{{ bmc_address }}", user: "{{ bmc_user }}", password: "{{ bmc_password }}"}
        - name: event_log
          module: redfish.event_log
          function: RedfishEventLog
          hosts: servers
          delegate_to: localhost
          depends_on: [log_mark]
          args: {url: "https://{{ bmc_address }}", user: "{{ bmc_user }}", password: "{{ bmc_password }}"}
    """

    def validate(self, ctx, params):
        unknown = [each for each in params["severities"] if each not in SEVERITIES]
        if unknown:
            raise ValueError(f"severities: expected {', '.join(SEVERITIES)}, got {unknown[0]!r}")

    def run(self, ctx, params):
        mark = ctx.get("redfish.log_mark_v1")
        if mark is None:
            raise ValueError("there is no mark: put a step with function RedfishLogMark before, at the run's start")
        new = [entry for log, entries in _read(params).items() for entry in since(entries, mark.get(log))]
        ctx.set("redfish.event_log_v1", new[-KEPT:])
        ctx.measure("new_entries", len(new), "entries")
        bad = [entry for entry in new if entry["severity"] in params["severities"]]
        if ctx.check("bad_entries", len(bad), "entries", max=0) == "failed":
            told = "; ".join(f"{each['severity']}: {each['message']}" for each in bad[:SHOWN])
            raise Failed(f"{len(bad)} new entries in the event log, look at what they name: {told}")


def _read(params):
    with client_of(params) as device:
        found = logs_of(device)
    if not found:
        raise (Skipped if params["missing"] == "skipped" else Failed)("no such hardware: the BMC keeps no event log")
    return found


def logs_of(device):
    """The entries of every log of systems and managers, by the path of the log."""
    found = {}
    for name in ("Systems", "Managers"):
        for owner in _all_of(device, name):
            for log in _services(device, owner):
                try:
                    entries = device.members(device.follow(log, "Entries"))
                    found[log["@odata.id"].rstrip("/")] = [_entry(each) for each in entries]
                except Missing:
                    continue
    return found


def _all_of(device, name):
    try:
        return [*device.all_of(name)]
    except Missing:
        return []


def _services(device, owner):
    try:
        return [*device.members(device.follow(owner, "LogServices"))]
    except Missing:
        return []


def _entry(own):
    """An entry; a severity is that of MessageSeverity where Severity is missing (LogEntry 1.9)."""
    return {
        "id": str(own.get("Id")),
        "created": str(own.get("Created") or ""),
        "severity": own.get("Severity") or own.get("MessageSeverity") or "OK",
        "message": str(own.get("Message") or own.get("MessageId") or "")[:500],
    }


def newest(entries):
    """The newest time in a log, by the device's own clock, and the ids of the entries of that time."""
    time = max((each["created"] for each in entries), default="")
    return {"created": time, "ids": [each["id"] for each in entries if each["created"] == time]}


def since(entries, mark):
    """The entries that are newer than a mark; all of a log that was not there."""
    if mark is None:
        return entries
    return [
        each
        for each in entries
        if each["created"] > mark["created"] or (each["created"] == mark["created"] and each["id"] not in mark["ids"])
    ]
