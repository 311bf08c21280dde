# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of a project in a folder, asked without a network, with a token for each role."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlencode

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.http.asgi_calls import Answer
from rack_recipes.server.access.caller import ROLES
from rack_recipes.server.access.identify import Identify
from rack_recipes.server.access.token_file import Grant, LiveGrants, changed_grants, new_token
from rack_recipes.server.network.clients import Peer
from rack_recipes.web.page_source import PageSource
from rack_recipes.web.sign_in import FIELD, Sessions
from rack_recipes.web.site import FORM, Site

URL = "sqlite:///.rack-recipes/results.db"
RUNS = Path(".rack-recipes/runs")
TOKENS = Path(".rack-recipes/server/tokens.json")
PEER = Peer("192.0.2.7", 4711)


@dataclass
class ServedSite:
    """The pages of the project in the working folder. `tokens` are by role, and by the names of further grants."""

    url: str = URL
    may_run: bool = False
    may_upload: bool = False
    hosts: frozenset[str] | None = frozenset({"localhost"})
    secure: bool = False
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for role in ROLES:
            self.grant(role, role)
        self.source = PageSource(self.url, RUNS, may_run=self.may_run, may_upload=self.may_upload)
        self.sessions = Sessions(Identify(LiveGrants(TOKENS, pytest.fail)), secure=self.secure)
        self.site = Site(self.source, self.sessions, lambda _scope: None, self.hosts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.source.close()

    def grant(self, name: str, role: str, **more: Any) -> None:
        """Give somebody a token."""
        text, ident, digest = new_token()
        self.tokens[name] = text
        with changed_grants(TOKENS) as grants:
            grants.append(Grant(name, role, ident, digest, **more))

    def revoke(self, name: str) -> None:
        """End somebody's token."""
        with changed_grants(TOKENS) as grants:
            grants[:] = [one for one in grants if one.name != name]

    def ask(
        self, target: str, who: str = "", *, method: str = "GET", body: bytes = b"", peer: Peer = PEER, **headers: str
    ) -> Answer:
        """One request, with the token of `who`; in names of headers `_` stands for `-`."""
        shown = {"authorization": f"Bearer {self.tokens[who]}"} if who else {}
        given = {"host": "localhost:1", **shown, **{name.replace("_", "-"): text for name, text in headers.items()}}
        path, _mark, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"spec_version": "2.4"},  # an answer in pieces does not wait for the end of its reader
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), text.encode("latin-1")) for name, text in given.items()],
            "client": peer,
        }
        return asyncio.run(_called(self.site, scope, body))

    def data(self, target: str, who: str = "admin") -> Any:
        """A page as data."""
        answer = self.ask(target, who, accept="application/json")
        assert answer.status == 200, answer.text
        return answer.data

    def send(self, target: str, form: Mapping[str, str], who: str = "", **headers: str) -> Answer:
        """Send a form."""
        body = urlencode(form).encode()
        return self.ask(target, who, method="POST", body=body, **{"content_type": FORM, **headers})

    def trace(self) -> list[tuple[str, str, str]]:
        """The log of actions: who, what, and how it ended."""
        return [(row["who"], row["action"], row["state"]) for row in self.data("/actions")["actions"]["rows"]]

    def sign_in(self, form: Mapping[str, str], **headers: str) -> Answer:
        """Open the page of the sign-in and send its form."""
        page = self.ask("/sign-in")
        cookie = page.headers["set-cookie"].partition(";")[0]
        return self.send("/sign-in", {FIELD: form_token_of(page), **form}, **{"cookie": cookie, **headers})

    def signed_in(self, who: str) -> Browser:
        """A browser that has signed in."""
        answer = self.sign_in({"token": self.tokens[who]})
        assert answer.status == 303
        return Browser(self, answer.headers["set-cookie"].partition(";")[0])


@dataclass
class Browser:
    """A browser with the cookie of a session."""

    served: ServedSite
    cookie: str

    def ask(self, target: str, **headers: str) -> Answer:
        """Load a page."""
        return self.served.ask(target, cookie=self.cookie, **headers)

    @property
    def form_token(self) -> str:
        """What a form of this session brings along."""
        return form_token_of(self.ask("/hosts"))

    def send(self, target: str, form: Mapping[str, str], **headers: str) -> Answer:
        """Send a form of a page of this session."""
        return self.served.send(target, {FIELD: self.form_token, **form}, cookie=self.cookie, **headers)


def form_token_of(page: Answer) -> str:
    """What the forms of a page bring along."""
    return page.text.decode().partition(f'name="{FIELD}" value="')[2].partition('"')[0]


async def _called(site: Site, scope: dict[str, Any], body: bytes) -> Answer:
    sent: list[Any] = []
    parts = [body[:10], body[10:]]

    async def receive() -> dict[str, Any]:
        if not parts:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    await site(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))
