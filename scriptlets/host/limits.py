# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits that the host sets for the processes of a login (ulimit)."""

from __future__ import annotations

import resource

from rack_recipes import Failed, Scriptlet

UNLIMITED = "unlimited"
# name as in limits.conf(5) -> its resource in getrlimit(2), its unit there in bytes, its unit
NAMES = {
    "core": (resource.RLIMIT_CORE, 1024, "KiB"),
    "fsize": (resource.RLIMIT_FSIZE, 1024, "KiB"),
    "memlock": (resource.RLIMIT_MEMLOCK, 1024, "KiB"),
    "nofile": (resource.RLIMIT_NOFILE, 1, "files"),
    "nproc": (resource.RLIMIT_NPROC, 1, "processes"),
    "stack": (resource.RLIMIT_STACK, 1024, "KiB"),
}


class HostLimits(Scriptlet):
    """The soft limits of the user that the step runs as: those in `least` must be as high at least.

    InfiniBand needs `memlock: unlimited`.
    """

    options = {
        "least": {
            "type": "dict",
            "required": True,
            "description": (
                "NAME -> what the soft limit must be at least, with names and units of limits.conf(5); "
                "`unlimited` is a value"
            ),
        },
    }
    reads = ()
    writes = {"host.limits_v1": "Each limit by its name, in the units of limits.conf(5) (KB, minutes, or a number)"}
    needs = ()
    verdicts = {
        "failed": "a limit is lower than it must be",
        "error": "`least` has a name that is no limit",
    }
    example = """
        - name: limits
          module: host.limits
          args:
            least: {nofile: 65536, memlock: unlimited}
    """

    def validate(self, ctx, params):
        for name, value in params["least"].items():
            if name not in NAMES:
                raise ValueError(f"least: {name} is no limit that is known here, expected {', '.join(NAMES)}")
            if value != UNLIMITED and not str(value).isdecimal():
                raise ValueError(f"least: {name} must be a number or {UNLIMITED}, got {value!r}")

    def run(self, ctx, params):
        found = {name: soft(name) for name in NAMES}
        ctx.set("host.limits_v1", found)
        wrong = [said for name, least in params["least"].items() for said in _judge(ctx, name, found[name], least)]
        if wrong:
            raise Failed("; ".join(wrong))


def soft(name):
    """A soft limit in its unit, or `unlimited`."""
    number, size, _unit = NAMES[name]
    value = resource.getrlimit(number)[0]
    return UNLIMITED if value == resource.RLIM_INFINITY else value // size


def _judge(ctx, name, value, least):
    """Judge one limit; yields what is wrong."""
    unit = NAMES[name][2]
    if UNLIMITED in (value, least):
        verdict = ctx.check(f"limit.{name}", str(value), one_of=[UNLIMITED])
    else:
        verdict = ctx.check(f"limit.{name}", value, unit, min=int(least))
    if verdict == "failed":
        yield f"the limit {name} is {value}, expected at least {least}: set it in /etc/security/limits.d, log in again"
