# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which system runs on a host: distribution, version, architecture, time zone."""

from __future__ import annotations

import os
import shlex
from fnmatch import fnmatchcase
from pathlib import Path

from rack_recipes import Failed, Scriptlet

ZONES = "/zoneinfo/"
ADVICE = {
    "distribution": "install the system that the plan says",
    "version": "update the system, or correct the plan",
    "architecture": "look whether this is the right machine",
    "timezone": "`timedatectl set-timezone {expected}`",
}


class HostRelease(Scriptlet):
    """Distribution and version (os-release(5)), architecture and time zone, each against a pattern if there is one."""

    options = {
        "distribution": {
            "type": "str",
            "description": "Pattern of the distribution (ID in os-release), such as debian",
        },
        "version": {"type": "str", "description": "Pattern of its version (VERSION_ID in os-release), such as 24.*"},
        "architecture": {
            "type": "str",
            "description": "Pattern of the machine as `uname -m` prints it, such as x86_64",
        },
        "timezone": {"type": "str", "description": "Pattern of the time zone, such as UTC or Europe/*"},
        "root": {"type": "path", "default": "/", "description": "The folder that has /etc; another one for tests"},
    }
    reads = ()
    writes = {"host.release_v1": "`distribution`, `version`, `architecture` and `timezone`; null for what is not told"}
    needs = ()
    verdicts = {
        "failed": "one of them is not as expected",
        "error": "the system does not tell its name, or what is expected of it",
    }
    example = """
        - name: release
          module: host.release
          args: {distribution: ubuntu, version: "24.04", architecture: x86_64, timezone: UTC}
    """

    def run(self, ctx, params):
        found = release(Path(params["root"]))
        ctx.set("host.release_v1", found)
        wrong = [said for name in ADVICE for said in _judge(ctx, name, found[name], params[name])]
        if wrong:
            raise Failed("; ".join(wrong))


def release(root):
    """What runs on a host; None for a time zone that is not told by a link into the zones."""
    path = next((path for path in ("etc/os-release", "usr/lib/os-release") if (root / path).exists()), None)
    if path is None:
        raise ValueError(f"{root} has no os-release: this system does not tell its name")
    words = shlex.split((root / path).read_text(encoding="utf-8", errors="backslashreplace"), comments=True)
    fields = dict(word.partition("=")[::2] for word in words)
    return {
        "distribution": fields.get("ID"),
        "version": fields.get("VERSION_ID"),
        "architecture": os.uname().machine,
        "timezone": timezone(root),
    }


def timezone(root):
    """The name of the time zone, by the link of localtime(5) or Debian's /etc/timezone; UTC where there is neither."""
    link, file = root / "etc/localtime", root / "etc/timezone"
    if link.is_symlink() and ZONES in str(link.readlink()):
        return str(link.readlink()).rpartition(ZONES)[2]
    if file.exists():
        return file.read_text(encoding="utf-8").strip()
    return None if link.exists() else "UTC"


def _judge(ctx, name, value, expected):
    """Judge one of them; yields what is wrong."""
    if expected is None:
        return
    if value is None:
        raise ValueError(f"this system does not tell its {name}: leave it out")
    if ctx.check(name, fnmatchcase(value, expected), eq=True) == "failed":
        yield f"{name} is {value}, expected {expected}: {ADVICE[name].format(expected=expected)}"
