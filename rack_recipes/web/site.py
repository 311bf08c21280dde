# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages over HTTP.

An ASGI application that finds the page of an address and answers with HTML or JSON, and the process that serves it.

Every answer has a policy that lets a browser load nothing from elsewhere and run no script but ours.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlencode

from starlette.responses import Response, StreamingResponse

from rack_recipes.errors import JournalError, RackError, StoreError, TrustError, UsageError
from rack_recipes.report.writers.json import value_of
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.access.identify import Identify
from rack_recipes.server.http.read_request import GoneError, Incoming
from rack_recipes.server.network.clients import Limits, Turnstile, address_too_long, with_room
from rack_recipes.server.network.guarded_protocol import guarded_protocol
from rack_recipes.server.network.guarded_server import Listener, count_request, guarded_server, uvicorn_config
from rack_recipes.server.problems import KINDS, Problem
from rack_recipes.visible_text import visible
from rack_recipes.web import frame
from rack_recipes.web.actions import receive_pack
from rack_recipes.web.actions.action_log import log_path, log_refusals
from rack_recipes.web.page_model import Asked, FormError, NoSuchPageError, Page
from rack_recipes.web.page_routes import GET, POST, ROUTES, PageRoute, check_rights
from rack_recipes.web.page_source import LiveRun, PageSource
from rack_recipes.web.sign_in import OWN, TYPED, Sessions, Visitor, check_form
from rack_recipes.web.views.attachments import pieces_of

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import Receive, Scope, Send
HTML, PLAIN = "text/html; charset=utf-8", "text/plain; charset=utf-8"
JSON, PROBLEM = "application/json", "application/problem+json"
EVENTS, FORM = "text/event-stream", "application/x-www-form-urlencoded"
PAUSE = 0.5  # seconds between two looks at a journal
SILENCE = 15.0  # seconds after which a comment shows that the connection lives
LONGEST_ADDRESS = 4096
LONGEST_FORM = 65_536  # bytes
MOST_FIELDS = 300
SIGN_IN, SIGN_OUT, FIRST = "/sign-in", "/sign-out", "/runs"
NO_STORE = {"cache-control": "no-store"}
HERE = re.compile(r"/(?![/\\])[!-~]*")  # an address on this server: browsers take // and /\\ for another one
NOT_OURS = "This form is not one that this server made for this browser, or it is an old one: fill it in once more."
NOT_VALID = "This token is not valid here. `rack-recipes token list` on the server tells which are."
SAFE = {
    "content-security-policy": frame.POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
OF_ERRORS: Mapping[type[Exception], str] = {
    NoSuchPageError: "not-found",
    TrustError: "not-allowed",
    JournalError: "cannot-write",
    UsageError: "not-found",
    StoreError: "cannot-read",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its method (HEAD counts as GET), path, the names in it, its headers, and whether it wants data."""

    method: str
    path: str
    names: list[str]
    headers: Mapping[str, str]
    query: str
    as_data: bool

    @property
    def address(self) -> str:
        """The path with the query."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(eq=False)
class Site:
    """The application.

    `count` raises Problem for a request that is one too many. `hosts` are the names that a browser may call this server
    by: others may be a trick (DNS rebinding). It is None with TLS, where the certificate says which name counts.
    """

    source: PageSource
    sessions: Sessions
    count: Callable[[Scope], None]
    hosts: frozenset[str] | None = None
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    one_by_one: Executor = field(default_factory=lambda: ThreadPoolExecutor(1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        with suppress(GoneError):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, incoming = _request(scope), Incoming(scope, receive)
        visitor: Visitor | None = None
        try:
            self.count(scope)
            response = self._refused(scope, request) or await self._open_to_all(scope, request, incoming)
            if response is None:
                visitor = self.sessions.visitor(scope)
                response = await self._visited(scope, request, visitor, incoming)
        except GoneError:
            raise
        except Exception as error:  # whatever it is, the visitor gets an answer
            response = self._problem_page(error, request, visitor)
            await incoming.discard()
        if scope["method"] == "HEAD":
            response.body = b""
        await response(scope, receive, send)

    def _refused(self, scope: Scope, request: Request) -> Response | None:
        """What refuses a request before anything is read for it; None for one that is answered. Raises Problem."""
        called = request.headers.get("host", "")
        name = called.rpartition(":")[0] or called
        if self.hosts is not None and name not in self.hosts:
            told = f"this server is not called {name[:80]!r}; it answers as {', '.join(sorted(self.hosts))}"
            return _response(421, f"{visible(told)}\n", PLAIN)
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
            raise address_too_long(LONGEST_ADDRESS)
        return None

    async def _open_to_all(self, scope: Scope, request: Request, incoming: Incoming) -> Response | None:
        """What needs no token: files of pages, and the form for one."""
        if request.names[:1] == ["static"]:
            _check_method(request, [GET])
            return _file(request.names[1:])
        if request.path == SIGN_IN:
            _check_method(request, [GET, POST])
            return await self._sign_in(scope, request, incoming)
        return None

    async def _sign_in(self, scope: Scope, request: Request, incoming: Incoming) -> Response:
        if request.method == GET:
            return self._sign_in_page(scope, request, "", dict(parse_qsl(request.query)).get("to", ""), 200)
        form = await _form_of(request, incoming)
        to = form.get("to", "")
        wrong = NOT_OURS
        try:
            self.sessions.check_sign_in(scope, form, request.headers)
            wrong = NOT_VALID
            cookie = self.sessions.sign_in(scope, form.get("token", ""))
        except Problem as problem:
            return self._sign_in_page(scope, request, wrong, to, problem.status)
        return _moved(to if HERE.fullmatch(to) else FIRST, {"set-cookie": cookie})

    def _sign_in_page(self, scope: Scope, request: Request, wrong: str, to: str, status: int) -> Response:
        """The form for a token. Where a link of another site leads here, the reader has to press its button."""
        form_token, cookie = self.sessions.first_form(scope)
        is_own = request.headers.get("sec-fetch-site") in (OWN, TYPED)
        told = {"wrong": wrong, "to": to if HERE.fullmatch(to) else "", "form_token": form_token, "is_own": is_own}
        html = frame.render(Page("Sign in", "sign_in.html.j2", told=told), SIGN_IN)
        return _response(status, html, headers={"set-cookie": cookie, **NO_STORE})

    async def _visited(self, scope: Scope, request: Request, visitor: Visitor, incoming: Incoming) -> Response:
        """The answer to one who is known."""
        if request.path == "/":
            return _moved(FIRST)
        if route := _taking(request):
            return await self._uploaded(route, request, visitor, incoming)
        form: Mapping[str, str] = {}
        if request.method == POST:
            form = await _form_of(request, incoming)
            check_form(visitor, form, request.headers)
            visitor.caller.check_valid()
        if request.path == SIGN_OUT:
            _check_method(request, [POST])
            return _moved(SIGN_IN, {"set-cookie": self.sessions.sign_out(scope)})
        return await asyncio.get_running_loop().run_in_executor(None, self._page, request, visitor, form)

    async def _uploaded(self, route: PageRoute, request: Request, visitor: Visitor, incoming: Incoming) -> Response:
        """The answer to a request whose body is a file, which only a program with a token can send.

        Files are received beside each other, and done one after the other.
        """
        check_rights(route, self.source, {}, visitor.caller)
        with ExitStack() as kept:
            with log_refusals(log_path(self.source.runs), visitor.caller, route.action, {}):
                check_form(visitor, {}, request.headers)
                visitor.caller.check_valid()
                most = route.takes(self.source, request.headers) if route.takes else 0
                file = kept.enter_context(receive_pack.receiving(self.source))
                await _receive_file(incoming, file, most)
            asked = Asked({}, visitor.caller, as_data=True, body=file)
            page = await asyncio.get_running_loop().run_in_executor(self.one_by_one, route.view, self.source, asked)
        return _data(page, visitor.caller, page.http_status)

    def _page(self, request: Request, visitor: Visitor, form: Mapping[str, str]) -> Response:
        route, names = _route(request)
        try:
            query = dict(parse_qsl(request.query, errors="strict", max_num_fields=30))
        except ValueError:
            raise Problem("bad-request", "the query cannot be read", "encode it as UTF-8 and percent") from None
        check_rights(route, self.source, names, visitor.caller)
        asked = Asked(names, visitor.caller, query, form, as_data=request.as_data)
        try:
            page = route.view(self.source, asked)
        except FormError as error:
            page = self._again(route, asked, error)
        except UsageError as error:
            if route.method == GET:
                raise
            page = self._again(route, asked, FormError({"": str(error)}))
        if page.follow:
            pieces = self._pieces(page.follow, visitor.caller)
            return StreamingResponse(pieces, headers={**SAFE, **NO_STORE, "content-type": EVENTS})
        return _page_response(page, request, query, visitor)

    def _again(self, route: PageRoute, asked: Asked, error: FormError) -> Page:
        """The page of a form that cannot be done as it was filled in, with what is wrong beside its fields."""
        if asked.as_data or route.again is None:
            detail = "; ".join(f"{name}: {text}" if name else text for name, text in error.errors.items())
            raise Problem("bad-request", detail, "correct these fields and send them again",
                          {"errors": dict(error.errors)})  # fmt: skip
        return replace(route.again(self.source, replace(asked, errors=error.errors)), http_status=400)

    async def _pieces(self, live: LiveRun, caller: Caller) -> AsyncIterator[bytes]:
        """What a run is at whenever it has changed.

        It ends with the run, with this server, and when the token of its reader does not count any more.
        """
        loop, last, silent = asyncio.get_running_loop(), b"", 0.0
        yield b"retry: 1000\n\n"
        while not self.ending.is_set() and caller.is_valid():
            told = await loop.run_in_executor(None, live.told)
            if self.source.live(live.run_id) is None:
                yield b"event: end\ndata: {}\n\n"
                return
            text = _json({name: part for name, part in told.items() if name != "line"})
            if text != last:
                yield b"event: progress\ndata: " + _json(told) + b"\n\n"
                last, silent = text, 0.0
            elif silent >= SILENCE:
                yield b": no change\n\n"
                silent = 0.0
            silent += PAUSE
            try:
                await asyncio.wait_for(self.ending.wait(), PAUSE)
            except TimeoutError:
                continue

    def _problem_page(self, error: Exception, request: Request, visitor: Visitor | None) -> Response:
        problem = _problem_of(error)
        headers = {**problem.headers}
        if request.method == POST:  # its body may not have been read: nobody may take it for a request
            headers["connection"] = "close"
        if request.as_data or problem.kind == "address-too-long":  # as where no request was read, for want of its end
            return _response(problem.status, _json(problem.body()), PROBLEM, headers)
        if problem.kind == "not-known" and _is_browser(request):
            to = request.address if request.method == GET and request.path != "/" else ""
            return _moved(f"{SIGN_IN}?{urlencode({'to': to})}" if to else SIGN_IN, headers)
        told = {"problem": {**problem.body(), "detail": visible(problem.detail)}}
        page = Page(KINDS[problem.kind].title, "problem.html.j2", told=told)
        return _response(problem.status, frame.render(page, request.path, visitor), headers={**headers, **NO_STORE})


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, RackError):
        kind = next((kind for kinds, kind in OF_ERRORS.items() if isinstance(error, kinds)), "internal")
        return Problem(kind, str(error), "")
    sys.stderr.write("".join(traceback.format_exception(error)))
    return Problem("internal", "this page met a fault of the server", "report what it logged")


def _response(status: int, body: str | bytes, kind: str = HTML, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with the policy; a report brings one of its own."""
    content = body.encode("utf-8", "replace") if isinstance(body, str) else body
    return Response(content, status, {**SAFE, "content-type": kind, **(headers or {})})


def _page_response(page: Page, request: Request, query: Mapping[str, str], visitor: Visitor) -> Response:
    """The answer that a page is."""
    if page.file:
        headers = {**SAFE, **NO_STORE, "content-type": page.kind, **dict(page.headers)}
        return StreamingResponse(pieces_of(page.file), headers=headers)
    if page.kind:
        return _response(200, page.body, page.kind, {**NO_STORE, **dict(page.headers)})
    if request.as_data:
        return _data(page, visitor.caller)
    if page.moved_to:
        return _moved(page.moved_to)
    address = f"{request.path}?{urlencode(query)}" if query else request.path
    return _response(page.http_status, frame.render(page, address, visitor), headers=NO_STORE)


def _data(page: Page, caller: Caller, status: int = 200) -> Response:
    return _response(status, _json(value_of(page.for_programs(caller.restriction), "text")), JSON, NO_STORE)


def _request(scope: Scope) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path, names = _split(scope)
    method = GET if scope["method"] == "HEAD" else scope["method"]
    return Request(method, path, names, headers, scope["query_string"].decode("latin-1"), _wants_data(scope, headers))


async def _form_of(request: Request, incoming: Incoming) -> dict[str, str]:
    """The fields of a form. Raises Problem for a body that is none, or too large, and GoneError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise Problem("wrong-media-type", f"a form is {FORM}, this is {kind[:80] or 'without a type'}", "send a form")
    body = b""
    while incoming.has_more:
        body += (await incoming()).get("body", b"")
        if len(body) > LONGEST_FORM:
            raise Problem("too-large", f"a form may have {LONGEST_FORM} bytes", "send less")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Problem("bad-request", "the form cannot be read", "encode it as UTF-8 and percent") from None
    return dict(pairs)


async def _receive_file(incoming: Incoming, file: IO[bytes], most: int) -> None:
    """Write the body of a request into a file. Raises Problem for one that is too large, and GoneError."""
    loop, size = asyncio.get_running_loop(), 0
    while incoming.has_more:
        piece = (await incoming()).get("body", b"")
        size += len(piece)
        if size > most:
            raise receive_pack.too_large(most)
        await loop.run_in_executor(None, file.write, piece)


def _taking(request: Request) -> PageRoute | None:
    """The route of a request that has a file as its body."""
    return next(
        (one for one in ROUTES if one.takes and one.method == request.method and one.names_in(request.names) == {}),
        None,
    )


def _check_method(request: Request, allowed: list[str]) -> None:
    if request.method not in allowed:
        names = ", ".join(dict.fromkeys([*allowed, *(["HEAD"] if GET in allowed else [])]))
        detail = f"{request.path[:200]} has no {request.method[:20]}"
        raise Problem("no-such-method", detail, f"there are {names}", headers={"allow": names})


def _moved(to: str, headers: Mapping[str, str] | None = None) -> Response:
    return _response(303, b"", headers={"location": to, **(headers or {}), **NO_STORE})


def _split(scope: Scope) -> tuple[str, list[str]]:
    """The path, and the names in it; a name may have a / that is escaped."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1").partition("?")[0]
    return path, [unquote(part) for part in path.strip("/").split("/")] if path != "/" else []


def _route(request: Request) -> tuple[PageRoute, dict[str, str]]:
    """The route of a request, and the names in its address. Raises NoSuchPageError, Problem for another method."""
    found = [(route, parts) for route in ROUTES if (parts := route.names_in(request.names)) is not None]
    if not found:
        raise NoSuchPageError(f"there is no page /{'/'.join(request.names)[:200]}")
    _check_method(request, [route.method for route, _parts in found])
    return next((route, parts) for route, parts in found if route.method == request.method)


def _wants_data(scope: Scope, headers: Mapping[str, str]) -> bool:
    is_named = b"format=json" in scope["query_string"].split(b"&")
    return is_named or headers.get("accept", "").startswith(JSON)


def _is_browser(request: Request) -> bool:
    """Whether the sender can use a form: browsers say that they take HTML, Prometheus and other programs do not."""
    accepted = request.headers.get("accept", "*/*")
    return "text/html" in accepted or accepted == "*/*"


def _file(names: list[str]) -> Response:
    found = frame.files().get(names[0]) if len(names) == 1 else None
    if found is None:
        raise NoSuchPageError(f"there is no file /static/{'/'.join(names)[:200]}")
    return _response(200, found[1], found[0], {"cache-control": "private, max-age=86400"})


def _json(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=True, default=str).encode()


DEFAULT = "127.0.0.1:8321"
NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def is_own_address(listener: Listener) -> bool:
    """Whether only this machine can reach it."""
    address = str(listener.socket.getsockname()[0]).partition("%")[0]
    return ipaddress.ip_address(address).is_loopback


def names_of(listener: Listener) -> frozenset[str] | None:
    """The names that a browser may call it by; None with TLS, where the certificate says which name counts."""
    named = listener.url.partition("://")[2].rpartition(":")[0]
    return None if listener.tls else NAMES | {named}


def serve(
    source: PageSource, listener: Listener, identify: Identify, limits: Limits, ready: Callable[[], None]
) -> None:
    """Serve pages until SIGTERM or SIGINT. `ready` is called once requests are answered."""
    turnstile = Turnstile(with_room(limits), time.monotonic)
    sessions = Sessions(identify, secure=listener.tls is not None)
    site = Site(source, sessions, partial(count_request, turnstile=turnstile), names_of(listener))

    async def started(_server: uvicorn.Server) -> None:
        ready()

    config = uvicorn_config(site, http=guarded_protocol(turnstile))
    guarded_server(config, [listener], turnstile, started, site.ending.set).run([])
