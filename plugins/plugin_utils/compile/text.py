# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain data as YAML text: block style, indented as ansible-lint wants it, the same bytes for the same data.

PyYAML's C emitter cannot indent lists and its Python one takes seconds for a large recipe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"))


def to_yaml(value: Any) -> str:
    """The YAML document of `value`, without a document start. Mappings keep their order."""
    return "".join(f"{line}\n" for line in _block(value, ""))


def _block(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _entry(f"{indent}{_scalar(key)}:", item, indent + "  ")
    elif isinstance(value, (list, tuple)) and value:
        for item in value:
            lines = _block(item, indent + "  ")
            yield f"{indent}- {next(lines).lstrip(' ')}"
            yield from lines
    else:
        yield f"{indent}{_scalar(value)}"


def _entry(head: str, item: Any, indent: str) -> Iterator[str]:
    if isinstance(item, (Mapping, list, tuple)) and item:
        flow = _flow(item)
        if flow is not None and len(head) + len(flow) < 100:
            yield f"{head} {flow}"
        else:
            yield head
            yield from _block(item, indent)
    else:
        yield f"{head} {_scalar(item)}"


def _flow(item: Any) -> str | None:
    """A short list of scalars reads best on one line."""
    if isinstance(item, (list, tuple)) and not any(isinstance(part, (Mapping, list, tuple)) for part in item):
        return "[" + ", ".join(map(_scalar, item)) + "]"
    return None


def _scalar(value: Any) -> str:
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in WORDS and not value.endswith("."):
        return value
    return json.dumps(value, ensure_ascii=False)
