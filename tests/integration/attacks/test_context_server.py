# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that are made to hold up a server, or to get past what it checks, over real sockets.

The server runs with one of two HTTP parsers, by what is installed. So does this file.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import yaml

from ansible_collections.rack.recipes.tests.integration.server.network_client import new_token
from ansible_collections.rack.recipes.tests.integration.server.server_process import TIMEOUT, Server, served
from ansible_collections.rack.recipes.tests.integration.web.web_server import WebServer, web_server
from call_rack_recipes import COMMAND

PARSERS = {"httptools": COMMAND, "h11": f"import sys; sys.modules['httptools'] = None; {COMMAND}"}
SERVERS = ("context", "pages")
ENDLESS = yaml.safe_load(Path(__file__).with_name("cases").joinpath("endless_requests.yml").read_text())
MOST = 64 * 1024 * 1024  # bytes that are sent of an endless request: the buffers of both ends hold a few of them
PROBLEM = b"content-type: application/problem+json"


class Attacked(NamedTuple):
    """A context server and a server of pages with the same parser, and a token for both."""

    server: Server
    pages: WebServer
    token: str

    def connected(self, name: str) -> socket.socket:
        """A connection to one of them, over the network."""
        url = self.server.ready["url"] if name == "context" else self.pages.url
        return socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), TIMEOUT)

    def answered(self, name: str, request: bytes) -> bytes:
        """What a server says to a request until it closes the connection."""
        with self.connected(name) as connection:
            return _sent_and_read(connection, request)


def _sent_and_read(connection: socket.socket, request: bytes) -> bytes:
    found = b""
    try:
        connection.sendall(request)
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        pass  # the server has closed it while the client was sending
    return found


@pytest.fixture(scope="module", params=PARSERS)
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """Both servers, for all tests of this file; they log no fault."""
    program = PARSERS[request.param]
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.chdir(folder)
        token = new_token("zoe", "admin")
        server = stack.enter_context(served("--listen", "127.0.0.1:0", program=program))
        pages = stack.enter_context(web_server(folder, program=program))
        yield Attacked(server, pages, token)
        assert server.log.read_text() == ""


def _head_and_body(answer: bytes) -> tuple[int, bytes, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.lower(), json.JSONDecoder().raw_decode(body.decode())[0]


# What comes before it is known who asks


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("case", ENDLESS, ids=lambda case: case["name"])
def test_a_request_without_end_is_cut_off(attacked: Attacked, name: str, case: dict[str, str]) -> None:
    """Nobody without a token makes a server read for ever."""
    again = case["again"].encode() * (65536 // len(case["again"]))
    sent = 0
    with attacked.connected(name) as connection:
        connection.sendall(case["start"].encode())
        try:
            while sent < MOST:
                connection.sendall(again)
                sent += len(again)
        except ConnectionError:
            return
    raise AssertionError(f"the server has taken {sent} bytes")


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("in_parts", [False, True])
def test_a_token_in_a_trailer_counts_for_nothing(attacked: Attacked, name: str, *, in_parts: bool) -> None:
    """What comes behind a body is no header, however it comes."""
    path, token = ("/ctx", attacked.token) if name == "context" else ("/runs", attacked.pages.token)
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n".encode()
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    trailer = f"0\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    if in_parts:
        with attacked.connected(name) as connection:
            connection.sendall(head)
            time.sleep(0.2)
            answer = _sent_and_read(connection, trailer)
    else:
        answer = attacked.answered(name, head + trailer)
    assert _head_and_body(answer)[0] == 401


def test_what_small_pieces_cost_is_no_reason_to_refuse_them(attacked: Attacked) -> None:
    """A program that sends its JSON word by word is slow, but does no harm; trailers are read over."""
    words = [b"xxx"] * 100_000
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(word), word) for word in (b'"', *words, b'"'))
    head = f"PUT /ctx/pieces_v1 HTTP/1.1\r\nHost: ctx\r\nAuthorization: Bearer {attacked.token}\r\n".encode()
    head += b"Content-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    trailers = b"X: x\r\n" * 1000
    assert attacked.answered("context", head + chunks + b"0\r\n" + trailers + b"\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("length", [5_000, 20_000, 40_000, 70_000, 1_000_000])
@pytest.mark.parametrize("where", ["/{}", "/ctx/{}", "/ctx?key={}"])
def test_an_address_that_is_too_long_gets_a_problem(attacked: Attacked, name: str, length: int, where: str) -> None:
    """Whatever is wrong with a request is said in JSON."""
    request = f"GET {where.format('a' * length)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = attacked.answered(name, request.encode())
    assert answer or length > 100_000  # the answer may be lost where the client is still sending
    if answer:
        status, head, body = _head_and_body(answer)
        too_long = length > 32_768 or name == "pages"
        assert (status, body["status"]) == ((414, 414) if too_long else (401, 401))
        assert PROBLEM in head
        assert body["advice"]


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize(
    "request_text",
    [
        "NONSENSE\r\n\r\n",
        "GET  /ctx HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "GET /ctx HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        "PUT /ctx/a_v1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_no_request_gets_a_problem(attacked: Attacked, name: str, request_text: str) -> None:
    status, head, body = _head_and_body(attacked.answered(name, request_text.encode()))
    assert (status, PROBLEM in head, body["status"]) == (400, True, 400)


@pytest.mark.parametrize("name", SERVERS)
def test_headers_that_are_too_large_get_a_problem(attacked: Attacked, name: str) -> None:
    large = "X: " + "x" * 40_000
    request = (
        f"GET /ctx HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n{large}\r\nConnection: close\r\n\r\n"
    )
    status, head, body = _head_and_body(attacked.answered(name, request.encode()))
    assert (status, PROBLEM in head, body["status"]) == (431, True, 431)
