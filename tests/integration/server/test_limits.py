# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients that take too much are refused or cut off, and others do not notice."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from ansible_collections.rack.recipes.tests.integration.server.network_client import ask, new_token
from ansible_collections.rack.recipes.tests.integration.server.server_process import TIMEOUT, Server, served

CONNECTIONS, REQUESTS, PATIENCE = 12, 10, 2
ESTABLISHED = "01"  # a state of /proc/net/tcp
GET = b"GET /ctx HTTP/1.1\r\nHost: ctx\r\n"


class Limited(NamedTuple):
    """A server with low limits, and a token."""

    server: Server
    token: str

    def opened(self, *parts: bytes) -> socket.socket:
        """A connection on which something was sent."""
        made = socket.create_connection(("127.0.0.1", urlsplit(self.server.ready["url"]).port or 0), TIMEOUT)
        for part in parts:
            made.sendall(part)
        return made

    def with_token(self, first: bytes) -> bytes:
        """The head of a request up to its last line."""
        return first + f"Authorization: Bearer {self.token}\r\n".encode()

    def served_meanwhile(self) -> bool:
        """Whether others are served."""
        return self.server.ask("PUT", "/ctx/meanwhile_v1", 1).status == 200


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    """One server for all tests of this file."""
    limits = {"connections": CONNECTIONS, "requests": REQUESTS, "patience": PATIENCE}
    options = [word for name, value in limits.items() for word in (f"--{name}", str(value))]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        token = new_token("zoe", "author")
        with served("--listen", "127.0.0.1:0", *options) as server:
            yield Limited(server, token)


@pytest.fixture
def spent() -> Iterator[None]:
    """The test sends all that its client may send in a second; the next one begins when it may send again."""
    yield
    time.sleep(1.1)


def rest_of(connection: socket.socket) -> bytes:
    """What comes until the connection ends; the test fails if it does not end."""
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        pass
    connection.close()
    return found


@pytest.mark.usefixtures("spent")
def test_requests_above_the_rate_are_told_when_to_come_again(limited):
    request = limited.with_token(GET)
    last = limited.with_token(GET) + b"Connection: close\r\n\r\n"
    answers = rest_of(limited.opened((request + b"\r\n") * 20 * REQUESTS + last))
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert answers.count(b"HTTP/1.1 200 ") >= REQUESTS
    refused = answers[answers.index(b"HTTP/1.1 429 ") :]
    head, body = refused.split(b"\r\n\r\n")[:2]
    assert b"\r\nretry-after: 1\r\n" in head + b"\r\n"
    assert f"127.0.0.1 may send {REQUESTS} requests a second".encode() in body
    assert limited.served_meanwhile()


def test_connections_above_the_limit_are_refused(limited):
    open_ones = [limited.opened() for _each in range(CONNECTIONS)]
    ask_when_all_are_counted = limited.served_meanwhile()
    answer = rest_of(limited.opened())
    for connection in open_ones:
        connection.close()
    assert ask_when_all_are_counted
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert json.loads(answer.split(b"\r\n\r\n")[1])["detail"] == f"127.0.0.1 has {CONNECTIONS} connections already"


@pytest.mark.parametrize("first", [b"", b"G", GET, GET + b"X: " + b"x" * 1000])
def test_who_does_not_finish_the_headers_is_cut_off(limited, first):
    slow = [limited.opened(first) for _each in range(3)]
    assert limited.served_meanwhile()
    assert [rest_of(each) for each in slow] == [b""] * 3


def test_a_body_that_does_not_come_is_cut_off(limited):
    head = limited.with_token(b"PUT /ctx/slow_v1 HTTP/1.1\r\nHost: ctx\r\nContent-Type: application/json\r\n")
    slow = limited.opened(head, b"Content-Length: 1000\r\n\r\n", b"[1,")
    assert limited.served_meanwhile()
    assert rest_of(slow) == b""
    assert limited.server.ask("GET", "/ctx/slow_v1").status == 404


@pytest.mark.usefixtures("spent")
def test_a_reader_that_does_not_read_is_cut_off(limited):
    limited.server.ask("PUT", "/ctx/large_v1", "x" * 1_000_000)
    stuck = limited.opened()
    request = limited.with_token(GET.replace(b"/ctx ", b"/ctx/large_v1 ")) + b"\r\n"
    stuck.sendall(request * REQUESTS)  # more than the buffers of both ends have room for
    assert limited.served_meanwhile()
    until = time.monotonic() + TIMEOUT
    while _is_open(stuck.getpeername()[1], stuck.getsockname()[1]):
        assert time.monotonic() < until
        time.sleep(0.1)
    stuck.close()
    assert limited.served_meanwhile()


def _is_open(port: int, client: int) -> bool:
    """Whether the server's end of a connection is open, as the kernel tells; see proc(5) on /proc/net/tcp."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = {tuple(int(place.rpartition(":")[2], 16) for place in row[1:3]): row[3] for row in rows}
    return ports.get((port, client)) == ESTABLISHED


def test_a_body_that_is_too_large_is_refused(limited):
    answer = ask(limited.server, "PUT", "/ctx/large_v1", "x" * 1_200_000, limited.token)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_who_sends_the_body_late_sees_why_it_is_refused(limited):
    head = b"PUT /ctx/a_v1 HTTP/1.1\r\nHost: ctx\r\nContent-Length: 4\r\n\r\n"
    slow = limited.opened(head)
    assert limited.served_meanwhile()
    slow.sendall(b"1234")
    assert rest_of(slow).startswith(b"HTTP/1.1 401 ")


def test_an_unread_body_is_no_request(limited):
    smuggled = b"GET /nowhere HTTP/1.1\r\nHost: ctx\r\n\r\n"
    head = b"PUT /ctx/a_v1 HTTP/1.1\r\nHost: ctx\r\nContent-Length: %d\r\n\r\n" % len(smuggled)
    answers = rest_of(limited.opened(head, smuggled))
    assert (answers.count(b"HTTP/1.1"), b" 401 " in answers) == (1, True)
