# SPDX-License-Identifier: GPL-3.0-or-later

"""A POST with JSON and a signature: HMAC-SHA256 of the body, in hex, in the header X-Hub-Signature-256.

This is how GitHub signs its webhooks, and what `ansible.eda.webhook` checks by default (its options `hmac_algo`,
`hmac_header` and `hmac_format`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import Request

from rack_recipes.analysis.summary.language_model_client import EndpointError, answer_to, web_address
from rack_recipes.errors import UsageError
from rack_recipes.private_files import read_secret
from rack_recipes.settings import Settings

HEADER = "X-Hub-Signature-256"
TRIES = 3
PAUSE = 0.5  # seconds before the second try; twice as many before the third
SHORTEST_SECRET = 16  # characters


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, the secret that signs, and how many seconds all tries may take together."""

    url: str
    place: str
    secret: str = field(repr=False)
    seconds: float


def target_of(settings: Settings) -> Target:
    """The target that the settings name. Raises UsageError for an address or a secret that cannot be used."""
    parts = web_address(settings.notify_url)
    if parts is None or "@" in parts.netloc or parts.fragment:
        raise UsageError("notify_url is not an address such as https://eda.example.com:5000/rack, without a user")
    return Target(settings.notify_url, parts.netloc, _secret(settings), settings.notify_timeout)


def _secret(settings: Settings) -> str:
    if settings.notify_secret_file:
        secret = read_secret(Path(settings.notify_secret_file), "notify_secret_file")
    else:
        secret = settings.notify_secret
    if len(secret) < SHORTEST_SECRET:
        raise UsageError(
            f"notices are signed: give notify_secret_file, a file with a line of {SHORTEST_SECRET} or more characters "
            "(`openssl rand -hex 32`), or RACK_RECIPES_NOTIFY_SECRET"
        )
    return secret


def post(target: Target, told: Mapping[str, object], *, is_last_moment: bool = False) -> None:
    """Send what is told. A server that is away is tried again, but not in the last moment of a process.

    Raises UsageError where nobody has taken it.
    """
    request = _request(target, json.dumps(told).encode("ascii"))
    until = time.monotonic() + target.seconds
    last = 1 if is_last_moment else TRIES
    for number in range(1, last + 1):
        try:
            answer_to(request, target.place, max(0.1, until - time.monotonic()))
        except EndpointError as error:
            pause = PAUSE * number
            may_pass = error.again and not error.plainly
            if number == last or not may_pass or time.monotonic() + pause > until:
                raise UsageError(str(error)) from None
            time.sleep(pause)
        else:
            return


def _request(target: Target, body: bytes) -> Request:
    headers = {"Content-Type": "application/json", "User-Agent": "rack-recipes", HEADER: signature(target.secret, body)}
    return Request(target.url, body, headers, method="POST")  # noqa: S310 - http and https only


def signature(secret: str, body: bytes) -> str:
    """The value of the header for a body."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
