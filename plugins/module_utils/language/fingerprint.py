# SPDX-License-Identifier: GPL-3.0-or-later

"""Fingerprints: a step with the same fingerprint would do the same again, since all that goes into it is the same.

They are kept with the results. Where a secret goes into a fingerprint, it is an HMAC, and its key is kept elsewhere.
A plain digest would confirm a short password to somebody who tries many.
"""

from __future__ import annotations

import json
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Callable

    KeyFor = Callable[[Any], bytes]  # the HMAC key for a value; empty for a plain digest

WIDTH = 2**256
BLOCK = 64  # bytes that SHA-256 takes at once
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _plain(_value: object) -> bytes:
    return b""


def fingerprint(
    digest: str, args: object, read: Mapping[str, object], host: str, files: Mapping[str, str], key_for: KeyFor = _plain
) -> str:
    """`sha256:...` over the scriptlet's digest, its arguments, the context that it reads, the host, and its files.

    It is the same for equal JSON, whatever the order of names. But 1, 1.0 and true differ, since a scriptlet can tell
    them apart. It is `hmac:...` where `key_for` returns a key for the arguments and the context.
    """
    key = key_for([args, dict(read)])
    return f"{'hmac' if key else 'sha256'}:{_digest([digest, args, dict(read), host, dict(files)], key).hex()}"


class ContextDigest:
    """A digest of a whole context, for steps that may read any key. A change of one key digests only that key again."""

    def __init__(self, values: Mapping[str, object], key_for: KeyFor = _plain) -> None:
        self._key_for = key_for
        self._parts = {key: self._part(key, value) for key, value in values.items()}
        self._sum = sum(self._parts.values()) % WIDTH

    def set(self, key: str, value: object) -> None:
        """Change the digest for a new or changed value of a key."""
        part = self._part(key, value)
        self._sum = (self._sum + part - self._parts.get(key, 0)) % WIDTH
        self._parts[key] = part

    def _part(self, key: str, value: object) -> int:
        return int.from_bytes(_digest([key, value], self._key_for(value)), "big")

    def __str__(self) -> str:
        return f"sum:{self._sum:064x}"


def _digest(value: object, key: bytes) -> bytes:
    data = _canonical(value).encode("ascii")
    return hmac(key, data) if key else sha256(data)


def hmac(key: bytes, data: bytes) -> bytes:
    """The HMAC-SHA-256 of `data` with a key of up to 64 bytes; Python's own `hmac` would load OpenSSL."""
    whole = key.ljust(BLOCK, b"\0")
    inner = sha256(bytes(byte ^ 0x36 for byte in whole) + data)
    return sha256(bytes(byte ^ 0x5C for byte in whole) + inner)


def sha256(data: bytes) -> bytes:
    """The SHA-256 of some bytes."""
    found: bytes = _hash()(data).digest()
    return found


@cache
def _hash() -> Any:
    """SHA-256 from Python's own code where it has it, since `hashlib` loads OpenSSL, which takes 3 ms."""
    for name in ("_sha2", "_sha256"):
        try:
            return __import__(name).sha256
        except ImportError:
            continue
    import hashlib

    return hashlib.sha256
