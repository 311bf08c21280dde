# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that mark their values as secrets, passwords in URLs, and the secrets among the arguments of a step."""

from __future__ import annotations

from _operator import is_not

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

MASKED = "********"
SHORTEST = 4  # characters of a value that is a secret by its name or place: a shorter one may be part of any text
LONGEST = 16384  # characters of a secret, a private key for example
MOST = 1000  # secrets that are registered at once
DEEP = (dict, list, tuple)
WALKED = frozenset((dict, list, str))  # of JSON data, what may hold a secret inside
URL = "://"
# The password is what stands between the first colon and the @; a port with a path behind it is none. Some people write
# an @ inside of a password as it is: then the host begins behind the last one.
AFTER_USER = r"://[^\s/@:\[]*:(?!\d{1,5}[/?#])(?P<first>[^\s@]{1,256})(?P<more>(?:@[^\s/?#@]{0,256}){0,8})@"
COMMON = frozenset(("true", "false", "null", "none", *VERDICTS))  # never secrets, whatever the name


class SecretNames:
    """Patterns of names, as for files: `*` is any text, `?` any character, `[ab]` one of these."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        lower = [pattern.lower() for pattern in patterns]
        self._ends = tuple(pattern[1:] for pattern in lower if _is_end(pattern))
        self._others = [pattern for pattern in lower if not _is_end(pattern)]

    def match(self, name: str) -> bool:
        """Whether the name of an argument, a parameter or a variable fits one of the patterns; case is ignored."""
        name = name.lower()
        if name.endswith(self._ends):
            return True
        if not self._others:
            return False
        from fnmatch import fnmatchcase  # the default patterns are all of the short form

        return any(fnmatchcase(name, pattern) for pattern in self._others)

    def match_key(self, key: str) -> bool:
        """Whether a context key fits one of the patterns, with its version or without."""
        return self.match(key) or self.match(key.rpartition("_v")[0])

    def mask_named(self, value: object, found: list[str]) -> Any:
        """JSON data in which each value under the name of a secret is `********`, and so is each password in a URL.

        These texts are appended to `found`. The same object is returned where nothing is masked. A value without any
        text or number is no secret.
        """
        if isinstance(value, dict):
            return self._mask_mapping(value, found)
        if isinstance(value, list) and not WALKED.isdisjoint(map(type, value)):
            masked = [self.mask_named(item, found) for item in value]
            return masked if any(map(is_not, masked, value)) else value
        if isinstance(value, str) and URL in value:
            return _without_url_passwords(value, found)
        return value

    def _mask_mapping(self, value: dict[str, object], found: list[str]) -> dict[str, Any]:
        changed: dict[str, Any] = {}
        for name, item in value.items():
            if self.match(name) and any(texts_of(item)):
                found += long_texts_of(item)
                changed[name] = MASKED
            elif type(item) in WALKED:
                masked = self.mask_named(item, found)
                if masked is not item:
                    changed[name] = masked
        return {**value, **changed} if changed else value

    def mask_key(self, key: str, value: object, found: list[str]) -> Any:
        """The value of a context key, masked as by `mask_named`; all of it where the key is the name of a secret."""
        if value is not None and self.match_key(key):
            found += long_texts_of(value)
            return MASKED
        return self.mask_named(value, found)


def _is_end(pattern: str) -> bool:
    return pattern[:1] == "*" and len(pattern) > 1 and not any(sign in pattern[1:] for sign in "*?[")


def texts_of(value: object, *, numbers: bool = True) -> list[str]:
    """All texts in a value, however deep, and its numbers as texts unless `numbers` is false."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_of(item, numbers=numbers)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in texts_of(item, numbers=numbers)]
    if not numbers:
        return [str(value)] if isinstance(value, str) else []
    return [] if value is None or isinstance(value, bool) else [str(value)]


def long_texts_of(value: object, *, numbers: bool = True) -> list[str]:
    """The texts of `texts_of` that can be looked for in other texts: long enough, and no common word."""
    texts = texts_of(value, numbers=numbers)
    return [text for text in texts if len(text) >= SHORTEST and text.lower() not in COMMON]


def url_passwords(text: str) -> list[str]:
    """The passwords of the URLs in a text that can be looked for in other texts, as they are written and decoded."""
    found: list[str] = []
    _without_url_passwords(text, found)
    return found


def _without_url_passwords(text: str, found: list[str]) -> str:
    """The text with the passwords of its URLs masked; they are appended to `found`."""
    if "@" not in text:
        return text
    import re  # few texts are URLs with a user
    from urllib.parse import unquote

    def masked(match: re.Match[str]) -> str:
        first, whole = match["first"], match["first"] + match["more"]
        passwords = long_texts_of([*dict.fromkeys((whole, unquote(whole), first, unquote(first)))])
        found.extend(passwords)
        head = match.group()[: -len(whole) - 1]
        return f"{head}{MASKED}@" if passwords else match.group()

    return re.sub(AFTER_USER, masked, text)


def check_secrets(value: object) -> list[str]:
    """The texts to hide for a secret value, each once; words that stand in every text, such as verdicts, are none.

    Raises ValueError for bytes, and for texts that are too many, too long or too deeply nested. It shows none of them.
    """
    try:
        texts = [text for text in dict.fromkeys(texts_of(value)) if text and text.lower() not in COMMON]
    except RecursionError:
        raise ValueError("a secret is nested too deeply") from None
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise ValueError("a secret must be a text, or a list or mapping of texts: decode these bytes")
    if len(texts) > MOST:
        raise ValueError(f"{len(texts)} secrets at once: there may be {MOST}")
    if any(len(text) > LONGEST for text in texts):
        raise ValueError(f"a secret of {max(map(len, texts))} characters: it may have {LONGEST}")
    return texts


def secrets_in(options: Mapping[str, object] | None, params: Mapping[str, object], names: SecretNames) -> list[str]:
    """The texts and numbers of `no_log` options, the texts under names that match `names`, and passwords in URLs.

    They are found however deep. `options` is the argument spec of `params`, or None.
    """
    return list(_found(options, params, names, set()))


def _found(
    options: Mapping[str, Any] | None, value: Any, names: SecretNames, seen: set[tuple[int, int]]
) -> Iterator[str]:
    if (id(value), id(options)) in seen:
        return
    seen.add((id(value), id(options)))  # a variable may contain itself, and YAML aliases repeat the same value
    if not isinstance(value, dict):
        for item in value:
            yield from _inside(options, item, names, seen)
        return
    for name, item in value.items():
        spec = (options.get(name) if options else None) or {}
        if spec.get("no_log"):
            yield from long_texts_of(item)
        elif names.match(str(name)):
            yield from long_texts_of(item, numbers=False)
        else:
            yield from _inside(spec.get("options"), item, names, seen)


def _inside(
    options: Mapping[str, object] | None, item: object, names: SecretNames, seen: set[tuple[int, int]]
) -> Iterable[str]:
    if isinstance(item, str):
        return url_passwords(item) if URL in item else ()
    return _found(options, item, names, seen) if isinstance(item, DEEP) else ()
