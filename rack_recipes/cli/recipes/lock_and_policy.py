# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands lock and policy: what recipes are made of, and what a user may do here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.terminal import format_table
from rack_recipes.errors import UsageError, counted
from rack_recipes.run.trust.policy import READ, WRITE

if TYPE_CHECKING:
    from rack_recipes.run.trust.lock_file import Difference, LockFile
    from rack_recipes.run.trust.os_user import User
    from rack_recipes.run.trust.policy import Globs, Policy, Rule
    from rack_recipes.settings import Settings


@takes(
    """
    [RECIPE...] as recipes  recipes to lock, in addition to those that are locked already
    --check  write nothing; show what differs from the lock file (exit code 1)
    examples:
    rack-recipes lock recipes/*.yml && git diff rack-recipes.lock
    rack-recipes lock --check
    rack-recipes run recipes/numbers.yml --locked
    """
)
def lock(options: argparse.Namespace) -> Answer:
    """Record what recipes are made of, so that `run --locked` runs nothing else.

    The file rack-recipes.lock has the SHA-256 of each recipe and of the recipes that it includes, and of each scriptlet
    and hook with the files that it imports. For Ansible modules it has the versions of their packages; for modules,
    plugins and collections of the project it has their digests. The file belongs into version control. A recipe that no
    longer exists is dropped.
    """
    from rack_recipes import settings as project
    from rack_recipes.run.trust.check_trust import check_lock
    from rack_recipes.run.trust.lock_file import LockFile, differences, has_lock, read_lock, write_lock

    settings = project.load()
    is_first = not has_lock()
    locked = LockFile() if is_first and not options.check else read_lock()
    paths = _recipe_paths(options.recipes, locked)
    current = _current_lock(paths, settings)
    found = [*differences(locked, current)]
    if options.check:
        return _answer(found, len(current.recipes), 1 if found else 0)
    check_lock(paths, settings)
    write_lock(current)
    if is_first:  # all of it is new: each line would sound like a complaint
        sys.stderr.write(f"locked {counted(len(current.recipes), 'recipe')}, {_made_of(current)}\n")
    return _answer(found, len(current.recipes), 0, is_told=is_first)


def _made_of(lock: LockFile) -> str:
    return f"{counted(len(lock.scriptlets), 'scriptlet')} and {counted(len(lock.modules), 'module')} of Ansible"


def _recipe_paths(given: Iterable[str], locked: LockFile) -> list[str]:
    """Return the paths of the given recipes and of the locked ones that still exist.

    Raises UsageError if there are none.
    """
    from rack_recipes.recipe.recipe_names import file_of, resolve
    from rack_recipes.run.trust.trust_request import in_project

    still = (path for path in locked.recipes if file_of(path).exists())
    paths = dict.fromkeys([*(in_project(resolve(word)) for word in given), *still])
    if not paths and not locked.recipes:
        raise UsageError("rack-recipes lock: expected RECIPE, such as recipes/numbers.yml: none is locked yet")
    return sorted(paths)


def _current_lock(paths: Iterable[str], settings: Settings) -> LockFile:
    from rack_recipes.plan.compile.playbook_file import plan_of
    from rack_recipes.run.trust.lock_file import lock_of
    from rack_recipes.run.trust.trust_request import request_of_plan

    return lock_of(request_of_plan(plan_of(path, settings), settings) for path in paths)


def _answer(found: Iterable[Difference], recipes: int, code: int, *, is_told: bool = False) -> Answer:
    """Print a line to stderr for each difference unless it is told, and return the answer with all of them."""
    differences = [*found]
    sys.stderr.writelines(f"{one}\n" for one in differences if not is_told)
    status = "error" if code else "ok"
    return {"status": status, "recipes": recipes, "differences": [asdict(one) for one in differences]}, code


COLUMNS = ("line", "rule", "recipes", "scriptlets", "hosts", "keys", "become", "store")
ANY, UNSET = "any", ""


@takes(
    """
    --user NAME  another user of this machine (default: this one)
    examples:
    rack-recipes policy
    rack-recipes policy --user alice --json | jq '.rules[].may'
    """
)
def policy(options: argparse.Namespace) -> Answer:
    """Show what a user may do here: the rules of the project's policy that apply to them.

    What no rule allows is refused, and what any rule forbids is refused, too. Without the setting `policy` everybody
    may do everything.
    """
    from rack_recipes import settings
    from rack_recipes.run.trust.os_user import this_user, user_named
    from rack_recipes.run.trust.policy import rule_applies
    from rack_recipes.run.trust.read_policy_file import read_policy

    user = user_named(options.user) if options.user else this_user()
    path = settings.load().policy
    active = read_policy(path) if path else None
    rules = [rule for rule in active.rules if rule_applies(rule, user)] if active else []
    return (_data(user, active, rules) if options.json else _text(user, active, rules)), 0


def _data(user: User, active: Policy | None, rules: list[Rule]) -> dict[str, Any]:
    return {
        "status": "ok",
        "user": user.name,
        "groups": sorted(user.groups),
        "policy": active.file if active else None,
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    said = {name: getattr(rule, name) for name in COLUMNS[2:]}
    given = {name: [*value] if isinstance(value, tuple) else value for name, value in said.items() if value is not None}
    return {"line": rule.place.line, "may" if rule.allows else "may_not": [*rule.actions], **given}


def _text(user: User, active: Policy | None, rules: list[Rule]) -> str:
    if active is None:
        return "no policy is set: everybody may do everything\n"
    if not rules:
        return f"{active.file}: no rule is about {user.name}, who may do nothing here\n"
    return format_table(COLUMNS, [_row(rule) for rule in rules])


def _row(rule: Rule) -> list[str]:
    allowed = "may" if rule.allows else "may not"
    is_about_keys = bool({READ, WRITE} & {*rule.actions})
    named = ["" if is_about_keys else _globs_text(globs) for globs in (rule.recipes, rule.scriptlets, rule.hosts)]
    unset = UNSET if rule.allows or is_about_keys else ANY
    return [
        str(rule.place.line),
        f"{allowed} {', '.join(rule.actions)}",
        *named,
        _globs_text(rule.keys) if is_about_keys else "",
        unset if rule.become is None else _value_text(rule.become),
        unset if rule.store is None else _value_text(rule.store),
    ]


def _globs_text(globs: Globs) -> str:
    return ANY if globs is None else " ".join(globs)


def _value_text(value: bool | tuple[str, ...]) -> str:
    return " ".join(value) if isinstance(value, tuple) else "yes" if value else "no"
