# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `policy`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import examples
from rack_recipes.run.trust.policy import READ, WRITE

if TYPE_CHECKING:
    from rack_recipes.run.trust.os_user import User
    from rack_recipes.run.trust.policy import Globs, Policy, Rule

COLUMNS = ("line", "rule", "recipes", "scriptlets", "hosts", "keys", "become", "store")
ANY, UNSET = "any", ""


def add_policy(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("--user", metavar="NAME", help="another user of this machine (default: this one)")
    examples(command, "rack-recipes policy", "rack-recipes policy --user alice --json | jq '.rules[].may'")


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
    from rack_recipes.cli.terminal.text_table import to_text

    if active is None:
        return "no policy is set: everybody may do everything\n"
    if not rules:
        return f"{active.file}: no rule is about {user.name}, who may do nothing here\n"
    return to_text(COLUMNS, [_row(rule) for rule in rules])


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
