# SPDX-License-Identifier: GPL-3.0-or-later

"""Call an ASGI application without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]
    text: bytes

    @property
    def data(self) -> Any:
        """Its JSON data."""
        return json.loads(self.text)


def call(app: Any, method: str, target: str, data: Any = ..., **headers: str) -> Answer:
    """Send one request; `data` becomes a JSON body. In names of headers `_` stands for `-`."""
    return asyncio.run(call_in_loop(app, method, target, data, **headers))


async def call_in_loop(app: Any, method: str, target: str, data: Any = ..., **headers: str) -> Answer:
    """The same in a loop that runs."""
    body = b"" if data is ... else data if isinstance(data, bytes) else json.dumps(data).encode()
    path, _mark, query = target.partition("?")
    all_headers = {"content-type": "application/json", **{name.replace("_", "-"): headers[name] for name in headers}}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in all_headers.items()],
        "client": ("0", 1),
    }
    return await _call(app, scope, body)


async def _call(app: Any, scope: dict[str, Any], body: bytes) -> Answer:
    sent: list[Any] = []
    parts = [body[:10], body[10:]]

    async def receive() -> dict[str, Any]:
        if not parts:  # the client stays
            await asyncio.get_running_loop().create_future()
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))
