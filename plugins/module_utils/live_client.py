# SPDX-License-Identifier: GPL-3.0-or-later

"""The live bus, as a step on a host sees it: it reads, writes and waits while the step runs.

It speaks HTTP over a Unix socket, which the host's SSH connection forwards to the context server of the run. This file
imports nothing of ours, since it is sent beside `script_library/rack_live.py`, too. http.client is not used: importing
it takes longer than a call.

Every call has a timeout, in seconds. Writes have an id, so that one can be sent again after a lost connection.
"""

from __future__ import annotations

import json
import os
import socket
import time
from urllib.parse import quote
from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Callable

TIMEOUT = 60.0  # seconds for which a wait waits, if the step does not say
ANSWER = 10.0  # seconds within which the server answers what needs no waiting
PIECE = 15.0  # seconds of one request that waits: a dead link is noticed after that, since nothing else would tell
PAUSE = 0.2  # seconds between two tries to reach the server
LEASE = 60.0  # seconds of a lock or reservation
UNSET = {"version": 0, "value": None}  # what a key that is not set has
ALL = "*"  # all hosts of the run
EVERYTHING = "all"  # the name whose abort ends all waiting
ERROR, WAIT = "error", "wait"  # what a lost connection means
TICK = 0.02  # seconds between two tries of what is full; a wait that ends so early is not asked for again
CHUNK = 65536
FAILED = 400  # from this status on, an answer is a problem
LONGEST_REASON = 2000  # characters
NOTHING = object()
NOT_GIVEN = (
    "this step has no live bus: declare `live = True` in the scriptlet (`live: true` in its sidecar), and run it by a "
    "recipe with `rack-recipes run --serve`"
)
LOST = (
    "the context server cannot be reached: {}. The SSH connection of this host has ended, or the server has; "
    'with on_lost="wait" a call waits until it is back'
)


class LiveError(Exception):
    """A call of the live bus that was not answered as asked."""


class NoServer(LiveError):
    """There is no context server for this step; the text says what to do."""


class TimedOut(LiveError):
    """What was waited for did not happen in time."""


class Aborted(LiveError):
    """Another one who takes part has ended the waiting."""


class Lost(LiveError):
    """The connection to the server is lost."""


