# SPDX-License-Identifier: GPL-3.0-or-later

"""Server-sent events over a real socket: they go on after a break, and a slow reader harms nobody."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.integration.server.server_process import TIMEOUT, Server, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with served("--patience", "600") as started:  # a reader that is slow on purpose is not cut off
            yield started


class Follower:
    """A client that follows changes."""

    def __init__(self, server: Server, target: str, **headers: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(server.socket)
        lines = [f"GET {target} HTTP/1.0", *(f"{name.replace('_', '-')}: {headers[name]}" for name in headers)]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._file = self._socket.makefile("rb")
        self.head = [*iter(self._file.readline, b"\r\n")]
        assert b"content-type: text/event-stream; charset=utf-8\r\n" in self.head

    def next(self) -> tuple[int, Any]:
        """The id and the data of the next event."""
        fields: dict[bytes, bytes] = {}
        while b"data" not in fields:
            for line in iter(self._file.readline, b"\n"):
                assert line, "the stream has ended"
                name, _colon, text = line.rstrip(b"\n").partition(b": ")
                fields[name] = text
        assert fields[b"event"] == b"change"
        return int(fields[b"id"]), json.loads(fields[b"data"])

    def close(self) -> None:
        """Break the connection."""
        self._file.close()
        self._socket.close()


def test_events_go_on_after_a_break(server):
    first = Follower(server, "/events?key=break.*")
    for number in range(3):
        server.ask("PUT", "/ctx/break.a_v1", number)
        server.ask("PUT", "/ctx/other_v1", number)
    seen = [first.next() for _each in range(2)]
    first.close()
    server.ask("PUT", "/ctx/break.a_v1?host=leaf1", "é")
    second = Follower(server, "/events?key=break.*", Last_Event_ID=str(seen[-1][0]))
    seen += [second.next() for _each in range(2)]
    second.close()
    assert [(data["host"], data["version"], data["after"]) for _number, data in seen] == [
        ("", 1, 0),
        ("", 2, 1),
        ("", 3, 2),
        ("leaf1", 1, "é"),
    ]
    assert [number for number, _data in seen] == sorted({number for number, _data in seen})


def test_events_go_on_after_a_crash_of_the_server(server):
    server.ask("PUT", "/ctx/crash_v1", 1)
    follower = Follower(server, "/events?since=0&key=crash_v1")
    number, _data = follower.next()
    server.kill()
    follower.close()
    server.start()
    server.ask("PUT", "/ctx/crash_v1", 2)
    again = Follower(server, "/events?key=crash_v1", Last_Event_ID=str(number))
    assert again.next()[1]["after"] == 2
    again.close()


def test_a_slow_reader_harms_nobody(server):
    slow = [Follower(server, "/events") for _each in range(5)]
    quick = Follower(server, "/events?key=slow_v1")
    for number in range(30):
        server.ask("PUT", "/ctx/slow_v1", {"number": number, "text": "x" * 100_000})
        assert quick.next()[1]["after"]["number"] == number
    seen = [slow[0].next()[1]["after"]["number"] for _each in range(30)]
    assert seen == [*range(30)], "it gets all that it has not read yet"
    for follower in (quick, *slow):
        follower.close()
