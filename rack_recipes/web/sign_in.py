# SPDX-License-Identifier: GPL-3.0-or-later

"""Who looks at pages: who has signed in with a token, shows one with each request, or has a client certificate.

Which tokens and certificates count, and what they may, is decided where the context server decides it: `Identify`.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rack_recipes.server.access.caller import Caller
from rack_recipes.server.access.identify import BEARER
from rack_recipes.server.problems import Problem

COOKIE = "rack_recipes_session"
OF_TLS = "__Host-"  # browsers take such a cookie only with Secure, and from this host alone (RFC 6265bis, 4.1.3)
FIELD = "form_token"
MOST_SESSIONS = 1000  # of one token: nobody signs out those with another one
LEAVE = 43_200  # seconds: a session of a browser ends after half a day
AUTHORIZATION = b"authorization"
BEFORE = "before "  # the sign-in: its form token is that of no session
PORT = re.compile(r":(\d{1,5})$")
VALUE = re.compile(r"[\w-]{1,64}", re.ASCII)  # of a cookie of ours
OWN, TYPED = "same-origin", "none"  # what browsers say of the site that a request comes from


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sends a request.

    `form_token` is what their forms have to bring along. It is empty for a program that shows its token with each
    request: no page elsewhere can have a browser do that. `is_signed_in` tells whether a session stands for the token.
    """

    caller: Caller
    form_token: str = ""
    is_signed_in: bool = False


@dataclass
class Sessions:
    """The browsers that have signed in. With `secure` they get a cookie for TLS alone. `clock` tells the seconds."""

    identify: Callable[[Any], Caller]
    secure: bool = False
    clock: Callable[[], float] = time.monotonic
    _open: dict[str, tuple[Caller, float]] = field(default_factory=dict)
    _of: dict[str, dict[str, None]] = field(default_factory=dict)  # by the name of the token, the oldest first
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def cookie(self, scope: object) -> str:
        """The name of the cookie. Ports of one host share their cookies, so it has the port that the browser knows."""
        port = PORT.search(_header_of(scope, b"host"))
        return f"{OF_TLS if self.secure else ''}{COOKIE}{f'_{port[1]}' if port else ''}"

    def visitor(self, scope: Any) -> Visitor:
        """Who sends a request: what it shows itself counts before the cookie. Raises Problem for a stranger."""
        if any(name == AUTHORIZATION for name, _value in scope["headers"]):
            return Visitor(self.identify(scope))
        session = self._session(scope)
        if session:
            return Visitor(self._open[session][0], self._form_token(session), is_signed_in=True)
        caller = self.identify(scope)
        return Visitor(caller, self._form_token(caller.name))

    def sign_in(self, scope: Any, token: str) -> str:
        """The header with the cookie of a new session. Raises Problem for a token that is not valid."""
        shown = f"{BEARER}{token.strip()}".encode("latin-1", "replace")
        caller = self.identify({"client": scope["client"], "headers": [(AUTHORIZATION, shown)]})
        self.sign_out(scope)
        session = secrets.token_urlsafe(24)
        self._open[session] = caller, self.clock() + LEAVE
        own = self._of.setdefault(caller.name, {})
        own[session] = None
        if len(own) > MOST_SESSIONS:
            self._end(next(iter(own)))
        return self._header(scope, session, LEAVE)

    def sign_out(self, scope: object) -> str:
        """End the session of a request; returns the header that removes its cookie."""
        if session := self._session(scope):
            self._end(session)
        return self._header(scope, "", 0)

    def first_form(self, scope: object) -> tuple[str, str]:
        """What the form of the sign-in brings along, and the header with the cookie that it belongs to.

        The cookie is that of the session to come. It is kept where the browser has one, since all tabs share it.
        """
        known = next(self._values(scope), "") or secrets.token_urlsafe(24)
        return self._form_token(f"{BEFORE}{known}"), self._header(scope, known, LEAVE)

    def check_sign_in(self, scope: object, form: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Raise Problem for a sign-in that another site may have made the browser send."""
        known = next(self._values(scope), "")
        if not (known and _is_ours(self._form_token(f"{BEFORE}{known}"), form, headers)):
            raise _not_ours()

    def _end(self, session: str) -> None:
        caller, _until = self._open.pop(session)
        self._of[caller.name].pop(session, None)
        if not self._of[caller.name]:
            del self._of[caller.name]

    def _header(self, scope: object, value: str, seconds: int) -> str:
        secure = "; Secure" if self.secure else ""
        return f"{self.cookie(scope)}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"

    def _values(self, scope: object) -> Iterator[str]:
        """The values of our cookie. Those of other servers on this host may be anything, so they are not looked at."""
        pairs = (part.strip().partition("=") for part in _header_of(scope, b"cookie").split(";"))
        name = self.cookie(scope)
        return (value for found, _equals, value in pairs if found == name and VALUE.fullmatch(value))

    def _session(self, scope: object) -> str:
        """The session of a request, empty for none. One that is too old, or whose token does not count, ends here."""
        session = next((value for value in self._values(scope) if value in self._open), "")
        if not session:
            return ""
        caller, until = self._open[session]
        if self.clock() < until and caller.is_valid():
            return session
        self._end(session)
        return ""

    def _form_token(self, who: str) -> str:
        return hmac.digest(self._key, who.encode(), "sha256").hex()


def check_form(visitor: Visitor, form: Mapping[str, str], headers: Mapping[str, str]) -> None:
    """Raise Problem for a form that another site may have made the visitor's browser send."""
    if visitor.form_token and not _is_ours(visitor.form_token, form, headers):
        raise _not_ours()


def _is_ours(form_token: str, form: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    """Whether a form has what it has to bring along, and comes from a page of this server.

    Pages send no address with their forms (`no-referrer`), so the browser calls their origin `null`.
    """
    brought = hmac.compare_digest(form.get(FIELD, "").encode(), form_token.encode())
    origin = headers.get("origin", "null")
    host = origin.partition("://")[2]
    is_here = origin == "null" or host == headers.get("host", "")
    return brought and (headers["sec-fetch-site"] == OWN if "sec-fetch-site" in headers else is_here)


def _not_ours() -> Problem:
    return Problem(
        "not-allowed",
        "this form is not one that this server made for you, or it is from an earlier sign-in",
        "open the page again and send its form; programs show their token with Authorization: Bearer",
    )


def _header_of(scope: Any, name: bytes) -> str:
    return "; ".join(value.decode("latin-1") for found, value in scope["headers"] if found == name)
