# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hand something over to a process that is given a path, without a byte of it on a disk.

Others can see a command line, what a process has in its environment stays there for its children, and a file outlives a
process that is killed. A named pipe has a place, which Ansible insists on, and holds nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread


@contextmanager
def served_by_fifo(path: Path, data: bytes) -> Iterator[None]:
    """Who opens `path` first reads the data, and nobody else finds it; with the block it is gone, read or not."""
    os.mkfifo(path, 0o600)
    giver = Thread(target=_give, args=(path, data), daemon=True)
    giver.start()
    try:
        yield
    finally:
        _release(path, giver)
        path.unlink(missing_ok=True)


def _give(path: Path, data: bytes) -> None:
    """Wait for a reader, and give it all; who looks for it again, as to show a wrong line, must not wait for ever."""
    with suppress(OSError), path.open("wb") as pipe:  # it may have read enough, or nobody ever come
        path.unlink()
        pipe.write(data)


def _release(path: Path, giver: Thread) -> None:
    """Nobody reads any more: whoever waits for that is let go."""
    while giver.is_alive():
        with suppress(OSError):
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        giver.join(0.01)
