# SPDX-License-Identifier: GPL-3.0-or-later

"""Read pages as data without a browser: from the store here, or from a server of pages with a token's rights."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlencode

from rack_recipes.errors import RackError, StoreError, TrustError, UsageError
from rack_recipes.report.writers.json import harmless
from rack_recipes.run.context_server_client import place_of
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.problems import Problem
from rack_recipes.visible_text import cut, visible
from rack_recipes.web.page_model import Asked, NoSuchPageError, page_address
from rack_recipes.web.page_routes import GET, ROUTES, check_rights
from rack_recipes.web.page_source import PageSource

TIMEOUT = 60.0  # seconds that a server may take for a page
LARGEST = 2**26  # bytes of a page that are read
LONGEST = 2000  # characters of a refusal that are shown
REFUSED, NOT_KNOWN, NOT_ALLOWED, NOT_FOUND, FAULT = 400, 401, 403, 404, 500

Names = Mapping[str, str]
ReadPage = Callable[[str, Names, Names], dict[str, Any]]
"""A page as data, by its path in the table of pages, the names in that path, and its query. Raises RackError."""


def page_of_store(source: PageSource, caller: Caller, path: str, names: Names, query: Names) -> dict[str, Any]:
    """A page that is made here for this caller. Raises RackError for what is not there, or not for this caller."""
    route = next(one for one in ROUTES if one.path == path and one.method == GET)
    try:
        check_rights(route, source, names, caller)
        page = route.view(source, Asked(names, caller, query, as_data=True))
    except Problem as problem:
        raise TrustError(_sentence(problem.body())) from None
    data: dict[str, Any] = harmless(page.for_programs(caller.restriction))
    return data


@dataclass(frozen=True, slots=True)
class PageServer:
    """A server of pages, and a token for it."""

    address: str
    place: tuple[str, int]
    tls: ssl.SSLContext | None
    token: str = field(repr=False)

    def page(self, path: str, names: Names, query: Names) -> dict[str, Any]:
        """A page of the server. Raises TrustError where it refuses, UsageError for what is not there, StoreError."""
        parts = [names[part[1:-1]] if part.startswith("{") else part for part in path.strip("/").split("/")]
        address = page_address(*parts) + (f"?{urlencode(query)}" if query else "")
        status, text = self._answer(address)
        try:
            data = json.loads(text)
            if status < REFUSED:
                return dict(data)
            reason = _sentence(data)
        except (ValueError, KeyError, TypeError, AttributeError):
            reason = f"it is no server of pages: it answers with status {status}"
        raise _error_of(status)(f"{self.address}: {visible(cut(reason, LONGEST))}")

    def _answer(self, address: str) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        try:
            with closing(self._connection()) as connection:
                connection.request(GET, address, headers=headers)
                answer = connection.getresponse()
                text = answer.read(LARGEST + 1)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise StoreError(f"{self.address}: the server cannot be reached: {reason}") from None
        if len(text) > LARGEST:
            raise UsageError(f"{self.address}: this page has over {LARGEST:,} bytes: ask for less")
        return answer.status, text

    def _connection(self) -> HTTPConnection:
        if self.tls:
            return HTTPSConnection(*self.place, timeout=TIMEOUT, context=self.tls)
        return HTTPConnection(*self.place, timeout=TIMEOUT)


def page_server(address: str, token: str, authority: str = "") -> PageServer:
    """The server of pages at an address; `authority` is the file of who has signed its certificate.

    Raises UsageError.
    """
    place, tls = place_of(address, authority, "--server", "--ca")
    if place is None:
        raise UsageError(f"--server {address}: expected the address of a server of pages, as https://rack.lab:8321")
    return PageServer(address.rstrip("/"), place, tls, token)


def _sentence(problem: Mapping[str, object]) -> str:
    return "; ".join(filter(None, (str(problem["detail"]), str(problem.get("advice") or ""))))


def _error_of(status: int) -> type[RackError]:
    if status == NOT_FOUND:
        return NoSuchPageError
    if status in (NOT_KNOWN, NOT_ALLOWED):
        return TrustError
    return UsageError if status < FAULT else StoreError
