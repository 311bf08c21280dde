# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may look at pages: whoever shows the token of this server, once; a cookie stands for it afterwards."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

COOKIE = "rack_recipes_session"
LONGEST_FORM = 4096  # bytes
MOST_SESSIONS = 1000
LEAVE = 43_200  # seconds: a session of a browser ends after half a day


@dataclass
class Sessions:
    """The token of this server, which its start line shows, and the browsers that have shown it."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    _open: dict[str, None] = field(default_factory=dict)

    def sign_in(self, form: bytes) -> str:
        """The header with the cookie of a new session; "" where the form has not the right token."""
        given = dict(parse_qsl(form.decode("latin-1"), max_num_fields=5)) if form.count(b"&") < 5 else {}
        if not secrets.compare_digest(given.get("token", "").strip().encode(), self.token.encode()):
            return ""
        session = secrets.token_urlsafe(24)
        self._open[session] = None
        while len(self._open) > MOST_SESSIONS:
            self._open.pop(next(iter(self._open)))
        return f"{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={LEAVE}"

    def knows(self, cookies: str, authorization: str) -> bool:
        """Whether a request comes from a browser that has signed in, or from a program that shows the token."""
        kind, _space, shown = authorization.partition(" ")
        if kind.lower() == "bearer" and secrets.compare_digest(shown.strip().encode(), self.token.encode()):
            return True
        try:
            found = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return False
        return found is not None and found.value in self._open
