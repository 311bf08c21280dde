# SPDX-License-Identifier: GPL-3.0-or-later

"""What went wrong with a request, as RFC 9457 writes it: a kind, a sentence about this case, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TYPE = "urn:rack-recipes:problem:"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A kind of problem: the status of its answer, and its title, which is the same each time."""

    status: int
    title: str


KINDS: Mapping[str, ProblemKind] = {
    "bad-request": ProblemKind(400, "The request cannot be understood"),
    "not-known": ProblemKind(401, "The caller is not known"),
    "not-allowed": ProblemKind(403, "The caller may not do this"),
    "not-found": ProblemKind(404, "There is no such thing"),
    "timeout": ProblemKind(404, "It did not happen in time"),
    "no-such-method": ProblemKind(405, "The path does not take this method"),
    "version-conflict": ProblemKind(409, "The key has changed"),
    "too-large": ProblemKind(413, "The body is too large"),
    "address-too-long": ProblemKind(414, "The address is too long"),
    "wrong-media-type": ProblemKind(415, "The body is of another media type"),
    "aborted": ProblemKind(409, "Somebody has ended the waiting"),
    "locked": ProblemKind(409, "The lock is held by another owner, or by none"),
    "not-applicable": ProblemKind(409, "The operation does not fit the value"),
    "another-request": ProblemKind(422, "The Idempotency-Key is that of another request"),
    "too-many": ProblemKind(429, "The client asks too often"),
    "head-too-large": ProblemKind(431, "The headers are too large"),
    "internal": ProblemKind(500, "The server has a fault"),
    "cannot-write": ProblemKind(503, "The journal cannot be written"),
    "cannot-read": ProblemKind(503, "The store cannot be read"),
    "run-conflict": ProblemKind(409, "There is another run of this id"),
    "disk-full": ProblemKind(507, "The journal has no room"),
}


@dataclass(eq=False)
class Problem(Exception):
    """A request that is not answered as asked.

    `kind` is a key of KINDS. `detail` says what is wrong with this request, `advice` what its sender can do. `more` has
    further fields of the answer, such as the current value of a key, `headers` those of HTTP.
    """

    kind: str
    detail: str
    advice: str
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The status of the HTTP answer."""
        return KINDS[self.kind].status

    def body(self) -> dict[str, Any]:
        """The answer, a JSON object of the media type application/problem+json."""
        return {
            "type": f"{TYPE}{self.kind}",
            "title": KINDS[self.kind].title,
            "status": self.status,
            "detail": self.detail,
            "advice": self.advice,
            **self.more,
        }
