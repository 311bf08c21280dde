# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions to a name server and its answers (RFC 1035): addresses alone."""

from __future__ import annotations

import os
import socket
import struct
import time

KINDS = {"A": (1, socket.AF_INET, 4), "AAAA": (28, socket.AF_INET6, 16)}
CODES = {1: "format error", 2: "server failure", 3: "no such name", 4: "not implemented", 5: "refused"}
HEADER = struct.Struct("!6H")
RECURSION, TRUNCATED, CODE, ANSWER = 0x0100, 0x0200, 0x000F, 0x8000


def ask(server, port, name, kind, seconds):
    """The addresses that a server gives for a name, and the time of the answer in ms. Raises ValueError otherwise.

    An answer that does not fit into a packet is asked for again by TCP.
    """
    number = int.from_bytes(os.urandom(2), "big")
    question = HEADER.pack(number, RECURSION, 1, 0, 0, 0) + encoded(name) + struct.pack("!2H", KINDS[kind][0], 1)
    started = time.monotonic()
    try:
        answer = _by_udp(server, port, question, seconds)
        if HEADER.unpack_from(answer)[1] & TRUNCATED:
            answer = _by_tcp(server, port, question, seconds)
    except socket.timeout:
        raise ValueError(f"does not answer within {seconds:g} s") from None
    except OSError as error:
        raise ValueError(f"cannot be asked: {error.strerror}") from None
    return addresses(answer, number, kind), round(1000 * (time.monotonic() - started), 2)


def encoded(name):
    """A name as it stands in a question. Raises ValueError for what is no name."""
    try:
        labels = name.rstrip(".").encode("idna").split(b".")
    except UnicodeError:
        labels = [b""]
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError(f"{name!r} is no name")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _family(server):
    return socket.AF_INET6 if ":" in server else socket.AF_INET


def _by_udp(server, port, question, seconds):
    with socket.socket(_family(server), socket.SOCK_DGRAM) as asked:
        asked.settimeout(seconds)
        asked.connect((server, port))
        asked.send(question)
        while True:
            answer = asked.recv(65535)
            if len(answer) >= HEADER.size and answer[:2] == question[:2]:
                return answer


def _by_tcp(server, port, question, seconds):
    with socket.create_connection((server, port), seconds) as asked:
        asked.sendall(struct.pack("!H", len(question)) + question)
        (length,) = struct.unpack("!H", _exactly(asked, 2))
        return _exactly(asked, length)


def _exactly(asked, length):
    found = b""
    while len(found) < length:
        part = asked.recv(length - len(found))
        if not part:
            raise ValueError("ended the connection in the middle of its answer")
        found += part
    return found


def addresses(answer, number, kind):
    """The addresses in an answer, in order. Raises ValueError with what the server says instead."""
    try:
        its_number, flags, questions, count = HEADER.unpack_from(answer)[:4]
        if its_number != number or not flags & ANSWER:
            raise ValueError("answers another question")
        if flags & CODE:
            raise ValueError(f"says {CODES.get(flags & CODE, f'code {flags & CODE}')}")
        place = HEADER.size
        for _question in range(questions):
            place = _after_name(answer, place) + 4
        return _records(answer, place, count, kind)
    except (struct.error, IndexError, OSError):
        raise ValueError("gives an answer that cannot be read") from None


def _records(answer, place, count, kind):
    number, family, length = KINDS[kind]
    found = []
    for _record in range(count):
        place = _after_name(answer, place)
        its_kind, _class, _ttl, size = struct.unpack_from("!2HIH", answer, place)
        place += 10
        if (its_kind, size) == (number, length):
            found.append(socket.inet_ntop(family, struct.unpack_from(f"{size}s", answer, place)[0]))
        place += size
    return sorted(found)


def _after_name(answer, place):
    """Where a name ends, which may end in a pointer to another one."""
    while answer[place]:
        if answer[place] >= 0xC0:
            return place + 2
        place += answer[place] + 1
    return place + 1
