# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who looks at pages: who has signed in with a token, shows one with each request, or has a client certificate.

Which tokens and certificates count, and what they may, is decided where the context server decides it: `Identify`.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.server.access.caller import Caller
from ansible_collections.rack.recipes.plugins.plugin_utils.server.access.identify import BEARER
from ansible_collections.rack.recipes.plugins.plugin_utils.server.problems import Problem

COOKIE = "rack_recipes_session"
OF_TLS = "__Host-"  # browsers take such a cookie only with Secure, and from this host alone (RFC 6265bis, 4.1.3)
FIELD = "form_token"
MOST_SESSIONS = 1000
LEAVE = 43_200  # seconds: a session of a browser ends after half a day
AUTHORIZATION = b"authorization"


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
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    @property
    def cookie(self) -> str:
        """The name of the cookie."""
        return f"{OF_TLS}{COOKIE}" if self.secure else COOKIE

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
        session = secrets.token_urlsafe(24)
        self._open[session] = caller, self.clock() + LEAVE
        while len(self._open) > MOST_SESSIONS:
            self._open.pop(next(iter(self._open)))
        return self._header(session, LEAVE)

    def sign_out(self, scope: Any) -> str:
        """End the session of a request; returns the header that removes its cookie."""
        self._open.pop(self._session(scope), None)
        return self._header("", 0)

    def _header(self, value: str, seconds: int) -> str:
        secure = "; Secure" if self.secure else ""
        return f"{self.cookie}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"

    def _session(self, scope: Any) -> str:
        """The session of a request, empty for none. One that is too old, or whose token does not count, ends here."""
        cookies = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
        try:
            found = SimpleCookie(cookies).get(self.cookie)
        except CookieError:
            return ""
        if found is None or found.value not in self._open:
            return ""
        caller, until = self._open[found.value]
        if self.clock() < until and caller.is_valid():
            return found.value
        del self._open[found.value]
        return ""

    def _form_token(self, who: str) -> str:
        return hmac.digest(self._key, who.encode(), "sha256").hex()


def check_form(visitor: Visitor, form: Mapping[str, str], headers: Mapping[str, str]) -> None:
    """Raise Problem for a form that another site may have made the visitor's browser send."""
    is_ours = hmac.compare_digest(form.get(FIELD, "").encode(), visitor.form_token.encode())
    if visitor.form_token and not (is_ours and headers.get("sec-fetch-site", "same-origin") == "same-origin"):
        raise Problem(
            "not-allowed",
            "this form is not one that this server made for you, or it is from an earlier sign-in",
            "open the page again and send its form; programs show their token with Authorization: Bearer",
        )
