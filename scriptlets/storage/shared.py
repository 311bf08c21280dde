# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One file system that several hosts use at the same time: its speed by fio, and whether it gives the data back."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.disk.fio import EXIT_CODES, MIB, argv, complain, decoded, has_room, judge_ways, read, reserved
from scriptlets.tools.commands import run

PAUSE = 0.2  # seconds between two looks at what the others have written
NOTE = ".rack-recipes-{}.json"  # what each host leaves in the folder while it takes part


class StorageShared(Scriptlet):
    """The part of each host in the IOPS and MB/s of a shared file system, while all hosts of its group use it.

    First each host waits until it sees what the others have written: one that has another file system there, or none,
    is found by that. Then all start `fio` as `disk.fio` does: a file is written, measured, and read back with its
    checksums. Without limits the numbers are measured only.
    """

    options = {
        "folder": {
            "type": "path",
            "required": True,
            "description": "A folder of the shared file system, the same on each host",
        },
        "me": {"type": "str", "required": True, "description": "The name of this host: `${own.name}`"},
        "members": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "All hosts of the group: `${own.members}`",
        },
        "wait": {
            "type": "float",
            "default": 60,
            "description": "How long all hosts may take to see each other's files; NFS may look once in 30 s only",
            "unit": "s",
        },
        "profile": {
            "type": "str",
            "choices": ["random_read", "random_write", "random_mixed", "sequential_read", "sequential_write"],
            "default": "sequential_write",
            "description": "What is measured, as in `disk.fio`",
        },
        "size_mib": {"type": "int", "default": 256, "description": "The size of each host's file", "unit": "MiB"},
        "seconds": {
            "type": "float",
            "default": 10,
            "min": 0,
            "max": 86_400,
            "description": "For how long is measured",
            "unit": "s",
        },
        "direct": {"type": "bool", "default": True, "description": "Whether it goes past the memory of the host"},
        "min_iops": {"type": "float", "description": "The least number of requests a second of a host", "unit": "1/s"},
        "min_mbytes": {"type": "float", "description": "The least throughput of a host", "unit": "MB/s"},
        "max_p50_us": {"type": "float", "description": "The longest median latency", "unit": "us"},
        "max_p99_us": {"type": "float", "description": "The longest latency of 99 in 100 requests", "unit": "us"},
        "max_p999_us": {"type": "float", "description": "The longest latency of 999 in 1000 requests", "unit": "us"},
    }
    reads = ()
    writes = ()
    needs = ("fio (Debian: fio)", "a folder that can be written, with size_mib of room for each host")
    verdicts = {
        "failed": "a host does not see the files of another one, data differ from those written, or a limit is not met",
        "error": "there is no room, or fio cannot test this folder",
    }
    example = """
        - name: shared
          scope: group
          hosts: servers
          members: all
          module: storage.shared
          args: {folder: /mnt/shared, me: "${own.name}", members: "${own.members}", min_mbytes: 100}
          timeout: 300
    """

    def run(self, ctx, params):
        """Meet the others in the folder, and measure beside them."""
        _is_there(params)
        has_room(params["folder"], params["size_mib"] * len(params["members"]))
        with met(params):
            with reserved(params["folder"], params["size_mib"]) as file:
                told = decoded(run(argv(f"/proc/{os.getpid()}/fd/{file.fileno()}", params), EXIT_CODES))
            found = read(told)
            complain(found, params)
            ctx.check("read_back", found["read_back_bytes"], "bytes", eq=params["size_mib"] * MIB)
            wrong = [*judge_ways(ctx, found, params)]
        if wrong:
            raise Failed("; ".join(wrong))


def _is_there(params):
    """Raises ValueError where the folder is not there, with what to do on which host."""
    folder = Path(params["folder"])
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise ValueError(
            f"{folder} {what} on {params['me']}: mount the shared file system on this host (findmnt says what is "
            f"mounted), then make the folder on it: mkdir -p {folder}"
        )


@contextlib.contextmanager
def met(params):
    """Hold a note in the folder from when all members have seen each other's until the end of the measurement.

    A note says what its host has read of the others. So one that an earlier test has left does not count. It is
    written anew before each look, since that makes NFS forget what it knew of the folder. A member that was met once
    may leave before this one. Raises Failed with the members that are not seen, or do not see this one.
    """
    nonce, own = secrets.token_hex(8), _note(params, params["me"])
    blind = [name for name in params["members"] if name != params["me"]]
    until = time.monotonic() + params["wait"]
    try:
        while True:
            told = {name: _told(_note(params, name)) for name in params["members"] if name != params["me"]}
            seen = {name: note.get("nonce") for name, note in told.items()}
            _write(own, {"nonce": nonce, "seen": seen})
            blind = [name for name in blind if told[name].get("seen", {}).get(params["me"]) != nonce]
            if not blind:
                break
            if time.monotonic() > until:
                raise Failed(
                    f"within {params['wait']:g} s {', '.join(blind)} did not share {params['folder']} with this host: "
                    "look whether the same file system is mounted on both (findmnt)"
                )
            time.sleep(PAUSE)
        yield
    finally:
        with contextlib.suppress(OSError):
            own.unlink()


def _note(params, name):
    return Path(params["folder"], NOTE.format(name.replace("/", "_")))


def _told(note):
    """What a note says; nothing where it is not there, or is not whole yet."""
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("seen"), dict) else {}


def _write(note, told):
    """Write a note as a whole. Raises ValueError where the folder takes none."""
    new = note.with_suffix(".new")
    try:
        new.write_text(json.dumps(told), encoding="utf-8")
        new.replace(note)
    except OSError as error:
        raise ValueError(f"{note.parent} cannot be written: {error.strerror}: look at its mount and rights") from None
