# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody was given: a token or the name of a client certificate, with a role and patterns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from rack_recipes.server.access.caller import ANY, ROLES

VALID, EXPIRED, REVOKED = "valid", "expired", "revoked"


@dataclass(frozen=True, slots=True)
class Grant:
    """One row of the file of tokens.

    `ident` is the part of a token that is no secret, `digest` the SHA-256 of the rest. `certificate` is the name of a
    client certificate, where there is no token. Times are ISO 8601 in UTC; `expires` is empty if it never does.
    """

    name: str
    role: str
    ident: str
    digest: str = ""
    certificate: str = ""
    keys: tuple[str, ...] = ANY
    runs: tuple[str, ...] = ANY
    made: str = ""
    expires: str = ""
    revoked: str = ""

    @property
    def state(self) -> str:
        """VALID, EXPIRED or REVOKED, at this moment."""
        if self.revoked:
            return REVOKED
        is_over = self.expires and datetime.fromisoformat(self.expires) <= datetime.now(UTC)
        return EXPIRED if is_over else VALID


def to_row(grant: Grant) -> dict[str, Any]:
    """A grant as a JSON object; empty fields are left out."""
    row = {field.name: getattr(grant, field.name) for field in fields(Grant)}
    return {name: [*value] if isinstance(value, tuple) else value for name, value in row.items() if value}


def from_row(row: Mapping[str, Any]) -> Grant:
    """The grant of a JSON object. Raises ValueError, KeyError or TypeError for one that cannot be read."""
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    grant = Grant(**given)
    if grant.role not in ROLES:
        raise ValueError(f"there is no role {grant.role!r}")
    for moment in filter(None, (grant.expires, grant.revoked)):
        if datetime.fromisoformat(moment).tzinfo is None:
            raise ValueError(f"{moment} has no time zone")
    return grant
