# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a disk can be read from its beginning to its end."""

from __future__ import annotations

import os
from pathlib import Path

from rack_recipes import Failed, Scriptlet

CHUNK = 1 << 20


class DiskReadable(Scriptlet):
    """Whether a disk can be read from its beginning, to its end or to a limit."""

    options = {
        "mount": {
            "type": "path",
            "required": True,
            "description": "The mount point of the disk",
        },
        "max_mib": {
            "type": "int",
            "default": 1024,
            "description": "How much is read at most",
            "unit": "MiB",
            "source": "our choice, for a quick look",
        },
        "mounts": {
            "type": "path",
            "default": "/proc/self/mounts",
            "description": "The kernel's table of mounts; another one for tests",
        },
    }
    reads = ()
    writes = {"disk.readable_v1": "device, size_bytes and read_bytes"}
    needs = ("root",)
    verdicts = {
        "failed": "the device cannot be read further, and where",
        "error": "nothing is mounted there",
    }
    example = """
        - name: readable
          module: disk.readable
          become: true
          args: {mount: /, max_mib: 256}
    """

    def run(self, ctx, params):
        device = device_of(params["mount"], Path(params["mounts"]).read_text(encoding="utf-8"))
        size, read, problem = read_device(device, params["max_mib"] * CHUNK)
        ctx.set("disk.readable_v1", {"device": device, "size_bytes": size, "read_bytes": read})
        if ctx.check("readable", round(100 * read / size, 2) if size else 0, "%", min=100) == "failed":
            said = f"{device} cannot be read beyond {read / CHUNK:g} MiB: {problem or 'it ends there'}"
            raise Failed(f"{said}: copy its data, look at the kernel's log and its SMART data, replace the disk")


def device_of(mount, table):
    """The device that is mounted at a path. Raises ValueError where nothing is."""
    found = [line.split()[0] for line in table.splitlines() if line.split()[1:2] == [mount]]
    if not found:
        raise ValueError(f"nothing is mounted at {mount}")
    if not found[-1].startswith("/"):
        raise ValueError(f"what is mounted at {mount} is {found[-1]}, and no device: name the mount point of a disk")
    return found[-1]


def read_device(device, limit):
    """How many bytes are to be read, how many could be, and why not more."""
    descriptor = os.open(device, os.O_RDONLY)
    try:
        size = min(os.lseek(descriptor, 0, os.SEEK_END), limit)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # what is in memory says nothing of the disk
        return size, *_read(descriptor, size)
    finally:
        os.close(descriptor)


def _read(descriptor, size):
    read = 0
    try:
        while read < size and (data := os.read(descriptor, min(CHUNK, size - read))):
            read += len(data)
    except OSError as error:
        return read, error.strerror
    return read, ""
