# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A flush that is asked for by a signal: the command passes it on to its Ansible, and that to the follower."""

from __future__ import annotations

import signal
import subprocess
from contextlib import suppress
from pathlib import Path

FLUSH_SOON = signal.SIGUSR1


def pass_on(child: subprocess.Popen[bytes]) -> None:
    """Have a run flush soon; an Ansible that takes no such signal yet would die of it, and has nothing to flush."""
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
        if _takes(child.pid):
            child.send_signal(FLUSH_SOON)


def _takes(pid: int) -> bool:
    """Whether a process has a handler for the signal."""
    told = (line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    caught = next((int(mask, 16) for name, mask in told if name == "SigCgt"), 0)
    return bool(caught >> (FLUSH_SOON - 1) & 1)
