# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""File systems of a host: mounted as expected, not read-only, with room and inodes."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rack_recipes import Failed, Scriptlet

# Types that cannot be written by their nature: they are always full.
NEVER_WRITTEN = ("cramfs", "erofs", "iso9660", "squashfs", "udf")


class DiskFilesystems(Scriptlet):
    """Whether each file system is mounted, of its type and writable, with room and inodes left."""

    options = {
        "expected": {
            "type": "dict",
            "description": (
                "Mount points and the type that each must have, an empty text for any; by default all that "
                "lie on a block device"
            ),
        },
        "read_only": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Mount points that must not be writable",
        },
        "min_free": {
            "type": "float",
            "default": 3,
            "description": "Free room and free inodes, below which the step fails",
            "unit": "%",
            "source": (
                "NodeFilesystemAlmostOutOfSpace is critical at 3 % "
                "(https://github.com/prometheus/node_exporter/blob/master/docs/node-mixin/config.libsonnet)"
            ),
        },
        "warn_free": {
            "type": "float",
            "default": 5,
            "description": "The same, below which the step is marginal",
            "unit": "%",
            "source": "the same alert warns at 5 %",
        },
        "mounts": {
            "type": "path",
            "default": "/proc/self/mounts",
            "description": "The kernel's table of mounts; another one for tests",
        },
    }
    reads = ()
    writes = {
        "disk.filesystems_v1": (
            "For each mount point device, type, is_read_only, size_bytes, free_percent and free_inodes_percent"
        )
    }
    needs = ()
    verdicts = {
        "failed": "one is not mounted, has another type, cannot be written, or is full",
        "marginal": "less than warn_free is left",
        "error": "a file system does not answer, or there is none to judge",
    }
    example = """
        - name: filesystems
          module: disk.filesystems
          args:
            expected: {/: ext4, /srv/data: xfs}
            min_free: 10
            warn_free: 20
    """

    def run(self, ctx, params):
        table = read_mounts(Path(params["mounts"]).read_text(encoding="utf-8", errors="surrogateescape"))
        expected = params["expected"] or {mount: "" for mount, found in table.items() if is_judged(found)}
        if not expected:
            raise ValueError(f"{params['mounts']} has no file system on a block device: say which are `expected`")
        found, unread = _with_room({mount: table[mount] for mount in expected if mount in table})
        ctx.set("disk.filesystems_v1", found)
        wrong = [*_mounted(ctx, expected, table)]
        for mount, room in found.items():
            wrong += [*_state(ctx, mount, room, expected, params), *_room(ctx, mount, room, params)]
        if wrong:
            raise Failed("; ".join([*wrong, *unread]))
        if unread:
            raise ValueError("; ".join(unread))


def read_mounts(text):
    """MOUNT -> device, type and options of what is seen there, which is what was mounted last (see fstab(5))."""
    rows = [[_plain(word) for word in line.split(" ")[:4]] for line in text.splitlines()]
    return {
        mount: {"device": device, "type": kind, "is_read_only": "ro" in options.split(",")}
        for device, mount, kind, options in rows
    }


def _plain(word):
    r"""A word of the kernel's table: a space is \040 there."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)


def is_judged(found):
    """Whether a file system is judged by default."""
    return found["device"].startswith("/dev/") and found["type"] not in NEVER_WRITTEN


def _with_room(table):
    """The file systems with their room, and a sentence for each that gives no answer."""
    found, unread = {}, []
    for mount, said in table.items():
        try:
            room = os.statvfs(mount)
        except OSError as error:
            unread.append(f"{mount} cannot be read ({error.strerror}): look at the kernel's log and at the disk")
        else:
            found[mount] = {**said, **_percent(room)}
    return found, unread


def _percent(room):
    """Size in bytes, and what is free for users in percent; None where a file system does not count inodes."""
    return {
        "size_bytes": room.f_blocks * room.f_frsize,
        "free_percent": round(100 * room.f_bavail / room.f_blocks, 2) if room.f_blocks else None,
        "free_inodes_percent": round(100 * room.f_favail / room.f_files, 2) if room.f_files else None,
    }


def _mounted(ctx, expected, table):
    """Judge whether all are there; yields what is wrong."""
    missing = [mount for mount in expected if mount not in table]
    if ctx.check("missing", len(missing), "mounts", max=0) == "failed":
        yield f"nothing is mounted at {', '.join(missing)}: look at /etc/fstab and whether the disk is there"


def _state(ctx, mount, found, expected, params):
    """Judge type and whether one can be written; yields what is wrong."""
    kind, is_read_only = expected[mount], mount in params["read_only"]
    if kind and ctx.check(f"type.{mount}", found["type"], eq=kind) == "failed":
        yield f"{mount} is {found['type']}, expected {kind}: compare /etc/fstab with the plan"
    if ctx.check(f"read_only.{mount}", found["is_read_only"], eq=is_read_only) == "failed":
        yield (
            f"{mount} can be written: mount it read-only"
            if is_read_only
            else f"{mount} is read-only: look for errors of {found['device']} in the kernel's log, then check it (fsck)"
        )


def _room(ctx, mount, found, params):
    """Judge room and inodes; yields what is wrong."""
    for name, key, what, action in (
        ("free", "free_percent", "room", "delete what is not needed, or make it larger"),
        ("free_inodes", "free_inodes_percent", "inodes", "delete small files, or make it anew with more inodes"),
    ):
        limits = {"min": params["min_free"], "warn": {"min": params["warn_free"]}}
        value = found[key]
        if value is not None and ctx.check(f"{name}.{mount}", value, "%", **limits) == "failed":
            yield f"{mount} has {value:g} % of its {what} left, expected {params['min_free']:g} %: {action}"
