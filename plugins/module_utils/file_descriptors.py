# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and writes files by their descriptors, reads files below /proc, and has the modes of private files."""

from __future__ import annotations

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

FILE_MODE, FOLDER_MODE = 0o600, 0o700


def try_to(call: Callable[..., object], *arguments: Any) -> bool:
    """Call what may raise OSError; returns whether it did not. A host would pay for the import of `contextlib`."""
    try:
        call(*arguments)
    except OSError:
        return False
    return True


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, in as many pieces as it takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_proc(pid: int, name: str) -> bytes:
    """The beginning of a file in which the kernel tells of a process. Raises OSError."""
    file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    try:
        return os.read(file, 8192)
    finally:
        os.close(file)


def stat_of(pid: int) -> list[bytes]:
    """The fields of `/proc/PID/stat`, from the third one, the state, on. Raises OSError."""
    return read_proc(pid, "stat").rpartition(b")")[2].split()


def in_memory(data: bytes) -> int:
    """An anonymous file to read `data` from: unlike a pipe it takes any amount at once."""
    descriptor = os.memfd_create("rack")
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, memoryview(data)[written:], written)  # leaves the place to read from
    return descriptor


def shared_log(name: str) -> int:
    """An anonymous file that several processes write to, each at its end, whoever else writes at the same time.

    Without O_APPEND the kernel keeps the place of a file in memory without a lock (unlike that of a file on a disk):
    two processes may write to one place, or read from it.
    """
    descriptor = os.memfd_create(name)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)
    return descriptor


def read_next(descriptor: int, size: int) -> bytes:
    """Read the next `size` bytes of an anonymous file whose place is shared: no other process gets the same ones."""
    fcntl.lockf(descriptor, fcntl.LOCK_EX)  # the processes' own: a killed one leaves it
    try:
        return os.read(descriptor, size)
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN)


def close_all(descriptors: list[int]) -> None:
    """Close each of them."""
    for descriptor in descriptors:
        os.close(descriptor)
