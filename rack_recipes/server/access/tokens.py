# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens: how they are made, and how one is recognized.

A token is `rrt_IDENT_SECRET`. The file keeps SHA-256 of the secret alone. A slow hash would protect secrets that people
choose; this one has 256 random bits, which nobody can try out, and a fast hash keeps requests fast. IDENT finds the
row, so only one digest is compared, in a time that does not depend on what differs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping

from rack_recipes.server.access.grant_model import VALID, Grant

PREFIX = "rrt"  # for tools that search texts for secrets
SECRET_BYTES, IDENT_BYTES = 32, 8
TOKEN = re.compile(rf"{PREFIX}_([0-9a-f]{{16}})_([A-Za-z0-9_-]{{43}})")
NOTHING = "0" * 64  # what the secret of an unknown token is compared with


def new_token() -> tuple[str, str, str]:
    """A new token: its whole text, its part that is no secret, and the digest of its secret."""
    ident, secret = secrets.token_hex(IDENT_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    return f"{PREFIX}_{ident}_{secret}", ident, digest_of(secret)


def digest_of(secret: str) -> str:
    """SHA-256 of a secret, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def grant_of(text: str, grants: Mapping[str, Grant]) -> Grant | None:
    """The valid grant of a token, None for a token that is foreign, mangled, expired or revoked."""
    found = TOKEN.fullmatch(text)
    ident, secret = found.groups() if found else ("", "")
    grant = grants.get(ident)
    is_right = hmac.compare_digest(digest_of(secret), (grant and grant.digest) or NOTHING)
    return grant if grant and is_right and grant.state == VALID else None
