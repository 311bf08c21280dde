# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fingerprints: whether a step would do the same again, since all that goes into it is the same."""

from __future__ import annotations

import json
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

WIDTH = 2**256
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def fingerprint(digest: str, args: Any, read: Mapping[str, Any], host: str, files: Mapping[str, str]) -> str:
    """`sha256:...` over the scriptlet's digest, its arguments, the context that it reads, the host, and its files.

    It is the same for equal JSON, whatever the order of keys. 1, 1.0 and true are different: a scriptlet can see that.
    """
    return f"sha256:{_sha256([digest, args, dict(read), host, dict(files)]).hex()}"


class ContextDigest:
    """A digest of a whole context, for steps that may read any key of it; a change of one key costs only that key."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._parts = {key: _part(key, value) for key, value in values.items()}
        self._sum = sum(self._parts.values()) % WIDTH

    def set(self, key: str, value: Any) -> None:
        """The key has this value from now on."""
        part = _part(key, value)
        self._sum = (self._sum + part - self._parts.get(key, 0)) % WIDTH
        self._parts[key] = part

    def __str__(self) -> str:
        return f"sum:{self._sum:064x}"


def _part(key: str, value: Any) -> int:
    return int.from_bytes(_sha256([key, value]), "big")


def _sha256(value: Any) -> bytes:
    data: bytes = _hash()(_canonical(value).encode("ascii")).digest()
    return data


@cache
def _hash() -> Any:
    """SHA-256 by Python's own code where it has it: hashlib loads OpenSSL, 3 ms."""
    for name in ("_sha2", "_sha256"):
        try:
            return __import__(name).sha256
        except ImportError:
            continue
    import hashlib

    return hashlib.sha256
