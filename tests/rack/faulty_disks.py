# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks that become full or read-only while they are in use. Only this thread and its children see them.

with disks.apart():
    disk = disks.Disk(folder, "1m")

The mounts are in a namespace of their own, so they vanish with the last of these processes, however it ends. Needs
root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from service_supervisor import ServiceError

NAMESPACE = "/proc/thread-self/ns/mnt"


def objection() -> str:
    """Return why this machine cannot make such a disk; an empty text if it can."""
    if os.geteuid():
        return "a small disk needs root"
    if not shutil.which("mount"):
        return "mount is not installed: install the package mount (apt-get install mount)"
    try:
        with tempfile.TemporaryDirectory() as folder, apart():
            Disk(Path(folder), "16k")
    except (OSError, ServiceError) as error:
        return f"a small disk cannot be mounted here: {error}"
    return ""


@contextmanager
def apart() -> Iterator[None]:
    """Within the block, only this thread and its children see what the thread mounts."""
    home, here = os.open(NAMESPACE, os.O_RDONLY), Path.cwd()
    try:
        os.unshare(os.CLONE_NEWNS)
        try:
            _mount("--make-rprivate", "/")
            yield
        finally:
            os.setns(home, os.CLONE_NEWNS)
            os.chdir(here)  # which is the root otherwise
    finally:
        os.close(home)


class Disk:
    """A file system of `size` in memory at a folder."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder.absolute()
        self._ballast = self.folder / "ballast"
        self.folder.mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "-o", f"size={size},mode=711", "rack-test", str(self.folder))

    def fill(self) -> None:
        """Fill the disk until no page is free. The last page of a file may still have room."""
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink()

    def turn_read_only(self) -> None:
        """Make the disk read-only, as after `mount -o remount,ro`, even if files are open."""
        _mount("--bind", str(self.folder), str(self.folder))
        _mount("-o", "remount,bind,ro", str(self.folder))

    def turn_writable(self) -> None:
        """Undo that."""
        _run("umount", "--lazy", str(self.folder))


def _mount(*words: str) -> None:
    _run("mount", *words)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceError(f"{' '.join(command)}: {done.stderr.strip()}")
