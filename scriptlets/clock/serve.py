# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells other hosts what time it is here: the serving side of `clock.pairwise`."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress

from rack_recipes import Scriptlet

ASKED = struct.Struct("!d")  # when it was asked, in seconds of the asking clock
TOLD = struct.Struct("!ddd")  # the same, and when that came and went, in seconds of this clock


class ClockServe(Scriptlet):
    """Answers each question of `clock.pairwise` with the time at which it came and that at which the answer went.

    It stands under `serve` of a step of scope pair, which starts it, waits until it listens, and ends it.
    """

    options = {
        "port": {
            "type": "int",
            "required": True,
            "description": "Where it listens: `${own.port}`, which its host has found free",
            "unit": "TCP port",
        },
    }
    reads = ()
    writes = ()
    needs = ()
    verdicts = {"error": "something else has the port"}
    example = """
        - name: clocks
          scope: pair
          hosts: servers
          module: clock.pairwise
          args: {peer: "${peer.address}", port: "${peer.port}", name: "${peer.name}", max_offset: 0.001}
          serve: {module: clock.serve, args: {port: "${own.port}"}}
    """

    def run(self, _ctx, params):
        """Answer until the executor ends this."""
        with listening(params["port"]) as server:
            while True:
                link, _where = server.accept()
                with link, suppress(OSError):  # one that asks is gone: the next one is answered
                    answer(link)


def listening(port):
    """A socket that waits for others at a port, of IPv6 as well where the host has that."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def answer(link):
    """Answer all questions of one that asks."""
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := whole(link, ASKED):
        came = time.time()
        link.sendall(TOLD.pack(*ASKED.unpack(data), came, time.time()))


def whole(link, shape):
    """The bytes of one message; none where the other side has ended."""
    data = link.recv(shape.size, socket.MSG_WAITALL)
    return data if len(data) == shape.size else b""
