# SPDX-License-Identifier: GPL-3.0-or-later

"""The serving side of a step between hosts: it gets a port, and the controller is told as soon as something listens."""

from __future__ import annotations

import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.module_utils.executor.scheduler import Step
    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_state import RecordWriter

LISTENS = "listens"  # the event of the log record that tells it; its text is the port
PAUSE = 0.1  # seconds between two looks
TABLES = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}  # of /proc/net, with the state of a socket that waits


class ServingSide:
    """Looks whether anything listens at the port of a step. `due` is when to look next, by the monotonic clock."""

    def __init__(self, step: Step, records: RecordWriter) -> None:
        self.port: int = step["serves"] or free_port()
        step["words"]["own"]["port"] = self.port
        self.due = time.monotonic() + PAUSE
        self._step: str = step["name"]
        self._records = records
        self._is_told = False

    def look(self, moment: float) -> None:
        """Tell the controller once that the port is open."""
        self.due = moment + PAUSE
        if not self._is_told and is_open(self.port):
            self._is_told = True
            self._records.log(self._step, 1, LISTENS, str(self.port))


def free_port() -> int:
    """A port that nothing uses now, for TCP or for UDP."""
    with socket.socket() as taken:
        taken.bind(("", 0))
        port: int = taken.getsockname()[1]
        with socket.socket(type=socket.SOCK_DGRAM) as same:
            try:
                same.bind(("", port))
            except OSError:
                return free_port()
        return port


def is_open(port: int) -> bool:
    """Whether a process of this network waits for others at the port."""
    wanted = f":{port:04X}"
    for name, state in TABLES.items():
        try:
            with open(f"/proc/net/{name}") as table:
                sockets = [line.split()[1:4] for line in table.readlines()[1:]]
        except (OSError, IndexError):  # a machine without IPv6 has fewer tables
            continue
        if any(local.endswith(wanted) and found == state for local, _remote, found in sockets):
            return True
    return False