class Refused(LiveError):
    """The server refuses what was asked; `kind` is the kind of its problem.

    Where another version was in the way, `current` has the `version` and the `value` that the key has now.
    """

    def __init__(self, text: str, kind: str = "", current: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.current = current or {}


class Request:
    """What is asked of the server. `query` has parameters as texts; empty ones are left out. `body` is JSON data.

    With `waits` the server may take its time. `is_kept` is whether an id makes the request safe to repeat; a lock needs
    none, since its owner may ask again.
    """

    def __init__(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: object = NOTHING,
        waits: bool = False,  # noqa: FBT002
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.content = b"" if body is NOTHING else json.dumps(body, allow_nan=False).encode()
        self.waits = waits
        self.is_kept = bool(self.content) and not path.startswith(("/locks/", "/reservations/"))


class Wire:
    """The way to the server: connections that are kept, and what becomes of a lost one. It may be used by threads.

    `lost` is what is said where the server cannot be reached.
    """

    lost = LOST

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._idle: list[socket.socket] = []
        self._pid = os.getpid()

    def ask(self, request: Request, timeout: float, on_lost: str) -> dict[str, Any]:
        """Ask the server until it answers, or the time is up. Raises LiveError."""
        if on_lost not in (ERROR, WAIT):
            raise ValueError(f"on_lost: expected {ERROR!r} or {WAIT!r}, got {on_lost!r}")
        if not self._given.get("socket"):
            raise NoServer(self._given.get("error") or NOT_GIVEN)
        until, repeated = time.monotonic() + timeout, os.urandom(8).hex()
        while True:
            left = max(0.0, until - time.monotonic())
            try:
                kind, data = self._exchange(request, min(left, PIECE), repeated)
            except OSError as error:
                if on_lost == ERROR or time.monotonic() >= until:
                    raise Lost(self.lost.format(error.strerror or error)) from None
                time.sleep(min(PAUSE, max(0.0, until - time.monotonic())))
                continue
            if not kind:
                return data
            is_late = request.waits and kind in ("timeout", "locked")
            if not is_late or time.monotonic() >= until - TICK:
                raise _problem(kind, data, timeout)

    def close(self) -> None:
        """Close the connections that are kept."""
        while self._idle:
            self._idle.pop().close()

    def _exchange(self, request: Request, piece: float, repeated: str) -> tuple[str, dict[str, Any]]:
        """Send a request; returns the kind of the problem, empty for none, and the answer. Raises OSError."""
        query = {**request.query, "wait": f"{piece:.3f}"} if request.waits else request.query
        pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items() if value)
        head = [f"{request.method} {request.path}?{pairs} HTTP/1.1", "Host: ctx", *self.own_headers()]
        head += [f"Idempotency-Key: {repeated}"] if request.is_kept else []
        length = len(request.content)
        head += ["Content-Type: application/json", f"Content-Length: {length}"] if request.content else []
        data = "\r\n".join([*head, "", ""]).encode("latin-1") + request.content
        limit = ANSWER + (piece if request.waits else 0.0)
        if self._pid != os.getpid():  # a fork must not use the connections of its parent
            self._idle, self._pid = [], os.getpid()
        while self._idle:
            try:
                return self._over(self._idle.pop(), data, limit)
            except ConnectionError:  # the server has closed it meanwhile
                continue
        return self._over(self.connected(), data, limit)

    def own_headers(self) -> list[str]:
        """The lines of the head that say who asks."""
        return [f"Rack-Pass: {self._given['pass']}"]

    def connected(self) -> socket.socket:
        """A new connection. Raises OSError."""
        return connect_to_server(self._given["socket"])

    def _over(self, link: socket.socket, request: bytes, limit: float) -> tuple[str, dict[str, Any]]:
        try:
            link.settimeout(limit)
            link.sendall(request)
            status, body = _read(link)
            data = json.loads(body)
        except socket.timeout:
            link.close()
            raise OSError(f"no answer within {limit:g} s") from None
        except OSError:
            link.close()
            raise
        except ValueError as error:
            link.close()
            raise OSError(f"no answer in HTTP: {error}") from None
        self._idle.append(link)
        return "" if status < FAILED else str(data.get("type", status)).rpartition(":")[2], data


class Live:
    """The live bus of one step.

    `given` has the `socket` and the `pass` of the step, or an `error` that says why there is none; `host` (empty for a
    step of the run), `step` and `scope`. `hide` takes secrets out of a value under a key. `changed` is told each key
    that a call sets: key, scope, version, value.

    Every call has a `timeout` in seconds. With `on_lost="wait"` it waits that long for a lost connection to come back;
    otherwise it raises Lost at once.
    """

    def __init__(
        self,
        given: dict[str, Any],
        hide: Callable[[str, object], object] = lambda _key, value: value,
        changed: Callable[[str, str, int, object], None] = lambda *_change: None,
    ) -> None:
        self.host: str = given.get("host", "")
        self.step: str = given.get("step", "")
        self.scope: str = given.get("scope", "host")
        self._wire = Wire(given)
        self._hide = hide
        self._changed = changed

    def close(self) -> None:
        """Close the connections; the next call makes a new one."""
        self._wire.close()

    def get(
        self, key: str, default: object = None, host: str | None = None, timeout: float = ANSWER, on_lost: str = ERROR
    ) -> Any:
        """The value that a key has now: of this step's host (or of `host`), or else of the run, or else `default`."""
        places = dict.fromkeys((self.host if host is None else host, ""))
        for place in places:
            held = self._held(key, place, timeout, on_lost)
            if held["version"]:
                return held["value"]
        return default

    def set(
        self,
        key: str,
        value: object,
        scope: str | None = None,
        version: int | None = None,
        timeout: float = ANSWER,
        on_lost: str = ERROR,
    ) -> int:
        """Set a key of this host or, with `scope="run"`, of the run; returns its version.

        With `version` only if the key still has that one (0: it is not set), else Refused is raised.
        """
        query = self._place(scope, version)
        held = self._wire.ask(Request("PUT", f"/ctx/{_quoted(key)}", query, self._hide(key, value)), timeout, on_lost)
        return int(self._noted(key, query, held)["version"])

    def increment(
        self,
        key: str,
        by: float = 1,
        path: str = "",
        scope: str | None = None,
        timeout: float = ANSWER,
        on_lost: str = ERROR,
    ) -> Any:
        """Add to a number, also one inside of the value (`path`, a JSON pointer); returns the value of the key."""
        query, body = self._place(scope), {"by": by, "path": path}
        held = self._wire.ask(Request("POST", f"/ctx/{_quoted(key)}/increment", query, body), timeout, on_lost)
        return self._noted(key, query, held)["value"]

    def update(
        self,
        key: str,
        change: Callable[[Any], Any],
        scope: str | None = None,
        timeout: float = TIMEOUT,
        on_lost: str = ERROR,
    ) -> Any:
        """Set a key to what `change` makes of its value (None: it is not set); returns the new value.

        If another step was faster, `change` is called again, with the newer value. Then it is this step's turn: steps
        that were too late wait for each other by a lock, so that each of them gets on. Raises TimedOut.
        """
        end, place = time.monotonic() + timeout, self._place(scope)["host"]

        def attempt(held: dict[str, Any]) -> Any:
            value, left = change(held["value"]), max(0.0, end - time.monotonic())
            self.set(key, value, scope, held["version"], left, on_lost)
            return value

        try:
            return attempt(self._held(key, place, timeout, on_lost))
        except Refused as refused:
            _check_conflict(refused)
        turn = f"update.{crc32(f'{place} {key}'.encode()):08x}"
        with self.lock(turn, timeout=max(0.0, end - time.monotonic()), on_lost=on_lost):
            held = self._held(key, place, max(0.0, end - time.monotonic()), on_lost)
            while True:
                try:
                    return attempt(held)
                except Refused as refused:
                    held = _check_conflict(refused)

    def wait(
        self,
        name: str,
        host: str = "",
        until: Callable[[Any], object] | None = None,
        timeout: float = TIMEOUT,
        on_lost: str = ERROR,
    ) -> Any:
        """Wait for a message, of anyone or of `host`, or until a key is set; returns what was sent, or its value.

        A name that ends in `_v` and a number is a key: of `host`, or of the run. With `until` the wait for a key goes
        on until that function says yes to its value. Raises TimedOut, Aborted.
        """
        if not _is_key(name):
            query = {"hosts": host}
            found = self._wire.ask(Request("GET", f"/messages/{_quoted(name)}", query, waits=True), timeout, on_lost)
            return found["messages"][0]["value"]
        end, query = time.monotonic() + timeout, {"host": host}
        while True:
            left = max(0.0, end - time.monotonic())
            found = self._wire.ask(Request("GET", f"/ctx/{_quoted(name)}", query, waits=True), left, on_lost)
            if until is None or until(found["value"]):
                return found["value"]
            query["newer_than"] = str(found["version"])

    def send(self, name: str, value: object = None, timeout: float = ANSWER, on_lost: str = ERROR) -> int:
        """Send a message to all who wait for it, now or later; returns how often this host has sent it."""
        body = self._hide(f"message.{name}_v1", value)
        found = self._wire.ask(Request("POST", f"/messages/{_quoted(name)}", self._sender(), body), timeout, on_lost)
        return int(found["round"])

    def wait_all(
        self,
        name: str,
        hosts: Iterable[str] | str = ALL,
        newer_than: int = 0,
        timeout: float = TIMEOUT,
        on_lost: str = ERROR,
    ) -> dict[str, Any]:
        """Wait until all of these hosts have sent a message; returns what each sent.

        `hosts` are names; `@` and a group's name are its hosts, `*` are all hosts of the run. Raises TimedOut, which
        names those that are missing, and Aborted.
        """
        query = {"hosts": hosts if isinstance(hosts, str) else ",".join(hosts), "newer_than": str(newer_than)}
        found = self._wire.ask(Request("GET", f"/messages/{_quoted(name)}", query, waits=True), timeout, on_lost)
        return {message["host"]: message["value"] for message in found["messages"]}

    def sync(
        self,
        name: str,
        hosts: Iterable[str] | str = ALL,
        value: object = None,
        timeout: float = TIMEOUT,
        on_lost: str = ERROR,
    ) -> dict[str, Any]:
        """Meet at a barrier: send a message, and wait until all of these hosts have sent it as often."""
        end = time.monotonic() + timeout
        number = self.send(name, value, timeout, on_lost)
        return self.wait_all(name, hosts, number - 1, max(0.0, end - time.monotonic()), on_lost)

    def abort(self, reason: str, name: str = EVERYTHING, timeout: float = ANSWER, on_lost: str = ERROR) -> None:
        """End the waiting of all for a name, or for everything; who begins to wait later is told, too."""
        body = {"reason": " ".join(str(self._hide("", reason)).split())[:LONGEST_REASON]}
        self._wire.ask(Request("POST", f"/messages/{_quoted(name)}/abort", self._sender(), body), timeout, on_lost)

    def once(self, name: str, timeout: float = ANSWER, on_lost: str = ERROR) -> bool:
        """Whether this is the first call with this name in the run: of many steps one gets True."""
        request = Request("PUT", f"/ctx/{_quoted(f'once.{name}_v1')}", self._place("run", 0), self.host)
        try:
            self._wire.ask(request, timeout, on_lost)
        except Refused as refused:
            if refused.kind != "version-conflict":
                raise
            return False
        return True

    def lock(
        self, name: str, lease: float = LEASE, timeout: float = TIMEOUT, on_lost: str = ERROR, owner: str = ""
    ) -> Held:
        """Get a lock, and give it back at the end of a `with` block; without one it is free after the lease."""
        owner = owner or self._owner()
        request = Request("POST", f"/locks/{_quoted(name)}", {}, {"owner": owner, "lease": lease}, waits=True)
        return Held(self, name, owner, self._wire.ask(request, timeout, on_lost))

    def reserve(
        self, pool: str, tags: Iterable[str] = (), lease: float = LEASE, timeout: float = TIMEOUT, on_lost: str = ERROR
    ) -> Held:
        """Reserve a resource of a pool that has all these tags; it is given back at the end of a `with` block.

        The pool is the key POOL_v1 of the run. `name` is the resource, `about` what the pool says of it.
        """
        owner = self._owner()
        body = {"tags": [tags] if isinstance(tags, str) else [*tags], "owner": owner, "lease": lease}
        got = self._wire.ask(Request("POST", f"/reservations/{_quoted(pool)}", {}, body, waits=True), timeout, on_lost)
        return Held(self, f"{pool}.{got['name']}", owner, got)

    def free(self, name: str, owner: str) -> None:
        """Give a lock back; one whose lease was up is not held any more."""
        try:
            self._wire.ask(Request("DELETE", f"/locks/{_quoted(name)}", {"owner": owner}), ANSWER, ERROR)
        except Refused as refused:
            if refused.kind != "locked":
                raise

    def _held(self, key: str, place: str, timeout: float, on_lost: str) -> dict[str, Any]:
        """The `version` and the `value` that a key has now; UNSET for one that is not set."""
        try:
            return self._wire.ask(Request("GET", f"/ctx/{_quoted(key)}", {"host": place}), timeout, on_lost)
        except Refused as refused:
            if refused.kind != "not-found":
                raise
            return UNSET

    def _owner(self) -> str:
        return f"{self.step}@{self.host or 'run'} {os.urandom(4).hex()}"

    def _sender(self) -> dict[str, str]:
        return {"host": self.host, "step": self.step}

    def _place(self, scope: str | None, version: int | None = None) -> dict[str, str]:
        """The parameters of a write. Raises ValueError for a scope that the step cannot set."""
        scope = scope or self.scope
        if scope not in ("host", "run") or (scope == "host" and self.scope == "run"):
            raise ValueError(f"scope {scope!r}: a step of the {self.scope} cannot set it")
        based_on = "" if version is None else str(version)
        return {"host": self.host if scope == "host" else "", "step": self.step, "version": based_on}

    def _noted(self, key: str, query: dict[str, str], held: dict[str, Any]) -> dict[str, Any]:
        self._changed(key, "host" if query["host"] else "run", held["version"], held["value"])
        return held


class Held:
    """A lock or reservation that this step has. `fence` is higher each time that it changes hands."""

    def __init__(self, live: Live, lock: str, owner: str, got: dict[str, Any]) -> None:
        self._live = live
        self.lock = lock
        self.owner = owner
        self.name: str = got["name"]
        self.fence: int = got["fence"]
        self.about: dict[str, Any] = got.get("about", {})

    def free(self) -> None:
        """Give it back."""
        self._live.free(self.lock, self.owner)

    def __enter__(self) -> Held:  # noqa: PYI034 - Self is of Python 3.11
        return self

    def __exit__(self, *_error: object) -> None:
        self.free()


def connect_to_server(path: str) -> socket.socket:
    """A new connection; a listener whose queue is full says so, and is asked again. Raises OSError."""
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(ANSWER)
    until = time.monotonic() + ANSWER
    while True:
        try:
            link.connect(path)
        except OSError as error:
            if not isinstance(error, BlockingIOError) or time.monotonic() > until:
                link.close()
                raise
            time.sleep(TICK)
        else:
            return link


def _read(link: socket.socket) -> tuple[int, bytes]:
    """The status and the body of an answer with a Content-Length. Raises OSError, and ValueError for other text."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(link)
    head, _blank, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): text.strip() for name, _colon, text in (line.partition(":") for line in lines[1:])}
    length = int(headers.get("content-length", "no length"))
    parts, size = [body], len(body)
    while size < length:
        parts.append(_more(link))
        size += len(parts[-1])
    return int(lines[0].split(" ")[1]), b"".join(parts)


def _more(link: socket.socket) -> bytes:
    data = link.recv(CHUNK)
    if not data:
        raise ConnectionResetError("the connection was closed")
    return data


def _problem(kind: str, data: dict[str, Any], timeout: float) -> LiveError:
    """The exception for a problem of the server's. The time in its text is that of the last piece of the wait."""
    detail, advice = str(data.get("detail", "no reason given")), str(data.get("advice", ""))
    if kind == "timeout":
        missing = data.get("missing") or []
        who = f"; missing: {', '.join(map(str, missing[:10]))}" if missing else ""
        what = detail.partition(" within ")[0].partition(" got no version")[0]
        return TimedOut(f"not within {timeout:g} s: {what}{who}")
    if kind == "aborted":
        return Aborted(detail)
    return Refused(f"{detail} ({advice})" if advice else detail, kind, data.get("current"))


def _check_conflict(refused: Refused) -> dict[str, Any]:
    """What the key has now, if another version was in the way; else the exception is raised again."""
    if refused.kind != "version-conflict":
        raise refused
    return refused.current


def _is_key(name: str) -> bool:
    stem, mark, number = name.rpartition("_v")
    return bool(stem and mark and number.isdigit())


def _quoted(name: str) -> str:
    return quote(name, safe="")
