# SPDX-License-Identifier: GPL-3.0-or-later

"""What the result of an Ansible module says.

Errors of its device by rules of ours and of the project, packages that are missing on the controller, and the part
that a context key takes.
"""

from __future__ import annotations

import json
import re
from ast import literal_eval
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.language.references import follow_path
from ansible_collections.rack.recipes.plugins.module_utils.language.references import value_for_message as shown_value
from rack_recipes.errors import nearest
from rack_recipes.recipe.catalog.find_scriptlet import COLLECTION, nearest_builtin
from rack_recipes.recipe.recipe_model import Path as ValuePath
from rack_recipes.recipe.recipe_model import ResultPart
from rack_recipes.recipe.values_in_messages import listed, shown
from rack_recipes.recipe.yaml.files_beside_recipes import Check, Problem, placed, read_file, refuse, unknown

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

    def covers(self, path: tuple[str, ...], value: object) -> bool:
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

    def error_in(self, result: Mapping[str, object]) -> str:
        """The errors inside of a module's result, in the words of the device; empty where there are none."""
        if not self.errors:
            return ""
        found = []
        for path, value in _values(result, ()):
            rule = next((rule for rule in self.errors if rule.covers(path, value)), None)
            if rule and not any(each.covers(path, value) for each in self.no_errors):
                found.append(f"{'.'.join(path)}: {rule.words(value)}" if path else rule.words(value))
        return first_few(found, NAMED, "; ")

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


