# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What both ends of a stream of packets share: their form, and how they hear of each other."""

from __future__ import annotations

import socket
import struct
import time

from ansible_collections.rack.recipes.plugins.module_utils.live_client import TimedOut

NUMBER = struct.Struct("!Q")  # the number of a packet, from 0
TOTAL = 200  # bytes of a packet
SO_TIMESTAMP = 29  # socket(7): the kernel says when a packet arrived; Python has no name for it before 3.14
BUFFER = 4 * 1024 * 1024  # bytes, for when the receiver does not get its turn; the kernel may allow less
TIME = struct.Struct("@ll")  # struct timeval: seconds and microseconds


def receiver(address, silence):
    """A socket that receives packets at a free port of an address; after `silence` seconds without one it times out."""
    link = _socket(address)
    link.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    link.bind((address, 0))
    link.settimeout(silence)
    return link


def sender(address, port):
    """A socket that sends packets there."""
    link = _socket(address)
    link.connect((address, port))
    return link


def _socket(address):
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)


def packet(number):
    """The packet with this number."""
    return NUMBER.pack(number).ljust(TOTAL, b".")


def received(link):
    """The number of the next packet, and when it arrived (seconds). Raises socket.timeout."""
    data, more, _flags, _address = link.recvmsg(TOTAL, 64)
    stamps = [TIME.unpack(value[: TIME.size]) for _level, kind, value in more if kind == SO_TIMESTAMP]
    seconds, micros = stamps[0] if stamps else (time.time(), 0)
    return NUMBER.unpack(data[: NUMBER.size])[0], seconds + micros / 1e6


def is_told(live, name):
    """The value of a message if it was sent; None if not yet."""
    try:
        return live.wait(name, timeout=0)
    except TimedOut:
        return None
