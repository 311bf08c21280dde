# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the services of a host run, by systemd."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from rack_recipes import Failed, Scriptlet, Skipped
from scriptlets.tools.commands import run

PROPERTIES = ("Id", "LoadState", "ActiveState", "SubState", "Result", "NRestarts")
SHOW = ("systemctl", "show", "--property=" + ",".join(PROPERTIES))

RUNS = ("active", "reloading", "refreshing")
"""The states of a unit that does its work: `unit_active_state_table` in src/basic/unit-def.c of systemd."""

ADVICE = {
    "not-found": "is not installed: install its package, or correct the name",
    "masked": "is masked: `systemctl unmask {unit}`, then start it",
    "failed": "has failed ({result}): read `journalctl -u {unit}`, then `systemctl restart {unit}`",
    "inactive": "is not started: `systemctl enable --now {unit}`",
    "": "is {state} ({sub}): wait until it has started, or read `journalctl -u {unit}`",
}
"""What is wrong with a unit that does not run, and what to do, by the state of its file or of itself."""


class HostServices(Scriptlet):
    """Whether wanted units of systemd are active, and none has failed.

    Names without a suffix are those of services.
    """

    options = {
        "wanted": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Units that must be active",
        },
        "allowed": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Patterns of units that may have failed",
        },
        "max_restarts": {
            "type": "int",
            "description": (
                "How often systemd may have restarted each wanted service by itself; by default that is only measured"
            ),
            "unit": "restarts",
        },
        "absent": {
            "type": "str",
            "choices": ["error", "skip"],
            "default": "error",
            "description": "What a host that systemd does not run is",
        },
        "booted": {
            "type": "path",
            "default": "/run/systemd/system",
            "description": "The folder that is there where systemd runs the host: sd_booted(3)",
        },
    }
    reads = ()
    writes = {
        "host.services_v1": (
            "`wanted` (what systemd says of each), `failed` (names of units) and `units` (their number)"
        )
    }
    needs = ("systemd",)
    verdicts = {
        "failed": "a wanted unit does not run, another one has failed, or was restarted too often",
        "error": "systemd is not the first process, or does not answer",
        "skipped": "systemd does not run the host, with `absent: skip`",
    }
    example = """
        - name: services
          module: host.services
          args: {wanted: [ssh, chrony], allowed: ["man-db.*"]}
    """

    def run(self, ctx, params):
        if params["absent"] == "skip" and not Path(params["booted"]).is_dir():
            raise Skipped("systemd does not run on this host, so it tells of no services")
        units = read(run((*SHOW, "*")))
        if not units:
            raise ValueError("systemd names no unit: is it the first process of this host?")
        names = list(params["wanted"])
        wanted = dict(zip(names, read(run((*SHOW, "--", *names))))) if names else {}
        if len(wanted) != len(set(names)):
            raise ValueError(f"systemctl told of {len(wanted)} units, {len(set(names))} were asked for")
        failed = sorted(unit["Id"] for unit in units if unit["ActiveState"] == "failed")
        ctx.set("host.services_v1", {"wanted": wanted, "failed": failed, "units": len(units)})
        wrong = [said for name, unit in wanted.items() for said in _judge(ctx, name, unit, params)]
        wrong += _judge_failed(ctx, [unit for unit in units if unit["Id"] in failed], wanted, params)
        if wrong:
            raise Failed("; ".join(wrong))


def read(text):
    """The units in what `systemctl show` printed: lines NAME=VALUE, an empty line between two units.

    Raises ValueError where a unit lacks its name or its state.
    """
    blocks = (block for block in text.split("\n\n") if block.strip())
    units = [dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line) for block in blocks]
    for unit in units:
        lacks = [name for name in ("Id", "LoadState", "ActiveState") if name not in unit]
        if lacks:
            raise ValueError(f"systemctl show printed a unit without {', '.join(lacks)}")
    return units


def said_of(unit):
    """What is wrong with a unit that does not run, and what to do."""
    state = unit["LoadState"] if unit["LoadState"] in ADVICE else unit["ActiveState"]
    words = {"unit": unit["Id"], "state": state, "sub": unit.get("SubState", ""), "result": unit.get("Result", "")}
    return f"{unit['Id']} {ADVICE.get(state, ADVICE['']).format(**words)}"


def _judge(ctx, name, unit, params):
    """Judge one unit that is wanted; yields what is wrong with it."""
    if ctx.check(f"state.{name}", unit["ActiveState"], one_of=list(RUNS)) == "failed":
        yield said_of(unit)
    restarts = unit.get("NRestarts", "")
    if not restarts.isdecimal():  # only services count them
        return
    if params["max_restarts"] is None:
        ctx.measure(f"restarts.{name}", int(restarts), "restarts")
    elif ctx.check(f"restarts.{name}", int(restarts), "restarts", max=params["max_restarts"]) == "failed":
        yield f"{unit['Id']} was restarted {restarts} times: read `journalctl -u {unit['Id']}` for why it ends"


def _judge_failed(ctx, failed, wanted, params):
    """Judge how many units have failed; returns what to do with each that is not allowed to."""
    told = {unit["Id"] for unit in wanted.values()}
    counted = [unit for unit in failed if not any(fnmatchcase(unit["Id"], each) for each in params["allowed"])]
    ctx.check("failed_units", len(counted), "units", max=0)
    return [said_of(unit) for unit in counted if unit["Id"] not in told]
