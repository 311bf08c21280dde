# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether file systems answer in time, and take what is written to them; one that hangs does not hang the step."""

from __future__ import annotations

import errno
import os
import select
import signal
import tempfile
import time
from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.disk.filesystems import is_judged, read_mounts

# Types of file systems behind a network; proc_mounts(5), and those of parallel file systems.
NETWORK = (
    "9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "orangefs", "smb3", "wekafs",
)  # fmt: skip
CONTENT = b"rack.recipes\n"
HANGS = "hangs: look at its server and the network to it, then `umount -f -l {mount}` and mount it again"


class DiskMounts(Scriptlet):
    """How long each mount takes to tell its size and to list its folder; and to write, sync, read and delete a file.

    A process of its own asks each of them: where a server is away, the kernel may let that process wait for ever,
    and the step goes on.
    """

    options = {
        "mounts": {
            "type": "list",
            "elements": "str",
            "description": ("Mount points that must answer; by default all on disks and all behind a network"),
        },
        "write": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Folders in which a file of a few bytes is written, synced, read and deleted",
        },
        "seconds": {
            "type": "float",
            "default": 5,
            "description": "How long an answer may take",
            "unit": "s",
            "source": "our choice",
        },
        "table": {
            "type": "path",
            "default": "/proc/self/mounts",
            "description": "The kernel's table of mounts; another one for tests",
        },
    }
    reads = ()
    writes = {
        "disk.mounts_v1": (
            "For each `read MOUNT` and `write FOLDER` the `seconds` that it took (s) and its `error`, null "
            "where it is well"
        )
    }
    needs = ()
    verdicts = {
        "failed": "nothing is mounted there, it hangs or is too slow, or an operation gave an error",
        "error": "there is no mount to ask",
    }
    example = """
        - name: mounts
          module: disk.mounts
          args: {mounts: [/home], write: [/home/.probe]}
    """

    def run(self, ctx, params):
        table = read_mounts(Path(params["table"]).read_text(encoding="utf-8", errors="surrogateescape"))
        named = params["mounts"]
        listed = named if named is not None else [mount for mount, found in table.items() if is_asked(found)]
        asked = [("read", mount, look) for mount in listed] + [("write", folder, keep) for folder in params["write"]]
        if not asked:
            raise ValueError(f"{params['table']} has no mount on a disk or behind a network: name them in `mounts`")
        absent = [mount for mount in listed if mount not in table]
        found = answers(asked, params["seconds"])
        ctx.set("disk.mounts_v1", {f"{kind} {where}": told for (kind, where), told in found.items()})
        wrong = [*_mounted(ctx, absent)]
        for (kind, where), told in found.items():
            wrong += _judge(ctx, kind, where, told, params["seconds"])
        if wrong:
            raise Failed("; ".join(wrong))


def is_asked(found):
    """Whether a mount is asked by default."""
    return is_judged(found) or found["type"] in NETWORK or found["type"].startswith("fuse.")


def look(mount):
    """Tell the size of a file system and list its folder, as far as its first name."""
    os.statvfs(mount)
    with os.scandir(mount) as names:
        next(names, None)


def keep(folder):
    """Write a file, bring it to the disk, read it back and delete it."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".rack-recipes-") as file:
        file.write(CONTENT)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        if file.read() != CONTENT:
            raise OSError(errno.EIO, "other bytes came back")


def answers(asked, seconds):
    """What all answer that are asked at once: `seconds`, and `error`, which is None for one that is well.

    One that does not answer in time has the error `hangs`. Its process is ended, and not waited for.
    """
    started, children = time.monotonic(), {}
    for kind, where, ask in asked:
        reader, pid = _ask(ask, where)
        children[reader] = (kind, where, pid)
    found = {}
    while children and (left := started + seconds - time.monotonic()) > 0:
        for reader in select.select([*children], [], [], left)[0]:
            kind, where, pid = children.pop(reader)
            said = os.read(reader, 4096).decode(errors="replace")
            os.close(reader)
            os.waitpid(pid, 0)
            error = None if said == "ok" else said or "its process ended"
            found[kind, where] = {"seconds": round(time.monotonic() - started, 3), "error": error}
    for reader, (kind, where, pid) in children.items():
        os.kill(pid, signal.SIGKILL)
        os.close(reader)
        found[kind, where] = {"seconds": None, "error": "hangs"}
    return {(kind, where): found[kind, where] for kind, where, _ask_it in asked}


def _ask(ask, where):
    """Start a process that asks, and says `ok` or what is wrong. Returns where to read that, and the process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return reader, pid
    try:
        ask(where)
        said = "ok"
    except OSError as error:
        said = error.strerror or "it cannot be read"
    finally:
        os.write(writer, said.encode())
        os._exit(0)


def _mounted(ctx, absent):
    """Judge whether all are mounted; yields what is wrong."""
    if ctx.check("absent", len(absent), "mounts", max=0) == "failed":
        yield f"nothing is mounted at {', '.join(absent)}: look at /etc/fstab, and mount it"


def _judge(ctx, kind, where, told, limit):
    """Judge one answer; yields what is wrong."""
    if told["error"] is None:
        ctx.check(f"{kind}.{where}", told["seconds"], "s", max=limit)
        return
    ctx.check(f"answers.{kind}.{where}", False, eq=True)
    if told["error"] == "hangs":
        yield f"{where} {HANGS.format(mount=where)}"
    else:
        does = "be read" if kind == "read" else "be written"
        yield f"{where} cannot {does} ({told['error']}): look at the kernel's log, and at its disk or server"
