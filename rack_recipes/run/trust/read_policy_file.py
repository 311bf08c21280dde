# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a policy file and reports all that is wrong with it, each problem with its position.

Like the lock file, it is read only where nobody but its owner can change it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rack_recipes.errors import CatalogError, RecipeErrors, TrustError
from rack_recipes.recipe.recipe_model import Path as ValuePath
from rack_recipes.recipe.trusted_files import Owners, check_owner
from rack_recipes.recipe.values_in_messages import shown
from rack_recipes.recipe.yaml.files_beside_recipes import Check, Problem, entries, placed, refuse, unknown, words
from rack_recipes.recipe.yaml.reader import Document, read
from rack_recipes.run.trust.policy import ACTIONS, READ, WRITE, Policy, Rule


def read_guarded(path: Path, owners: Owners, expected: str) -> Document:
    """Return the mapping in a YAML or JSON file that only its owner can change; the owner is one of `owners` or root.

    `expected` describes the mapping in error messages. Raises TrustError; for invalid YAML it names the position.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            check_owner(str(path), file.fileno(), owners | {0})
            return read(file.read(), str(path), expected)
    except OSError as error:
        raise TrustError(f"{path}: cannot be read: {error.strerror}") from error
    except (CatalogError, RecipeErrors) as error:
        raise TrustError(str(error)) from error


MAY, MAY_NOT = "may", "may_not"
ABOUT_KEYS = ("users", "groups", MAY, MAY_NOT, "keys")  # fields of a rule about keys


def read_policy(path: str) -> Policy:
    """Return the policy in a file that only root or this user can have written. Raises TrustError."""
    file = Path(path)
    document = read_guarded(file, frozenset((os.getuid(), 0)), "a mapping with rules")
    refuse(placed(document, entries(document, "rules", "rules", _rule_problems)), TrustError)
    rules = tuple(_rule(document, number, rule) for number, rule in enumerate(document.data["rules"]))
    return Policy(path, file.resolve().parent, rules)


def _rule(document: Document, number: int, data: Mapping[str, Any]) -> Rule:
    become = data.get("become")
    return Rule(
        place=document.places["rules", number],
        allows=MAY in data,
        actions=tuple(data.get(MAY) or data[MAY_NOT]),
        become=tuple(become) if isinstance(become, list) else become,
        store=data.get("store"),
        users=tuple(data.get("users", ())),
        groups=tuple(data.get("groups", ())),
        **{name: tuple(data[name]) for name in ("recipes", "scriptlets", "hosts", "keys") if name in data},
    )


def _rule_problems(rule: object, path: ValuePath) -> Iterator[Problem]:
    if not isinstance(rule, dict):
        yield path, "a rule, such as {users: [alice], may: [run]}", shown(rule), ""
        return
    yield from unknown(rule, CHECKS, path)
    for name in rule.keys() & CHECKS.keys():
        yield from CHECKS[name](rule[name], (*path, name))
    if (MAY in rule) == (MAY_NOT in rule):
        yield path, f"either {MAY} or {MAY_NOT} in a rule", "both" if MAY in rule else "neither", ""
    if not rule.keys() & {"users", "groups"}:
        yield path, "users or groups in a rule (['*'] is everybody)", "neither", ""
    yield from _mixed(rule, path)


def _mixed(rule: Mapping[str, Any], path: ValuePath) -> Iterator[Problem]:
    """Rules about keys say nothing of runs, and the other way round."""
    actions = [action for name in (MAY, MAY_NOT) if isinstance(rule.get(name), list) for action in rule[name]]
    of_keys = [action for action in actions if action in (READ, WRITE)]
    if not of_keys:
        if "keys" in rule:
            yield (*path, "keys"), f"may: [{READ}, {WRITE}] in a rule with keys", shown(actions), ""
        return
    for name in rule.keys() & CHECKS.keys() - {*ABOUT_KEYS}:
        yield (*path, name), f"only users, groups and keys in a rule with {READ} or {WRITE}", name, ""
    if len(of_keys) < len(actions):
        yield path, f"{READ} and {WRITE} in a rule of their own", shown(actions), ""


def _texts(value: object, path: ValuePath) -> Iterator[Problem]:
    if not isinstance(value, list) or not value:
        yield path, "a list of texts, each of which may have * in it", shown(value), ""
        return
    wrong = ((n, item) for n, item in enumerate(value) if not isinstance(item, str) or not item)
    yield from (((*path, n), "text", shown(item), "") for n, item in wrong)


def _actions(value: object, path: ValuePath) -> Iterator[Problem]:
    return words(value, path, ACTIONS)


def _truth(value: object, path: ValuePath) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield path, "true or false", shown(value), ""


def _become(value: object, path: ValuePath) -> Iterator[Problem]:
    if isinstance(value, list):
        yield from _texts(value, path)
    elif not isinstance(value, bool):
        yield path, "true, false, or a list of users", shown(value), ""


CHECKS: Mapping[str, Check] = {
    "users": _texts,
    "groups": _texts,
    MAY: _actions,
    MAY_NOT: _actions,
    "recipes": _texts,
    "scriptlets": _texts,
    "hosts": _texts,
    "become": _become,
    "store": _truth,
    "keys": _texts,
}
