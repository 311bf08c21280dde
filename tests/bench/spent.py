# SPDX-License-Identifier: GPL-3.0-or-later

"""What a command takes: time, CPU time and memory."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Spent(NamedTuple):
    """Wall seconds, CPU seconds of user and system, and MiB of memory at most."""

    wall: float
    cpu: float
    memory: float


def spent(words: Sequence[str], folder: Path) -> Spent:
    """Call a command in a folder, without what it prints. Raises RuntimeError if it fails."""
    started = time.monotonic()
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{words} ended with {process.returncode}")
    return Spent(time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
