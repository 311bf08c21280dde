# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that are made to hold up a server, or to get past what it checks, over real sockets.

The server runs with one of two HTTP parsers, by what is installed. So does this file.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import yaml

from ansible_collections.rack.recipes.tests.integration.server.network_client import ask, new_token
from ansible_collections.rack.recipes.tests.integration.server.server_process import (
    TIMEOUT,
    Answer,
    Server,
    UnixConnection,
    served,
)
from ansible_collections.rack.recipes.tests.integration.web.web_server import WebServer, web_server
from call_rack_recipes import COMMAND
from rack_recipes.run import server_address_and_pass
from rack_recipes.run.server_address_and_pass import pass_of

PARSERS = {"httptools": COMMAND, "h11": f"import sys; sys.modules['httptools'] = None; {COMMAND}"}
SERVERS = ("context", "pages")
ROOT = Path(__file__).resolve().parents[3]
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


ONE_PARSER = pytest.mark.parametrize("attacked", ["httptools"], indirect=True)
"""Of a test to which it is all the same how a request was read."""


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


# What a request that is let in can make of few bytes

KEY = "numbers.stats_v1"
DOORS = ("unix", "network", "body", "step")
DOUBLES = [{"op": "copy", "from": "", "path": f"/b{number}"} for number in range(40)]
BIG = [1] * 170_000  # 340 KB of JSON
DEEP = "/a" * 99
BOMBS: dict[str, tuple[Any, Any]] = {  # what the key holds, and the patch
    "each copy doubles": ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/a/-"}] * 40),
    "copies of the whole": ({}, DOUBLES),
    "copies beside each other": (
        {"a": BIG},
        [{"op": "copy", "from": "/a", "path": f"/c{number}"} for number in range(900)],
    ),
    "copies over each other": ({"a": BIG}, [{"op": "copy", "from": "/a", "path": "/b"}] * 1000),
    "copies of a text": ({"a": "x" * 340_000}, [{"op": "copy", "from": "/a", "path": "/b"}] * 1000),
    "copies into the depth": ({}, [{"op": "copy", "from": "", "path": "/a" * 2**number} for number in range(15)]),
    "tests that compare much": ({"a": [1] * 100_000}, [{"op": "test", "path": "/a", "value": [1] * 300}] * 900),
    "tests that all hold": ({"a": [1] * 300}, [{"op": "test", "path": "/a", "value": [1] * 300}] * 900 + DOUBLES),
    "a long way to each": (
        json.loads('{"a":' * 99 + "1" + "}" * 99),
        [{"op": "replace", "path": DEEP, "value": 1}] * 999 + [{"op": "test", "path": DEEP, "value": 2}],
    ),
    "moves to the front": (
        [1] * 100_000,
        [{"op": "move", "from": "/99999", "path": "/0"}] * 999 + [{"op": "test", "path": "/0", "value": 2}],
    ),
}
MOST_SECONDS = 10.0  # of CPU for one request, on a slow machine; without limits it would be minutes