def _values(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All texts and mappings in JSON data, with their paths; the items of a list are numbered."""
    if isinstance(value, (str, Mapping)):
        yield path, value
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        yield from _values(part, (*path, str(name)))


def _same(value: object, known: object) -> bool:
    return value == known and isinstance(value, bool) == isinstance(known, bool)  # to Python, 0 is False


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


OURS = Path(__file__).with_name("module_errors.yml")
LISTS = ("errors", "no_errors")
TOP = (*LISTS, "unreachable")
EXPECTED = f"a mapping with {listed(TOP)}"
EXAMPLE = "{modules: [site.lab.pdu_info], fields: {ok: false}, reason: message}"


@cache
def answer_rules(path: str) -> AnswerRules:
    """Our rules and those of the project's file `path`, which may be empty.

    Raises UsageError with all that is wrong with the file, each problem with its place.
    """
    return (_read(path) if path else AnswerRules()) + _read(str(OURS))


def _read(file: str) -> AnswerRules:
    document, _digest = read_file(file, EXPECTED)
    refuse(placed(document, _problems(document.data)))
    errors, no_errors = (tuple(map(_rule, document.data.get(each) or ())) for each in LISTS)
    return AnswerRules(errors, no_errors, tuple(document.data.get("unreachable") or ()))


def _rule(data: Mapping[str, Any]) -> AnswerRule:
    return AnswerRule(
        modules=tuple(data["modules"]),
        at=tuple(data["at"].split(".")) if "at" in data else (),
        text=data.get("text", ""),
        fields=data.get("fields", {}),
        reason=data.get("reason", ""),
        says=data.get("says", ""),
    )


def _problems(data: Mapping[str, object]) -> Iterator[Problem]:
    yield from unknown(data, TOP, ())
    for name in (name for name in LISTS if data.get(name) is not None):
        yield from _list_of(_rule_problems, "a list of rules")(data[name], (name,))
    if data.get("unreachable") is not None:
        yield from _list_of(_pattern, "a list of regular expressions")(data["unreachable"], ("unreachable",))


def _rule_problems(rule: object, path: ValuePath) -> Iterator[Problem]:
    if not isinstance(rule, dict):
        yield path, f"a rule, such as {EXAMPLE}", shown(rule), ""
        return
    yield from unknown(rule, CHECKS, path)
    for name in rule.keys() & CHECKS.keys():
        yield from CHECKS[name](rule[name], (*path, name))
    if "modules" not in rule:
        yield path, "modules in a rule (['*'] is every module)", "none", ""
    if ("text" in rule) == ("fields" in rule):
        yield path, "either text or fields in a rule", "both" if "text" in rule else "neither", ""


def _list_of(check: Check, expected: str) -> Check:
    def check_list(value: object, path: ValuePath) -> Iterator[Problem]:
        if not isinstance(value, list) or not value:
            yield path, expected, shown(value), ""
            return
        for number, item in enumerate(value):
            yield from check(item, (*path, number))

    return check_list


def _text(value: object, path: ValuePath) -> Iterator[Problem]:
    if not isinstance(value, str) or not value:
        yield path, "text", shown(value), ""


def _pattern(value: object, path: ValuePath) -> Iterator[Problem]:
    yield from _text(value, path)
    try:
        re.compile(str(value))
    except (re.error, OverflowError) as error:
        yield path, "a regular expression", f"{shown(value)} ({error})", ""


def _fields(value: object, path: ValuePath) -> Iterator[Problem]:
    if not isinstance(value, dict) or not value:
        yield path, "a mapping of fields to their values, such as {ret: false}", shown(value), ""


CHECKS: Mapping[str, Check] = {
    "modules": _list_of(_text, "a list of module names, each of which may have * in it"),
    "at": _text,
    "text": _pattern,
    "fields": _fields,
    "reason": _text,
    "says": _text,
}
INSTALL = "install its collection on the machine that runs Ansible (ansible-galaxy collection install {collection})"
# What Ansible and its connections say, as of ansible-core 2.21 and ansible.netcommon 8.7; and what to do about it.
ADVICE = (
    (
        r"the connection plugin '(?P<name>(?P<collection>\w+\.\w+)\.\w+)' was not found",
        f"there is no connection {{name}}: {INSTALL}",
    ),
    (
        r"paramiko is not installed|required Python library \(ansible-pylibssh\)",
        (
            "network_cli needs an SSH library: install ansible-pylibssh for the Python that runs Ansible "
            "(pip install ansible-pylibssh)"
        ),
    ),
    (
        r"required Python library \(ncclient\)|ncclient is (not installed|required)",
        "netconf needs the library ncclient: install it for the Python that runs Ansible (pip install ncclient)",
    ),
    (
        r"Unable to automatically determine host network os",
        "the host needs the variable ansible_network_os, such as arista.eos.eos or cisco.nxos.nxos",
    ),
    (
        r"network os (?P<name>\S+) is not supported",
        (
            "there is no network OS {name} here: correct the variable ansible_network_os of the host, or install the "
            "collection that it names on the machine that runs Ansible"
        ),
    ),
)


def missing_on_controller(message: str) -> str:
    """What is missing where Ansible runs and what to do, by a message of Ansible's; empty for any other message."""
    found = ((re.search(pattern, message), advice) for pattern, advice in ADVICE)
    return next((advice.format(**match.groupdict()) for match, advice in found if match), "")


def unknown_module(name: str) -> str:
    """That there is no module of this full name, with the nearest one of its collection or how to get that."""
    collection, _dot, last = name.rpartition(".")
    if collection == COLLECTION:
        near = nearest_builtin(name)
    elif (folder := _modules_of(collection)) is None:
        return f"there is no module {name}: {INSTALL.format(collection=collection)}"
    else:
        known = {path.stem: f"{collection}.{path.stem}" for path in sorted(folder.glob("[a-z]*.py"))}
        near = known.get(nearest(last, [*known]), "")
    return f"there is no module {name}" + (f", did you mean {near}?" if near else " in its collection")


def _modules_of(collection: str) -> Path | None:
    """The folder of a collection's modules; None where the collection is not installed."""
    try:
        spec = find_spec(f"ansible_collections.{collection}.plugins")
    except (ImportError, ValueError):
        return None
    place = next(iter(spec.submodule_search_locations or ()), "") if spec else ""
    return Path(place, "modules") if place else None


RESULT = "the result"


def part_of(result: Mapping[str, object], part: ResultPart) -> Any:
    """The value at the path of a part. Raises ValueError, with the nearest key, where the result has none there.

    With `parse: json` each text on the path and at its end is read as JSON. What is no text is parsed already.
    """
    value, name = _parsed(result, part, RESULT), RESULT
    for word in part.at.split(".") if part.at else ():
        value = follow_path(name, value, [word])
        name = word if name == RESULT else f"{name}.{word}"
        value = _parsed(value, part, name)
    return value


def _parsed(value: object, part: ResultPart, name: str) -> Any:
    if not isinstance(value, str) or part.parse != "json":
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError(f"{name} is no JSON: it is {shown_value(value)}") from None
