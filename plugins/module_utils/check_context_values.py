# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the context's keys and values, and helpers for texts in messages."""

from __future__ import annotations

import re

TYPE_CHECKING = False  # importing typing costs a target 5 ms
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Callable

KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*_v[0-9]+")
LONGEST_KEY = 200  # characters; databases have room for 255
DEEPEST = 100
DEEPEST_SHOWN = 5  # levels of a path to what is too large: each is measured once more
LARGEST = 2**63
LARGEST_VALUE = 1024 * 1024  # bytes of JSON text that one key can hold
MOST_MEASUREMENTS = 10_000  # of a step on a host; a report of 30,000 different ones takes 10 s
LONGEST_REASON = 4000
LONGEST_MESSAGE = 100_000  # characters of a child's message; it is masked first, and only then cut for people
SHOWN = 200  # characters of a value in a message
# These mark a long value in a message until secrets are masked. It is cut only then: half a secret would not be found.
# No text that a host sends as JSON, and no repr, holds a NUL.
LONG, END = "\0[[", "]]\0"


class _Fault(Exception):
    """What is wrong with a value. On its way up it collects the value's path, last part first."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.parts: list[str] = []


def check_key(key: object) -> str:
    """Return `key`. Raises ValueError if it is no dotted name with a version, or too long."""
    if isinstance(key, str) and len(key) > LONGEST_KEY:
        raise ValueError(f"a context key may have {LONGEST_KEY} characters, got {mark_if_long(repr(key))}")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise ValueError(f"expected a context key such as numbers.stats_v1, got {mark_if_long(repr(key))}")
    return key


def check_value(value: object, name: str = "value") -> Any:
    """A copy of `value` as plain JSON data. Raises ValueError for anything else, with its path from `name` on."""
    try:
        return _plain(value, 0)
    except _Fault as fault:
        raise ValueError(f"{name}{''.join(reversed(fault.parts))}: {fault}") from None


def check_size(value: object, name: str) -> None:
    """Raise ValueError if JSON data is too large for a key. It names the path of the large part, from `name` on."""
    size = _size(value)
    if size <= LARGEST_VALUE:
        return
    part: Any = value
    path = name
    for _level in range(DEEPEST_SHOWN):
        where, inside, inner = _largest(part)
        if inner <= LARGEST_VALUE:
            break
        path, part, size = path + where, inside, inner
    raise ValueError(
        f"{path}: {size} bytes of JSON, a key can hold {LARGEST_VALUE}: keep it with ctx.attach, and its digest "
        "under the key"
    )


def _largest(value: object) -> tuple[str, Any, int]:
    """The path, the value and the size of the largest part of a list or mapping; a size of 0 if it has no parts."""
    if isinstance(value, dict):
        parts = [(f".{key}", part, _size(part)) for key, part in value.items()]
    else:
        parts = [(f"[{n}]", part, _size(part)) for n, part in enumerate(value)] if isinstance(value, list) else []
    return max(parts, key=lambda each: each[2], default=("", None, 0))


def _size(value: object) -> int:
    """The bytes of its JSON text. Short texts and numbers are only estimated, since this is asked for every value."""
    if isinstance(value, str) and len(value) <= LARGEST_VALUE // 8:
        return len(value)
    if not isinstance(value, (str, list, dict)):
        return 0
    from ansible_collections.rack.recipes.plugins.module_utils.journal_record import json_text

    return len(json_text(value).encode())


def _plain(value: object, depth: int) -> object:
    if value is None or value is True or value is False:
        return value
    check = CHECKS.get(type(value)) or next((CHECKS[kind] for kind in CHECKS if isinstance(value, kind)), None)
    if check is None:
        raise _Fault(f"expected JSON data, got a {type(value).__name__}")
    return check(value, depth)


def _text(value: str, _depth: int) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _Fault(f"character {error.start} is half a surrogate pair") from None
    if "\0" in value:
        raise _Fault(f"character {value.index(chr(0))} is NUL, which PostgreSQL and many programs do not take")
    return str.__str__(value)  # an enumeration's member becomes its plain text


def _integer(value: int, _depth: int) -> int:
    if not -LARGEST <= value < LARGEST:
        raise _Fault("an integer beyond 64 bits, which databases cannot hold; write it as text")
    return int(value)


def _number(value: float, _depth: int) -> float:
    if not float("-inf") < value < float("inf"):
        raise _Fault(f"{float(value)} is not a JSON number")
    return float(value)


def _list(value: list[object] | tuple[object, ...], depth: int) -> list[object]:
    _check_depth(depth)
    checked: list[object] = []
    for index, item in enumerate(value):
        try:
            checked.append(_plain(item, depth + 1))
        except _Fault as fault:
            fault.parts.append(f"[{index}]")
            raise
    return checked


def _mapping(value: dict[object, object], depth: int) -> dict[str, object]:
    _check_depth(depth)
    checked: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise _Fault(f"a mapping's key must be text, got {mark_if_long(repr(key))}")
        try:
            checked[_text(key, depth)] = _plain(item, depth + 1)
        except _Fault as fault:
            fault.parts.append(f".{escape_unstorable(key)}")
            raise
    return checked


def _check_depth(depth: int) -> None:
    if depth >= DEEPEST:
        raise _Fault(f"nested deeper than {DEEPEST} levels")


CHECKS: dict[type, Callable[[Any, int], object]] = {
    str: _text,
    int: _integer,
    float: _number,
    list: _list,
    tuple: _list,
    dict: _mapping,
}


def copy_json(value: object) -> Any:
    """A copy of JSON data, which a scriptlet can change without changing the original."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}
    return [copy_json(item) for item in value] if isinstance(value, list) else value


def escape_unstorable(text: str) -> str:
    """The text as files and databases accept it: half surrogate pairs and NUL become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def mark_if_long(text: str) -> str:
    """Mark a long value in a message. `shortened` cuts it later, after secrets were masked."""
    return text if len(text) <= SHOWN else f"{LONG}{text}{END}"


def shortened(text: str) -> str:
    """The message with the values cut that `mark_if_long` has marked. Secrets must have been masked before."""
    if LONG not in text:
        return text
    first, *parts = text.split(LONG)
    return first + "".join(_cut(*part.partition(END)) for part in parts)


def _cut(value: str, _end: str, rest: str) -> str:
    return (value if len(value) <= SHOWN else f"{value[:SHOWN]}...") + rest


def first_few(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """For people: the first `most` names, and how many more there are."""
    more = len(names) - most
    return separator.join(names[:most]) + (f" and {more} more" if more > 0 else "")


def as_reason(text: object) -> str:
    """The text as a verdict's reason: storable, and short enough to read. Secrets must have been masked before."""
    whole = escape_unstorable(shortened(str(text))).strip()
    if len(whole) <= LONGEST_REASON:
        return whole
    cut = f"... (cut: it had {len(whole)} characters{' or more' if len(whole) >= LONGEST_MESSAGE else ''})"
    return whole[: LONGEST_REASON - len(cut)] + cut
