# SPDX-License-Identifier: GPL-3.0-or-later

"""The one client of web services, against a server whose every word the test says."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b""  # the server ends the connection without an answer


class Server:
    """Answers requests from a script: a list of answers for each connection, which is closed after them."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.seen: list[str] = []

    def play(self, *connections: Sequence[bytes]) -> None:
        threading.Thread(target=self._serve, args=(connections,), daemon=True).start()

    def _serve(self, connections: Sequence[Sequence[bytes]]) -> None:
        for answers in connections:
            with suppress(OSError), self._listening.accept()[0] as connected:
                for answer in answers:
                    asked = _request(connected)
                    self.seen += [asked.partition(" HTTP")[0]] if asked else []
                    connected.sendall(answer)

    def close(self) -> None:
        self._listening.close()


def _request(connected: socket.socket) -> str:
    """A whole request: who closes a connection with something unread resets it."""
    asked = connected.recv(65536)
    length = re.search(rb"(?i)content-length: (\d+)", asked)
    while length and len(asked.partition(b"\r\n\r\n")[2]) < int(length[1]):
        asked += connected.recv(65536)
    return asked.decode("latin-1")


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


@pytest.fixture
def module(scriptlet) -> Any:
    return scriptlet("tools.http_client")


@pytest.fixture
def client(module) -> Iterator[Callable[..., Any]]:
    """A function that makes a client, which is closed at the end."""
    with ExitStack() as stack:
        yield lambda url, seconds=5, **more: stack.enter_context(closing(module.HttpClient(url, seconds, **more)))


def moved(status: int, location: str) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def test_one_connection_serves_several_requests(module, client, server):
    server.play([OK, OK])
    asked = client(server.url)
    assert [asked.ask("GET", "/a").body, asked.ask("GET", "/b").body] == [b"ok", b"ok"]
    assert server.seen == ["GET /a", "GET /b"]


def test_what_only_reads_is_asked_again_on_a_connection_that_was_closed_meanwhile(module, client, server):
    server.play([OK], [OK])
    asked = client(server.url)
    assert [asked.ask("GET", "/a").status, asked.ask("GET", "/a").status] == [200, 200]
    assert server.seen == ["GET /a", "GET /a"]


def test_an_order_takes_a_connection_of_its_own(module, client, server):
    server.play([OK], [OK])
    asked = client(server.url)
    asked.ask("GET", "/a")
    assert asked.ask("POST", "/reset", b"{}").status == 200
    assert server.seen == ["GET /a", "POST /reset"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_an_order_without_an_answer_is_never_given_again(module, client, server, method):
    server.play([LAST], [OK])
    with pytest.raises(module.NoAnswerError) as error:
        client(server.url).ask(method, "/reset", b"{}")
    assert (error.value.kind, server.seen) == ("not_http", [f"{method} /reset"])


def test_the_api_of_a_device_gives_an_order_once(scriptlet, server):
    server.play([OK], [LAST], [OK])
    api = scriptlet("tools.http_api").HttpApi(server.url)
    api.get_text("/a")
    with pytest.raises(ValueError, match="could not be read: Remote end closed connection"):
        api.post("/reset", {})
    api.close()
    assert server.seen == ["GET /a", "POST /reset"]


@table("method", "status", "seen")
def test_redirections_are_followed_where_the_method_may_stay(module, client, server, method, status, seen):
    server.play(*([[moved(status, "/b"), OK]] if method == "GET" else [[moved(status, "/b")], [OK]]))
    answer = client(server.url).ask(method, "/a", follow=lambda location: location)
    assert (server.seen, answer.status) == (seen, 200 if len(seen) == 2 else status)


def test_a_circle_of_redirections_ends(module, client, server):
    server.play([moved(302, "/a")] * 9)
    with pytest.raises(module.NoAnswerError, match="moves /a too often"):
        client(server.url).ask("GET", "/a", follow=lambda location: location)
    assert len(server.seen) == module.MOST_MOVES


def test_without_follow_a_redirection_is_an_answer(module, client, server):
    server.play([moved(301, "http://elsewhere.invalid/")])
    answer = client(server.url).ask("GET", "/a")
    assert (answer.status, answer.location) == (301, "http://elsewhere.invalid/")


def test_an_answer_has_a_greatest_size(module, client, server):
    server.play([OK])
    with pytest.raises(module.NoAnswerError, match="more than 1 bytes") as error:
        client(server.url, most_bytes=1).ask("GET", "/")
    assert error.value.kind == "too_large"


def test_each_trouble_has_a_kind(module, client, server):
    with pytest.raises(module.NoAnswerError) as error:
        client("http://127.0.0.1:1").ask("GET", "/")
    assert error.value.kind == "refused"
    with pytest.raises(module.NoAnswerError) as error:
        client("http://no-such-host.invalid").ask("GET", "/")
    assert error.value.kind == "unknown"
    with pytest.raises(module.NoAnswerError) as error:
        client(server.url, 0.1).ask("GET", "/")  # it listens and says nothing
    assert error.value.kind == "silent"
    server.play([LAST], [b"220 mail ready\r\n"])  # the first one is still waiting
    with pytest.raises(module.NoAnswerError) as error:
        client(server.url.replace("http:", "https:"), context=module.trust(verify=False)).ask("GET", "/")
    assert error.value.kind == "no_tls"


@pytest.mark.parametrize("url", ["", "ftp://a", "http://", "http://a:b", "//a"])
def test_what_is_no_address(module, url):
    with pytest.raises(ValueError, match="url: expected http://HOST or https://HOST, got"):
        module.HttpClient(url, 5)


def test_a_certificate_that_is_none(module):
    with pytest.raises(ValueError, match="ca_file: expected the path or the text of a certificate"):
        module.trust(verify=True, ca="/no/such", name="ca_file")
