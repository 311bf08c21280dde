# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the rules for the answers of Ansible's modules: our own, and those of a project's file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rack_recipes.errors import RecipeError, RecipeErrors, UsageError
from rack_recipes.recipe.recipe_model import Path as ValuePath
from rack_recipes.recipe.yaml.node_positions import KEY
from rack_recipes.recipe.yaml.reader import Document, read
from rack_recipes.recipe.yaml.values_in_messages import closest, listed, shown
from rack_recipes.run.stage.module_answers.device_errors import AnswerRule, AnswerRules

OURS = Path(__file__).with_name("module_errors.yml")
LISTS = ("errors", "no_errors")
TOP = (*LISTS, "unreachable")
EXPECTED = f"a mapping with {listed(TOP)}"
EXAMPLE = "{modules: [site.lab.pdu_info], fields: {ok: false}, reason: message}"

Problem = tuple[ValuePath, str, str, str]
Check = Callable[[Any, ValuePath], Iterator[Problem]]


@cache
def answer_rules(path: str) -> AnswerRules:
    """Our rules and those of the project's file `path`, which may be empty.

    Raises UsageError with all that is wrong with the file, each problem with its place.
    """
    return (_read(Path(path), path) if path else AnswerRules()) + _read(OURS, OURS.name)


def _read(file: Path, name: str) -> AnswerRules:
    try:
        document = read(file.read_bytes(), name, EXPECTED)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from error
    except RecipeErrors as error:
        raise UsageError(str(error)) from error
    problems = [RecipeError(document.places[path], *words) for path, *words in _problems(document)]
    if problems:
        raise UsageError(str(RecipeErrors(problems)))
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


def _problems(document: Document) -> Iterator[Problem]:
    data = document.data
    yield from _unknown(data, TOP, ())
    for name in (name for name in LISTS if data.get(name) is not None):
        yield from _rules(data[name], (name,))
    if data.get("unreachable") is not None:
        yield from _list_of(_pattern, "a list of regular expressions")(data["unreachable"], ("unreachable",))


def _rules(value: Any, path: ValuePath) -> Iterator[Problem]:
    yield from _list_of(_rule_problems, "a list of rules")(value, path)


def _rule_problems(rule: Any, path: ValuePath) -> Iterator[Problem]:
    if not isinstance(rule, dict):
        yield path, f"a rule, such as {EXAMPLE}", shown(rule), ""
        return
    yield from _unknown(rule, tuple(CHECKS), path)
    for name in rule.keys() & CHECKS.keys():
        yield from CHECKS[name](rule[name], (*path, name))
    if "modules" not in rule:
        yield path, "modules in a rule (['*'] is every module)", "none", ""
    if ("text" in rule) == ("fields" in rule):
        yield path, "either text or fields in a rule", "both" if "text" in rule else "neither", ""


def _unknown(data: Mapping[str, Any], known: tuple[str, ...], path: ValuePath) -> Iterator[Problem]:
    for name in data:
        if name not in known:
            yield (*path, name, KEY), f"one of {listed(known, len(known))}", shown(name), closest(name, known)


def _list_of(check: Check, expected: str) -> Check:
    def check_list(value: Any, path: ValuePath) -> Iterator[Problem]:
        if not isinstance(value, list) or not value:
            yield path, expected, shown(value), ""
            return
        for number, item in enumerate(value):
            yield from check(item, (*path, number))

    return check_list


def _text(value: Any, path: ValuePath) -> Iterator[Problem]:
    if not isinstance(value, str) or not value:
        yield path, "text", shown(value), ""


def _pattern(value: Any, path: ValuePath) -> Iterator[Problem]:
    yield from _text(value, path)
    try:
        re.compile(str(value))
    except (re.error, OverflowError) as error:
        yield path, "a regular expression", f"{shown(value)} ({error})", ""


def _fields(value: Any, path: ValuePath) -> Iterator[Problem]:
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