def _cpu_seconds(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _patched(attacked: Attacked, door: str, patch: Any) -> Answer:
    """A patch that is sent on one of the ways to the server."""
    media = {"Content_Type": "application/json-patch+json"}
    if door == "network":
        return ask(attacked.server, "PATCH", f"/ctx/{KEY}", patch, attacked.token, **media)
    if door == "body":
        return attacked.server.ask("POST", "/ctx", {"key": KEY, "patch": patch})
    if door == "unix":
        return attacked.server.ask("PATCH", f"/ctx/{KEY}", patch, **media)
    place = server_address_and_pass.read_server_address(attacked.server.journal.parent)
    assert place
    connection = UnixConnection(place.path)
    try:
        return connection.ask("PATCH", f"/ctx/{KEY}", patch, Rack_Pass=pass_of(place.key_bytes, ""), **media)
    finally:
        connection.close()


@ONE_PARSER
@pytest.mark.repeats(one_in=3)
@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("door", DOORS)
def test_a_patch_that_makes_much_of_little_is_refused_at_once(attacked: Attacked, door: str, name: str) -> None:
    """What it would make is weighed before it is made. The key stays as it is, and others are served."""
    before, patch = BOMBS[name]
    held = attacked.server.ask("PUT", f"/ctx/{KEY}", before).data["version"]
    spent = _cpu_seconds(attacked.server.process.pid)
    answer = _patched(attacked, door, patch)
    spent = _cpu_seconds(attacked.server.process.pid) - spent
    assert (answer.status, answer.data["type"]) == (409, "urn:rack-recipes:problem:not-applicable")
    assert answer.data["detail"].startswith("operation ")
    assert spent < MOST_SECONDS
    assert attacked.server.ask("GET", f"/ctx/{KEY}").data["version"] == held


@ONE_PARSER
@pytest.mark.parametrize("operation", ["value", "merge"])
def test_a_value_that_is_too_large_and_deep_is_refused_at_once(attacked: Attacked, operation: str) -> None:
    value = "[" * 98 + ",".join("1" * 540_000) + "]" * 98
    connection, spent = attacked.server.connection(), _cpu_seconds(attacked.server.process.pid)
    connection.request("POST", "/ctx", f'{{"key":"{KEY}","{operation}":{value}}}', {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert (answer.status, b"a key can hold 1048576" in answer.read()) == (400, True)
    connection.close()
    assert _cpu_seconds(attacked.server.process.pid) - spent < MOST_SECONDS


@ONE_PARSER
def test_large_patches_that_wait_together_let_others_in_between(attacked: Attacked) -> None:
    """Many requests at once are not done in one go."""
    key = "numbers.large_v1"
    attacked.server.ask("PUT", f"/ctx/{key}", {"n": 0, "large": [1] * 150_000})
    with ThreadPoolExecutor(6) as pool:
        many = [pool.submit(attacked.server.ask, "POST", f"/ctx/{key}/increment", {"path": "/n"}) for _each in range(6)]
        done_at_answer = []
        for _each in range(3):
            assert attacked.server.ask("GET", "/").status == 200
            done_at_answer.append(sum(each.done() for each in many))
        assert {each.result().status for each in many} == {200}
    assert done_at_answer[0] < len(many)
    assert attacked.server.ask("GET", f"/ctx/{key}").data["version"] == 7


# What is written can be read


@ONE_PARSER
def test_a_key_is_as_long_where_it_is_written_as_where_it_is_read(attacked: Attacked) -> None:
    """One rule for the length of a key, at each door that writes."""
    longest, longer = "a" * 197 + "_v1", "a" * 198 + "_v1"
    server = attacked.server
    for operation, operand in (("value", 1), ("increment", {}), ("merge", 2), ("patch", [])):
        assert server.ask("POST", "/ctx", {"key": longest, operation: operand}).status == 200
        for key in (longer, "a" * 900_000 + "_v1"):
            refused = server.ask("POST", "/ctx", {"key": key, operation: operand})
            assert (refused.status, len(refused.text) < 1000) == (400, True)
    assert server.ask("GET", f"/ctx/{longest}").status == 200
    for method, target in (("PUT", f"/ctx/{longer}"), ("GET", f"/ctx/{longer}"), ("POST", f"/ctx/{longer}/increment")):
        assert server.ask(method, target, {}).status == 400
    for target, body in (("/locks/{}", {"owner": "a", "lease": 1}), ("/messages/{}", 1), ("/reservations/{}", {})):
        assert server.ask("POST", target.format("a" * 162), body).status == 400
    name = f"{'a' * 80}.{'b' * 80}"
    assert server.ask("POST", f"/messages/{name}", 1).status == 200
    assert server.ask("GET", f"/ctx/message.{name}_v1").data["value"] == 1


@ONE_PARSER
def test_a_wait_has_one_maximum(attacked: Attacked) -> None:
    """The description, the page and the server name the same seconds."""
    described = attacked.server.ask("GET", "/openapi.json").data["paths"]
    found = [
        (param["schema"]["maximum"], param["description"])
        for operations in described.values()
        for operation in operations.values()
        for param in operation["parameters"]
        if param["name"] == "wait"
    ]
    assert len(found) > 5
    ((most, _about),) = {(most, f"at most {most:g}" in about) for most, about in found}
    assert f"a wait {most:g} seconds" in ROOT.joinpath("docs/server.md").read_text()
    attacked.server.ask("PUT", "/ctx/there_v1", 1)
    assert attacked.server.ask("GET", f"/ctx/there_v1?wait={most:g}").status == 200
    refused = attacked.server.ask("GET", f"/ctx/there_v1?wait={most + 1:g}")
    assert (refused.status, f"at most {most:g}" in refused.data["detail"]) == (400, True)


# Requests that are sent again


def _again(attacked: Attacked, method: str, target: str, data: Any, repeated: str, **headers: str) -> tuple[int, Any]:
    answer = attacked.server.ask(method, target, data, Idempotency_Key=repeated, **headers)
    return answer.status, answer.data


@ONE_PARSER
def test_an_id_of_a_request_is_of_one_request(attacked: Attacked) -> None:
    """The same request gets the same answer as before. Another one with its id is refused, and changes nothing."""
    key, repeated = "numbers.again_v1", os.urandom(8).hex()
    status, first = _again(attacked, "PUT", f"/ctx/{key}", {"a": 1, "b": 2}, repeated)
    assert status == 200
    attacked.server.ask("PUT", f"/ctx/{key}", 5)
    assert _again(attacked, "PUT", f"/ctx/{key}", {"b": 2, "a": 1}, repeated) == (200, {**first, "repeated": True})
    media = {"Content_Type": "application/merge-patch+json"}
    others = [
        _again(attacked, "PUT", f"/ctx/{key}", {"a": 1, "b": 3}, repeated),
        _again(attacked, "PUT", f"/ctx/{key}?host=leaf1", {"a": 1, "b": 2}, repeated),
        _again(attacked, "PUT", f"/ctx/{key}?version=1", {"a": 1, "b": 2}, repeated),
        _again(attacked, "PUT", "/ctx/other_v1", {"a": 1, "b": 2}, repeated),
        _again(attacked, "PATCH", f"/ctx/{key}", {"a": 1, "b": 2}, repeated, **media),
        _again(attacked, "POST", f"/ctx/{key}/increment", {}, repeated),
        _again(attacked, "POST", "/ctx", {"key": key, "merge": {"a": 1, "b": 2}}, repeated),
        _again(attacked, "POST", "/messages/x", {"a": 1, "b": 2}, repeated),
        _again(attacked, "POST", "/messages/x/abort", {"reason": "x"}, repeated),
    ]
    kinds = {(status, told["type"].rpartition(":")[2]) for status, told in others}
    assert kinds == {(422, "another-request")}
    assert attacked.server.ask("GET", f"/ctx/{key}").data["version"] == 2
    assert attacked.server.ask("GET", "/ctx/other_v1").status == 404
    posted = {"key": key, "value": {"a": 1, "b": 2}}
    assert _again(attacked, "POST", "/ctx", posted, repeated)[0] == 200  # the same, in other words


@ONE_PARSER
def test_a_message_that_is_sent_again_may_wait_for_another_time(attacked: Attacked) -> None:
    """A barrier goes on where it broke off: what remains of the time is no other request."""
    repeated = os.urandom(8).hex()
    for wait in ("0.2", "0.1"):
        status, told = _again(attacked, "POST", f"/messages/y?host=leaf1&hosts=leaf2&wait={wait}", 1, repeated)
        assert (status, told["missing"]) == (404, ["leaf2"])
    assert _again(attacked, "POST", "/messages/y?host=leaf1", 2, repeated)[0] == 422
    assert attacked.server.ask("GET", "/messages/y").data["round"] == 1


@ONE_PARSER
def test_ids_of_two_clients_have_nothing_to_do_with_each_other(attacked: Attacked) -> None:
    repeated = os.urandom(8).hex()
    assert _again(attacked, "PUT", "/ctx/mine_v1", 1, repeated)[0] == 200
    other = ask(attacked.server, "PUT", "/ctx/yours_v1", 1, attacked.token, Idempotency_Key=repeated)
    assert (other.status, "repeated" in other.data) == (200, False)
