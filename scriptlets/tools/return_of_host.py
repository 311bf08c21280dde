# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a host whose power is switched is away, and when it is back."""

from __future__ import annotations

import socket
import time

PAUSE = 0.2  # seconds between two looks


def answers(host, port, banner=""):
    """Whether a host takes a connection, and begins with the right words."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            wanted = banner.encode()
            return not wanted or connection.recv(len(wanted)) == wanted
    except OSError:
        return False


def waited(holds, started, limit):
    """The seconds since `started` at which something was so first; None if it was not within `limit` seconds."""
    while True:
        is_so = holds()
        passed = time.monotonic() - started
        if is_so or passed > limit:
            return round(passed, 2) if is_so else None
        time.sleep(PAUSE)
