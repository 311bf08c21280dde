# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where cabling plans come from: files, and the REST API of NetBox."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rack_recipes.errors import UsageError
from rack_recipes.recipe.yaml.decode import UTF16_BOMS, foreign_byte, reason

LARGEST = 64 * 1024 * 1024  # bytes of a file: some 60,000 cables of NetBox
URL = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """A text, and the name that it has in messages."""

    name: str
    text: str


def read_sources(given: Sequence[str], token: str = "") -> list[Source]:
    """The contents of files and URLs. `token` is that of NetBox. Raises UsageError for what cannot be read."""
    return [source for one in given for source in (_from_url(one, token) if URL.match(one) else [_from_file(one)])]


def _from_url(url: str, token: str) -> list[Source]:
    # a plan from files does not pay for this import
    from rack_recipes.cabling.netbox_api import fetch

    return [Source(name, json.dumps(entries)) for name, entries in fetch(url, token)]


def _from_file(path: str) -> Source:
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: expected a file that can be read, or a URL, got {reason(error)}") from error
    if len(content) > LARGEST:
        raise UsageError(f"{path}: expected a file of at most {LARGEST // 1024**2} MiB, got a larger one")
    return Source(path, _decoded(content, path))


def _decoded(content: bytes, name: str) -> str:
    if content.startswith(UTF16_BOMS):
        raise UsageError(f"{name}:1:1: expected a file in UTF-8, got one in UTF-16: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")  # a spreadsheet puts a mark before it
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        byte = foreign_byte(content[error.start])
        raise UsageError(f"{name}:{line}:{column}: expected a file in UTF-8, got {byte}") from None
