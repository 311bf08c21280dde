# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be a key and a value of the context."""

from __future__ import annotations

import re

KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*_v[0-9]+")
DEEPEST = 100
LARGEST = 2**63


def check_key(key: object) -> str:
    """Return `key`; raise ValueError where it is no dotted, versioned name."""
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise ValueError("expected a context key such as numbers.stats_v1, got %.80r" % (key,))
    return key


def check_value(value: object, path: str = "value", depth: int = 0) -> object:
    """Return `value` as plain JSON data; raise ValueError with the path of what is none."""
    if value is None or value is True or value is False:
        return value
    if depth > DEEPEST:
        raise ValueError("%s: nested deeper than %d levels" % (path, DEEPEST))
    kind = next((kind for kind in CHECKS if isinstance(value, kind)), None)
    if kind is None:
        raise ValueError("%s: expected JSON data, got a %s" % (path, type(value).__name__))
    return CHECKS[kind](value, path, depth)


def _text(value: str, path: str, depth: int) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("%s: character %d is half a surrogate pair" % (path, error.start)) from None
    return str(value)


def _integer(value: int, path: str, depth: int) -> int:
    if not -LARGEST <= value < LARGEST:
        raise ValueError("%s: an integer beyond 64 bits, which databases cannot hold; write it as text" % path)
    return int(value)


def _number(value: float, path: str, depth: int) -> float:
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("%s: %r is not a JSON number" % (path, value))
    return float(value)


def _list(value: list[object], path: str, depth: int) -> list[object]:
    return [check_value(item, "%s[%d]" % (path, index), depth + 1) for index, item in enumerate(value)]


def _mapping(value: dict[object, object], path: str, depth: int) -> dict[str, object]:
    checked = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise ValueError("%s: a mapping's key must be text, got %.80r" % (path, key))
        checked[_text(key, path, depth)] = check_value(item, "%s.%s" % (path, key), depth + 1)
    return checked


CHECKS = {str: _text, int: _integer, float: _number, list: _list, tuple: _list, dict: _mapping}
