# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain data as YAML text: block style, as ansible-lint wants it, the same bytes for the same data.

PyYAML does not serve: its C emitter cannot indent lists, and its Python one takes seconds for a large recipe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

TEMPLATE = re.compile(r"\{(?=[{%#])")
UNSAFE, NO_LINT = "!unsafe ", "  # noqa: jinja"  # ansible-lint does not know the first
WIDTH = 120
LONGEST_KEY = 1000  # a longer key needs the form with `?`
# What every YAML reader takes for text although it has no quotes. In a list in brackets, a comma would end it.
WORD = r"(?:\.{0,2}/|[A-Za-z_])%s*(?: %s+)*"
PLAIN = re.compile(WORD % (("[A-Za-z0-9_./,()'-]",) * 2))
PLAIN_IN_BRACKETS = re.compile(WORD % (("[A-Za-z0-9_./-]",) * 2))
WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"))
UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
# The pieces of long text in quotes that may be broken between: words with their spaces, and groups of escapes.
FOLDS = re.compile(r"(?:[^\\ ]{1,60}|(?:\\u.{4}){1,10}|(?:\\[^u]){1,30}) {0,30}| {1,60}")


class Verbatim(str):
    """Text that looks like a template and is none: it is written as `!unsafe`."""

    __slots__ = ()


def verbatim(value: object) -> Any:
    """The value with each text in it that looks like a template marked as none."""
    if isinstance(value, str):
        return Verbatim(value) if TEMPLATE.search(value) else value
    if isinstance(value, Mapping):
        return {name: verbatim(item) for name, item in value.items()}
    return [verbatim(item) for item in value] if isinstance(value, (list, tuple)) else value


def to_yaml(value: object) -> str:
    """The YAML document of `value`, without a document start. Mappings keep their order."""
    return _block(value, "") + "\n"


def _block(value: object, indent: str) -> str:
    if isinstance(value, Mapping) and value:
        return "\n".join([_entry(_head(indent, key), item, indent) for key, item in value.items()])
    if isinstance(value, (list, tuple)) and value:
        return "\n".join([_item(item, indent) for item in value])
    return _scalar(indent, value, indent)


def _head(indent: str, key: str) -> str:
    text = _key(key)
    return f"{indent}{text}:" if len(text) <= LONGEST_KEY else f"{indent}? {text}\n{indent}:"


def _entry(head: str, item: Any, indent: str) -> str:
    """A key and its value. A short list of scalars is written on the same line, in brackets."""
    if not _is_filled(item):
        return _scalar(f"{head} ", item, indent)
    nested = isinstance(item, Mapping) or any(_is_filled(inner) or isinstance(inner, Verbatim) for inner in item)
    line = head if nested else f"{head} {_in_brackets(item)}"
    return f"{head}\n{_block(item, indent + '  ')}" if nested or len(line) > WIDTH else line


def _item(item: object, indent: str) -> str:
    if _is_filled(item):
        return f"{indent}- {_block(item, indent + '  ').lstrip(' ')}"
    return _scalar(f"{indent}- ", item, indent)


def _is_filled(value: object) -> bool:
    return isinstance(value, (Mapping, list, tuple)) and bool(value)


def _in_brackets(items: Any) -> str:
    return f"[{', '.join(_text(item, PLAIN_IN_BRACKETS) if isinstance(item, str) else _other(item) for item in items)}]"


def _scalar(head: str, value: object, indent: str) -> str:
    """A scalar. Text of several lines is written as a block, other text that is too long is quoted and folded."""
    if not isinstance(value, str):
        return head + _other(value)
    tag, end = (UNSAFE, NO_LINT) if isinstance(value, Verbatim) else ("", "")
    if "\n" in value and (lines := _literal(value, WIDTH - len(indent))):
        start = f"{head}{tag}{'|' if value.endswith('\n') else '|-'}{end}"
        return "\n".join((start, *(f"{indent}  {line}".rstrip(" ") for line in lines)))
    if len(line := f"{head}{tag}{_text(value)}{end}") <= WIDTH:
        return line
    return "\n".join(_folded(head + tag, value, indent + "  ", WIDTH - len(end))) + end


def _literal(value: str, room: int) -> list[str] | None:
    """The lines of text that can be written as a block; None where that would change it or needs escapes."""
    lines = value.removesuffix("\n").split("\n")
    edges = bool(lines[0]) and not lines[0].startswith(" ") and bool(lines[-1]) and "\n\n\n" not in value
    sound = (line.isprintable() and not line.endswith(" ") and len(line) < room for line in lines)
    return lines if edges and all(sound) else None


def _folded(head: str, value: str, indent: str, width: int) -> Iterator[str]:
    line = f'{head}"'
    for part in FOLDS.findall(_quoted(value)[1:-1]):
        if len(line) + len(part) >= width and len(line) > len(indent):
            yield line + "\\"
            line = indent + ("\\" if part.startswith(" ") else "")
        line += part
    yield f'{line}"'


@lru_cache(maxsize=256)  # most steps have the same ones
def _key(key: str) -> str:
    return _text(key)


def _text(value: str, plain: re.Pattern[str] = PLAIN) -> str:
    if plain.fullmatch(value) and value.lower() not in WORDS and not value.endswith("."):
        return value
    return _quoted(value)


def _quoted(value: str) -> str:
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _other(value: object) -> str:
    """A number, true, false, null, or an empty list or mapping."""
    text = json.dumps(value, allow_nan=False)
    return text.replace("e", ".0e") if isinstance(value, float) and "e" in text and "." not in text else text
