# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the same step runs on other hosts now: each shows it by an open port, for as long as it runs."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager

PAUSE = 0.2  # seconds between two looks
ANSWER = 1.0  # seconds in which a host answers


@contextmanager
def present(address, port):
    """Show that the step runs, by a port that takes connections and closes them."""
    with socket.create_server((address, port), backlog=128) as shown:
        threading.Thread(target=_close_all, args=(shown,), daemon=True).start()
        try:
            yield
        finally:
            shown.shutdown(socket.SHUT_RDWR)


def _close_all(shown):
    while True:
        try:
            shown.accept()[0].close()
        except OSError:
            return


def absent(addresses, port, seconds):
    """Those of the hosts (NAME -> ADDRESS) that have not shown themselves within `seconds`."""
    until, missing = time.monotonic() + seconds, dict(addresses)
    while True:
        missing = {name: address for name, address in missing.items() if not _is_there(address, port)}
        if not missing or time.monotonic() >= until:
            return set(missing)
        time.sleep(PAUSE)


def _is_there(address, port):
    try:
        socket.create_connection((address, port), ANSWER).close()
    except OSError:
        return False
    return True
