# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the result of an Ansible module says of its device: errors inside of it, and whether the device was reached."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import few

NAMED = 3  # how many errors a reason names
# Ansible puts these before the message of an error that ends a module.
PREFIX = re.compile(r"\A(Task failed: |[A-Za-z]+(Error|Failure|Exception): )+")


# How network_cli shows the screen of a device that has refused a command: bytes, as Python writes them.
SCREEN = re.compile(r"\A(?:[A-Za-z]+: )*(b(['\"]).*\2)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """What to look for in the results of some modules, and where.

    `modules` are patterns of full names. `at` is a path of keys; empty for the whole result. A text below it matches
    the regular expression `text`, or a mapping there has all of the `fields`; the key `reason` of that mapping holds
    the words of the device. `says` is said instead of these words.
    """

    modules: tuple[str, ...]
    at: tuple[str, ...] = ()
    text: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    says: str = ""

    def is_for(self, names: Iterable[str]) -> bool:
        """Whether one of the names of a module matches a pattern."""
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.modules)

    def covers(self, path: tuple[str, ...], value: Any) -> bool:
        """Whether a value of the result, which is at `path` there, is what this rule describes."""
        if path[: len(self.at)] != self.at:
            return False
        if self.text:
            return isinstance(value, str) and re.search(self.text, value) is not None
        return isinstance(value, Mapping) and all(
            name in value and _same(value[name], known) for name, known in self.fields.items()
        )

    def words(self, value: Any) -> str:
        """What is said of a value that this rule covers: the words of the device, or those of the rule."""
        if self.says:
            return self.says
        if isinstance(value, str):
            return value.strip()
        said = value.get(self.reason) if self.reason else None
        return str(said) if said else ", ".join(f"{name}: {_shown(known)}" for name, known in self.fields.items())


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """How to read the results of modules. What a rule of `no_errors` covers is no error, whatever else covers it.

    `unreachable` has regular expressions for the messages of modules that could not reach their device.
    """

    errors: tuple[AnswerRule, ...] = ()
    no_errors: tuple[AnswerRule, ...] = ()
    unreachable: tuple[str, ...] = ()

    def __add__(self, more: AnswerRules) -> AnswerRules:
        """These rules and more."""
        return AnswerRules(
            self.errors + more.errors, self.no_errors + more.no_errors, self.unreachable + more.unreachable
        )

    def of(self, names: Iterable[str]) -> AnswerRules:
        """The rules for a module, which may have several names."""
        known = tuple(names)
        errors, no_errors = (
            tuple(rule for rule in rules if rule.is_for(known)) for rules in (self.errors, self.no_errors)
        )
        return AnswerRules(errors, no_errors, self.unreachable)

    def error_in(self, result: Mapping[str, Any]) -> str:
        """The errors inside of a module's result, in the words of the device; empty where there are none."""
        if not self.errors:
            return ""
        found = []
        for path, value in _values(result, ()):
            rule = next((rule for rule in self.errors if rule.covers(path, value)), None)
            if rule and not any(each.covers(path, value) for each in self.no_errors):
                found.append(f"{'.'.join(path)}: {rule.words(value)}" if path else rule.words(value))
        return few(found, NAMED, "; ")

    def is_unreachable(self, message: str) -> bool:
        """Whether a module says with its message that it could not reach its device."""
        said = PREFIX.sub("", message.strip())
        return any(re.search(pattern, said, re.DOTALL) for pattern in self.unreachable)


def readable(message: str) -> str:
    """A module's message as people read it: of the screen of a device what it said, without command and prompt."""
    screen = SCREEN.match(message.strip())
    if not screen:
        return message
    try:
        lines = literal_eval(screen[1]).decode("utf-8", "backslashreplace").split("\n")
    except (SyntaxError, ValueError):
        return message
    return "\n".join(line.strip() for line in lines[1:-1]).strip() or message


def _values(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All texts and mappings in JSON data, with their paths; the items of a list are numbered."""
    if isinstance(value, (str, Mapping)):
        yield path, value
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        yield from _values(part, (*path, str(name)))


def _same(value: Any, known: Any) -> bool:
    return value == known and isinstance(value, bool) == isinstance(known, bool)  # to Python, 0 is False


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
