# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which secrets can be seen in a value: a host is told of another's only where it is given it.

Ansible marks what came out of a vault, but what a filter or a longer text makes of it has no mark any more. A mask of
all secrets of a run takes too long to make for each stage, so the forms that filters make are looked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus

from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import in_base64

PIECE = 3  # characters


def secrets_shown_in(secrets: Iterable[str], value: Any) -> list[str]:
    """Those that the texts and numbers of a value show, names in mappings too."""
    known = [*secrets]
    text = "\n".join(_texts(value)) if known else ""
    pieces = {text[at : at + PIECE] for at in range(len(text))}  # most secrets are not there, which these tell soonest

    def is_there(form: str) -> bool:
        return (form[:PIECE] in pieces or len(form) < PIECE) and form in text

    return [secret for secret in known if any(map(is_there, _forms(secret)))]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield str(name)
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)


@cache
def _forms(secret: str) -> tuple[str, ...]:
    """As it is, quoted for JSON and for URLs, in base64 and hexadecimal; of several lines one: they may be indented."""
    text = secret.strip()
    data = text.encode("utf-8", "surrogatepass")
    quoted = () if text.isascii() and text.isalnum() else _quoted(text, data)
    forms = (text, *quoted, *(in_base64(data, ahead) for ahead in range(3)), data.hex())
    return tuple(dict.fromkeys(filter(None, forms)))


def _quoted(text: str, data: bytes) -> tuple[str, ...]:
    escaped = (json.dumps(text, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
    longest = max(text.splitlines(), key=len, default="")
    return *escaped, quote(data), quote(data, safe=""), quote_plus(data), longest.strip()
