# SPDX-License-Identifier: GPL-3.0-or-later

"""A real HTTP server that stands for NetBox, and answers with lists in small pages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Query = dict[str, list[str]]


class Handler(BaseHTTPRequestHandler):
    """Keeps what it is asked, and lets its server answer."""

    server: JsonServer

    def do_GET(self) -> None:
        """Answer a question."""
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        token = self.headers.get("Authorization", "")
        self.server.asked.append((parts.path, query, token))
        code, told, headers = self.server.answer(parts.path, query, token)
        content = b"<html>" if told is None else json.dumps(told).encode()
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: Any) -> None:
        """Print nothing."""


class JsonServer(ThreadingHTTPServer):
    """A server with pages of `page_size` entries at most; `asked` has path, query and token of each request."""

    page_size = 3

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[tuple[str, Query, str]] = []

    def answer(self, path: str, query: Query, token: str) -> tuple[int, Any, dict[str, str]]:
        """The code, what is told as JSON (None is none), and more headers."""
        raise NotImplementedError

    def page(self, entries: Sequence[Any], query: Query, following: str) -> dict[str, Any]:
        """The page that is asked for; `following` is the address of the next one but for its place."""
        start = int(query.get("offset", ["0"])[0])
        end = start + self.page_size
        more = f"{following}&limit={self.page_size}&offset={end}" if end < len(entries) else None
        return {"count": len(entries), "next": more, "results": entries[start:end]}


@contextmanager
def serving[Server: JsonServer](server: Server) -> Iterator[Server]:
    """Let a server answer in a thread of this process."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
