# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON requests to a server whose URL and token a user gives. The token goes to this server and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.request import Request

from rack_recipes.analysis.summary.language_model_client import EndpointError, answer_to, web_address
from rack_recipes.errors import UsageError

SECONDS = 30.0
LOCAL = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class JsonServer:
    """A server by its URL; `scheme` is the word before the token (`Bearer`, `Token`)."""

    url: str
    token: str = field(repr=False)
    scheme: str = "Bearer"

    def check(self) -> None:
        """Raises UsageError for a URL that cannot be used, or over which a token could be read."""
        parts = web_address(self.url)
        if parts is None or "@" in parts.netloc or parts.query or parts.fragment:
            raise UsageError(f"expected a URL such as https://host.example.com without user, ? and #, got {self.url}")
        if self.token and parts.scheme == "http" and parts.hostname not in LOCAL:
            raise UsageError(f"{self.url}: a token is sent over https only")
        if not (self.token.isascii() and self.token.isprintable()):
            raise UsageError("the token has characters that no header can have")

    def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None, kind: str = "application/json"
    ) -> Any:
        """The answer to a request below the URL, decoded. Raises UsageError where there is none."""
        self.check()
        headers = {"Accept": "application/json", "Content-Type": kind, "User-Agent": "rack-recipes"}
        if self.token:
            headers["Authorization"] = f"{self.scheme} {self.token}"
        data = None if body is None else json.dumps(body).encode("ascii")
        request = Request(self.url.rstrip("/") + path, data, headers, method=method)  # noqa: S310 - http and https only
        try:
            return json.loads(answer_to(request, self.url, SECONDS))
        except EndpointError as error:
            raise UsageError(str(error)) from None
        except ValueError:
            raise UsageError(f"{self.url} answered {method} {path} with something that is no JSON") from None
