# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a context server that the parts of a group share, over its Unix socket or the network.

What the parts write there for each other, and the heartbeat that says that one is alive.

Each part has a place, `GROUP/1`, `GROUP/2` and so on, which stands where a key has its host:

| key | what it says |
| --- | --- |
| `group.member_v1` | the part that has taken this place: its hosts, and the lease by which it is taken for alive |
| `group.news_v1` | what this part has to tell the others; each version is news, in their order |
| `group.alive_v1` | written again and again while the controller of the part lives |
| `group.dead_v1` | who found out that it does not live any more: from then on, no part waits for it |
| `group.runner_v1` | at `GROUP/stage N`: the place of the part that runs this stage for all |

Locks of the recipe are locks of the server, with names that begin with `group_` and a digest of the group's id.

It ends with its parent, however that ends, or where it is told to.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from ansible_collections.rack.recipes.plugins.module_utils.live_client import (
    ANSWER,
    ERROR,
    LiveError,
    Refused,
    Request,
    TimedOut,
    Wire,
    connect_to_server,
)
from rack_recipes.errors import UsageError

if TYPE_CHECKING:
    import ssl

    from rack_recipes.settings import Settings
HTTPS, HTTP = "https", "http"
HERE = ("127.0.0.1", "::1", "localhost")
EXPECTED = (
    "expected the path of its socket, or https://HOST:PORT (http:// only for this machine, since everybody on the way "
    "could read the token)"
)


class ServerLink(Wire):
    """The way to the server at an address, with a token where there is one. Raises UsageError for no such address."""

    def __init__(self, address: str, token: str = "", authority: str = "") -> None:
        super().__init__({"socket": address})
        self.address = address
        self.lost = f"the context server {address.replace('{', '{{').replace('}', '}}')} cannot be reached: {{}}"
        self._token = token
        self._place, self._tls = place_of(address, authority)

    def own_headers(self) -> list[str]:
        """The lines of the head that say who asks."""
        return [f"Authorization: Bearer {self._token}"] if self._token else []

    def connected(self) -> socket.socket:
        """A new connection. Raises OSError."""
        if self._place is None:
            return connect_to_server(self.address)
        plain = socket.create_connection(self._place, ANSWER)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._tls.wrap_socket(plain, server_hostname=self._place[0]) if self._tls else plain

    def check(self) -> None:
        """Raise UsageError where no context server answers."""
        try:
            found = self.ask(Request("GET", "/", {}), ANSWER, ERROR)
        except LiveError as error:
            raise UsageError(f"--server: {error}") from error
        if found.get("state") != "open":
            raise UsageError(f"--server {self.address}: the run of this server is over: use one that is open")


def link_of(settings: Settings) -> ServerLink:
    """The way to the server of the settings. Raises UsageError."""
    return ServerLink(settings.server, settings.server_token, settings.server_ca)


def place_of(
    address: str, authority: str, option: str = "--server", of_authority: str = "server_ca"
) -> tuple[tuple[str, int] | None, ssl.SSLContext | None]:
    """Host and port of an address on the network, and TLS for it; None for a socket on this machine.

    `option` has the address, `of_authority` the file of who has signed its certificate. Raises UsageError.
    """
    if "://" not in address:
        return None, None
    scheme, host, port = _parsed(address)
    if not (host and port and (scheme == HTTPS or (scheme == HTTP and host in HERE))):
        raise UsageError(f"{option} {address}: {EXPECTED}")
    return (host, port), _tls(authority, of_authority) if scheme == HTTPS else None


def _parsed(address: str) -> tuple[str, str, int]:
    """The scheme, the host and the port of an address; empty and 0 where it has none."""
    try:
        url = urlsplit(address)
        return url.scheme, "" if url.path.strip("/") else url.hostname or "", url.port or 0
    except ValueError:
        return "", "", 0


def _tls(authority: str, option: str) -> ssl.SSLContext:
    import ssl  # a server on this machine does not need it

    try:
        return ssl.create_default_context(cafile=authority or None)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{option} {authority}: {error.strerror or error}") from error


MEMBER, NEWS, ALIVE, DEAD, RUNNER = (f"group.{name}_v1" for name in ("member", "news", "alive", "dead", "runner"))
MOST = 1000  # changes in one answer


