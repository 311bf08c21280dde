# SPDX-License-Identifier: GPL-3.0-or-later

"""A real `rack-recipes serve --web` in a process of its own, and HTTP to it."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from call_rack_recipes import COMMAND, environment

TIMEOUT = 120  # seconds: the machine may be busy


class Answer(NamedTuple):
    """The answer to a request."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def data(self) -> Any:
        """Its JSON data."""
        return json.loads(self.text)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_words: Any) -> None:
        return None


class WebServer:
    """Pages of the project in a folder. `tls` is how programs here speak TLS with it, where it does.

    `program` is the Python program that starts it.
    """

    def __init__(self, folder: Path, *options: str, tls: ssl.SSLContext | None = None, program: str = COMMAND) -> None:
        self.folder, self.tls = folder, tls
        words = [sys.executable, "-c", program, "serve", "--web", "--listen", "127.0.0.1:0", "--json", *options]
        with (folder / "web.log").open("ab") as log:
            self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, env=environment(), cwd=folder)
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, (folder / "web.log").read_text()
        self.ready: dict[str, Any] = json.loads(line)
        self.url, self.token = self.ready["url"], self.ready.get("token", "")

    def send(self, place: str, form: Mapping[str, str], **headers: str) -> Answer:
        """Send a form with the token."""
        kind = "application/x-www-form-urlencoded"
        return self.ask(place, "POST", urlencode(form).encode(), **{"Content_Type": kind, **headers})

    def ask(self, place: str, method: str = "GET", data: bytes | None = None, **headers: str) -> Answer:
        """One request with the token; in names of headers `_` stands for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        shown = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        asked = urllib.request.Request(self.url + place, data, {**shown, **given}, method=method)
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=self.tls))
        try:
            with opener.open(asked, timeout=TIMEOUT) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read().decode())

    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "web.log").read_text()

    def stop(self) -> int:
        """End it in good order; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(TIMEOUT)
        assert self.process.stdout
        self.process.stdout.close()
        return code


@contextmanager
def web_server(
    folder: Path, *options: str, tls: ssl.SSLContext | None = None, program: str = COMMAND
) -> Iterator[WebServer]:
    """A server during the block; nothing is left of it, and it has logged no fault."""
    server = WebServer(folder, *options, tls=tls, program=program)
    try:
        yield server
    finally:
        code = server.stop()
    assert (code, server.log()) == (0, "")
