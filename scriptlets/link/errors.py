# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Error counters of the network interfaces."""

from __future__ import annotations

from pathlib import Path

from rack_recipes import Failed, Scriptlet

COUNTERS = ("rx_errors", "tx_errors", "rx_dropped", "tx_dropped", "rx_crc_errors", "collisions")
FAULTS = ("rx_errors", "tx_errors", "rx_crc_errors")


class LinkErrors(Scriptlet):
    """Errors that the network interfaces have counted since they came up."""

    options = {
        "names": {
            "type": "list",
            "elements": "str",
            "description": "The interfaces; by default all but the loopback",
        },
        "max_errors": {
            "type": "int",
            "description": "How many errors an interface may have counted",
            "unit": "frames",
        },
        "root": {
            "type": "path",
            "default": "/",
            "description": "The folder that has /sys; another one for tests",
        },
    }
    reads = ()
    writes = {"link.errors_v1": "For each interface its counters (frames), null for what its driver does not count"}
    needs = ()
    verdicts = {
        "failed": "an interface is not there, or has counted too many errors",
    }
    example = """
        - name: link_errors
          module: link.errors
          args: {max_errors: 100}
    """

    def run(self, ctx, params):
        folder = Path(params["root"], "sys/class/net")
        there = {path.parent.name for path in folder.glob("*/statistics")}
        names = params["names"] or sorted(there - {"lo"})
        missing = sorted(set(names) - there)
        if missing:
            raise Failed(f"no such link: {', '.join(missing)}")
        found = {name: read_counters(folder / name / "statistics") for name in names}
        ctx.set("link.errors_v1", found)
        errors = {name: sum(counters[fault] or 0 for fault in FAULTS) for name, counters in found.items()}
        ctx.measure("link_errors", sum(errors.values()), "frames")
        if params["max_errors"] is not None:
            check(ctx, errors, params["max_errors"])


def check(ctx, errors, limit):
    """Judge each link, and name all that are faulty."""
    verdicts = {name: ctx.check(f"link_errors.{name}", count, "frames", max=limit) for name, count in errors.items()}
    faulty = [f"{name} ({errors[name]})" for name, verdict in verdicts.items() if verdict == "failed"]
    if faulty:
        raise Failed(f"more than {limit} errors on {', '.join(faulty)}")


def read_counters(folder):
    """The counters of one link; None for what its driver does not count."""
    return {counter: read_counter(folder / counter) for counter in COUNTERS}


def read_counter(path):
    """One counter."""
    try:
        return int(path.read_text(encoding="ascii"))
    except OSError:
        return None
