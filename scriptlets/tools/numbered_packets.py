# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbered packets (UDP) over several flows that come back from an echo, and how long none of them came back."""

from __future__ import annotations

import select
import socket
import struct
import time

HEADER = struct.Struct("!IHH")  # number, flow, and a word that says it is ours
OURS = 0x5243
END = b"end of the numbered packets"


def echo(address, port, seconds):
    """Send every packet back to where it came from, until one says that this is the end. Returns their number.

    Raises ValueError where nothing has come within `seconds`, and where nothing comes any more for as long.
    """
    count = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as open_socket:
        open_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        open_socket.bind((address, port))
        open_socket.settimeout(seconds)
        while True:
            try:
                packet, source = open_socket.recvfrom(2048)
            except socket.timeout:
                raise ValueError(f"no packets came to {address} port {port} within {seconds:g} s") from None
            open_socket.sendto(packet, source)
            if packet == END:
                return count
            count += 1


class Flows:
    """Several flows to one echo: each a socket with a port of its own, so that they go over different paths."""

    def __init__(self, source, target, port, count, interval):
        """`interval` is in seconds between two packets of a flow."""
        self.interval = interval
        self.sent = [[] for _flow in range(count)]  # of each flow the time at which each packet was sent
        self.back = [set() for _flow in range(count)]  # and the numbers of those that came back
        self.delays = []  # seconds, of packets that came back
        self._target = (target, port)
        self._sockets = [self._socket(source) for _flow in range(count)]
        self._due = time.monotonic()

    def _socket(self, source):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((source, 0))
        made.setblocking(False)
        return made

    def close(self):
        """Tell the echo that this is the end, and close all sockets."""
        for _again in range(5):
            self._send(self._sockets[0], END)
            time.sleep(0.01)
        for each in self._sockets:
            each.close()

    def wait_for_echo(self, seconds):
        """Wait until every flow comes back, then forget what was sent. Raises ValueError after `seconds`."""
        until = time.monotonic() + seconds
        while not all(self.back):
            if time.monotonic() > until:
                raise ValueError(f"nothing comes back from {self._target[0]} port {self._target[1]}")
            self.run_until(time.monotonic() + 0.1)
        self.run_until(time.monotonic() + 0.1, is_sending=False)
        for lists in (self.sent, self.back):
            for own in lists:
                own.clear()
        self.delays.clear()
        self._due = time.monotonic()

    def run_until(self, moment, also=None, *, is_sending=True):
        """Send and receive until a moment (of time.monotonic), or until `also`, a further socket, has something."""
        inputs = [*self._sockets, *([also] if also else [])]
        while time.monotonic() < moment:
            if is_sending and time.monotonic() >= self._due:
                self._send_all()
            pause = min(moment, self._due if is_sending else moment) - time.monotonic()
            ready = select.select(inputs, (), (), max(0, pause))[0]
            for flow, each in enumerate(self._sockets):
                if each in ready:
                    self._receive(flow, each)
            if also in ready:
                return

    def _send_all(self):
        self._due += self.interval
        for flow, each in enumerate(self._sockets):
            number = len(self.sent[flow])
            self.sent[flow].append(time.monotonic())
            self._send(each, HEADER.pack(number, flow, OURS))

    def _send(self, each, packet):
        try:
            each.sendto(packet, self._target)
        except OSError:  # no route for now: the packet is lost, which is what is counted
            return

    def _receive(self, flow, each):
        while True:
            try:
                packet = each.recv(2048)
            except OSError:
                return
            if len(packet) != HEADER.size:
                continue
            number, its_flow, word = HEADER.unpack(packet)
            is_new = number < len(self.sent[flow]) and number not in self.back[flow]
            if (its_flow, word) == (flow, OURS) and is_new:
                self.back[flow].add(number)
                self.delays.append(time.monotonic() - self.sent[flow][number])

    def outages(self, begin, end):
        """For each flow the longest time, in seconds, in which no packet sent from `begin` to `end` came back."""
        return [outage(sent, back, begin, end) for sent, back in zip(self.sent, self.back)]

    def losses(self):
        """For each flow the share of its packets that did not come back, from 0 to 1."""
        return [1 - len(back) / len(sent) if sent else 0.0 for sent, back in zip(self.sent, self.back)]


def outage(sent, back, begin, end):
    """The longest time between a lost packet and the next one that came back; 0 if none was lost.

    `sent` are the times of all packets, `back` the numbers of those that came back. Only packets sent from `begin` to
    `end` begin an outage. One that lasts to the last packet ends there.
    """
    longest, lost_since = 0.0, None
    for number, moment in enumerate(sent):
        if number in back:
            longest = max(longest, moment - lost_since) if lost_since is not None else longest
            lost_since = None
        elif lost_since is None and begin <= moment < end:
            lost_since = moment
    return max(longest, sent[-1] - lost_since) if lost_since is not None else longest