class GroupKeys:
    """The keys of one group on its server. Every method raises LiveError where the server does not answer."""

    def __init__(self, link: ServerLink, group: str) -> None:
        self.link = link
        self._group = group

    def take(self, key: str, place: object, value: object) -> bool:
        """Set a key that nobody has set yet; whether this was the first. It is set once, whoever asks at once."""
        try:
            self._set(key, place, value, "0")
        except Refused as refused:
            if refused.kind != "version-conflict":
                raise
            return False
        return True

    def put(self, key: str, place: object, value: object) -> None:
        """Set a key, or its next version."""
        self._set(key, place, value, "")

    def _set(self, key: str, place: object, value: object, version: str) -> None:
        query = {"host": self._at(place), "version": version}
        self.link.ask(Request("PUT", f"/ctx/{quote(key)}", query, value), ANSWER, ERROR)

    def read(self, key: str, place: object) -> tuple[int, Any]:
        """The version and the value of a key; 0 and None where it is not set."""
        try:
            found = self.link.ask(Request("GET", f"/ctx/{quote(key)}", {"host": self._at(place)}), ANSWER, ERROR)
        except Refused as refused:
            if refused.kind != "not-found":
                raise
            return 0, None
        return int(found["version"]), found["value"]

    def news(self, place: object, known: int, wait: float) -> list[Any]:
        """The news of a part behind the version that is known; waits for some, in seconds."""
        query = {"host": self._at(place), "newer_than": str(known)}
        try:
            found = self.link.ask(Request("GET", f"/ctx/{quote(NEWS)}", query, waits=True), wait, ERROR)
        except TimedOut:
            return []
        newest = int(found["version"])
        return [found["value"]] if newest == known + 1 else self._between(query["host"], known, newest)

    def lock_name(self, name: str) -> str:
        """The name of a lock of this group on the server."""
        return f"group_{sha256(self._group.encode()).hexdigest()[:16]}.{name}"

    def lock(self, name: str, owner: str, lease: float) -> bool:
        """Take a lock for some seconds, or renew it; whether it was free."""
        try:
            self.link.ask(Request("POST", f"/locks/{name}", {}, {"owner": owner, "lease": lease}), ANSWER, ERROR)
        except Refused as refused:
            if refused.kind != "locked":
                raise
            return False
        return True

    def unlock(self, name: str, owner: str) -> None:
        """Give a lock back."""
        self.link.ask(Request("DELETE", f"/locks/{name}", {"owner": owner}), ANSWER, ERROR)

    def _between(self, host: str, known: int, newest: int) -> list[Any]:
        """The values of all versions from the one behind `known` to `newest`."""
        rows: dict[int, Mapping[str, Any]] = {}
        before = ""
        while len(rows) < newest - known:
            query = {"host": host, "limit": str(min(MOST, newest - known)), "before": before}
            page = self.link.ask(Request("GET", f"/ctx/{quote(NEWS)}/history", query), ANSWER, ERROR)["changes"]
            rows |= {row["version"]: row for row in page if known < row["version"] <= newest}
            before = str(page[0]["seq"])
        return [rows[version]["after"] for version in range(known + 1, newest + 1)]

    def _at(self, place: object) -> str:
        return f"{self._group}/{place}"


LOOK = 0.2  # seconds between two looks whether the parent is there


class Heartbeat:
    """Calls `tell` every `interval` seconds in a process of its own, and `lost` once where its parent has died."""

    def __init__(self, interval: float, tell: Callable[[], object], lost: Callable[[], object]) -> None:
        parent = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            _live(parent, interval, tell, lost)

    def end(self) -> None:
        """End it. Nothing is told any more."""
        pid, self._pid = self._pid, 0
        if pid:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                os.waitpid(pid, 0)


def _live(parent: int, interval: float, tell: Callable[[], object], lost: Callable[[], object]) -> None:
    try:
        _apart()
        next_at = time.monotonic() + interval
        while os.getppid() == parent:
            if time.monotonic() >= next_at:
                with suppress(LiveError):  # the server may be back at the next time
                    tell()
                next_at = time.monotonic() + interval
            time.sleep(LOOK)
        with suppress(LiveError):
            lost()
    finally:
        os._exit(0)


def _apart() -> None:
    """Take part in nothing that the parent does: its signals, its terminal, its open files."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
