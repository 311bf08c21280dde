# SPDX-License-Identifier: GPL-3.0-or-later

"""A real HTTP server that stands for a language model, and answers as a test wants it to, or misbehaves."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Handler"], object]


class Handler(BaseHTTPRequestHandler):
    """Keeps what it is asked, and lets the next reply of its server answer; the last reply goes on answering."""

    server: ModelServer

    def do_POST(self) -> None:
        """Answer a question."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), json.loads(body)))
        replies = self.server.replies
        (replies.pop(0) if len(replies) > 1 else replies[0])(self)

    def log_message(self, *_args: Any) -> None:
        """Print nothing."""

    def send(self, body: bytes, code: int = 200, **headers: str) -> None:
        """Answer with this body."""
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class ModelServer(ThreadingHTTPServer):
    """What was asked, and what is answered."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.replies: list[Reply] = []
        self.ended = threading.Event()  # ends the replies that wait

    @property
    def url(self) -> str:
        """The base of its interface."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is no error."""


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """A server that runs in a thread of this process."""
    with ModelServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


def saying(content: str, tokens: Any = None) -> Reply:
    """A reply in the form of the interface, with this content."""
    answer = {"choices": [{"message": {"role": "assistant", "content": content}}]}
    usage = {} if tokens is None else {"usage": {"total_tokens": tokens}}
    return lambda handler: handler.send(json.dumps({**answer, **usage}).encode())


def sentences(*written: Any) -> str:
    """The content that is asked for; a sentence is its text and the ids that it cites."""
    return json.dumps({"sentences": [{"text": one[0], "ids": [*one[1:]]} for one in written]})


def raw(body: bytes, code: int = 200, **headers: str) -> Reply:
    """A reply with this body."""
    return lambda handler: handler.send(body, code, **headers)


def silent(handler: Handler) -> None:
    """Say nothing until the test is over."""
    handler.server.ended.wait(30)


def half(handler: Handler) -> None:
    """Promise more than what comes, and hang up."""
    handler.send(b'{"choices": [', Content_Length="1000")
    hang_up(handler)


def hang_up(handler: Handler) -> None:
    """Close the connection."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def dripping(handler: Handler) -> None:
    """Send a byte now and then, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.server.ended.wait(0.05):
        handler.wfile.write(b" ")


def dripping_headers(handler: Handler) -> None:
    """Send a header now and then, and never a body."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.ended.wait(0.05):
        handler.wfile.write(b"X-More: x\r\n")


def endless(handler: Handler) -> None:
    """Send as fast as somebody reads, for ever."""
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.ended.is_set():
        handler.wfile.write(b'{"choices": [' + b" " * 65536)
