# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give data to a process that reads it from a path, without writing the data to a disk.

A command line can be seen by other users, an environment is inherited by children, and a file outlives a process that
is killed. Ansible needs a path, so the data goes through a named pipe.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from rack_recipes.private_files import FILE_MODE


@contextmanager
def served_by_fifo(path: Path, data: bytes) -> Iterator[None]:
    """Serve `data` at `path` to the first reader; at the end of the block the path is gone in any case."""
    os.mkfifo(path, FILE_MODE)
    writer = Thread(target=_write, args=(path, data), daemon=True)
    writer.start()
    try:
        yield
    finally:
        _release(path, writer)
        path.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    """Wait for a reader and write all data to it.

    The path is removed first: Ansible opens it again to show a faulty line, and would wait for ever.
    """
    with suppress(OSError), path.open("wb") as pipe:  # the reader may stop early, or there was none
        path.unlink()
        pipe.write(data)


def _release(path: Path, writer: Thread) -> None:
    """End a writer that still waits for a reader, by opening the pipe for a moment."""
    while writer.is_alive():
        with suppress(OSError):
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        writer.join(0.01)
