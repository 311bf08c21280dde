# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Search values for known secrets.

A host learns a secret of another host only where its own arguments show it. Ansible marks a value that came out of a
vault, but not what a filter or a longer text makes of it. So each secret is searched for in the forms that filters give
it; to make a mask of all secrets of a run for each stage would take too long.
"""

from __future__ import annotations

import html
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus

from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import in_base64

PIECE = 3  # characters


def secrets_shown_in(secrets: Iterable[str], value: Any) -> list[str]:
    """Those of the secrets that stand in the texts, numbers and names of a value."""
    known = [*secrets]
    text = "\n".join(_texts(value)) if known else ""
    pieces = {text[at : at + PIECE] for at in range(len(text))}  # this rules out most secrets fast

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
    """The forms of a secret: as it is, quoted (JSON, URL, shell, XML, YAML), in base64 and in hexadecimal.

    Of several lines only the longest is searched for, since a filter may have indented them.
    """
    text = secret.strip()
    data = text.encode("utf-8", "surrogatepass")
    quoted = () if text.isascii() and text.isalnum() else _quoted(text, data)
    forms = (text, *quoted, *(in_base64(data, ahead) for ahead in range(3)), data.hex())
    return tuple(dict.fromkeys(filter(None, forms)))


def _quoted(text: str, data: bytes) -> tuple[str, ...]:
    escaped = (json.dumps(text, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
    markup = html.escape(text)
    entities = (markup, markup.replace("&#x27;", "&#39;").replace("&quot;", "&#34;"))  # of Python, and of Jinja
    shell, doubled = shlex.quote(text)[1:-1], text.replace("'", "''")
    longest = max(text.splitlines(), key=len, default="")
    urls = (quote(data), quote(data, safe=""), quote_plus(data))
    return *escaped, *urls, *entities, shell, doubled, longest.strip()
