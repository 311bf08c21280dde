# SPDX-License-Identifier: GPL-3.0-or-later

"""A policy: who may do what. Decides whether it allows something, and if not, by which rule and why.

What no rule allows is refused. What a `may_not` rule forbids is refused even if another rule allows it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.errors import Place
from rack_recipes.run.trust.os_user import User

READ, WRITE = "read", "write"  # of keys of the context
ACTIONS = ("run", "debug", "change", "delete", "waive", READ, WRITE)
Globs = tuple[str, ...] | None  # None where the rule says nothing of it


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `allows` is False for a `may_not` rule.

    `become` is true or false for any other user or none, or lists the users that are meant. None means that the rule
    says nothing of it; the same holds for the patterns and for `store`.
    """

    place: Place
    allows: bool
    actions: tuple[str, ...]
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    recipes: Globs = None
    scriptlets: Globs = None
    hosts: Globs = None
    become: bool | tuple[str, ...] | None = None
    store: bool | None = None
    keys: Globs = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a policy file; paths in them are relative to `folder`."""

    file: str
    folder: Path
    rules: tuple[Rule, ...]


ROOT = "root"
NAMED = 3  # how many hosts a reason names
TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
Resolve = Callable[[str], Iterable[str]]


@dataclass(frozen=True, slots=True)
class PolicyCase:
    """One thing that somebody wants to do. `host` is empty if it is not known yet or there is none.

    `unsure` says why it may run as another user than `become`.
    """

    action: str
    recipe: str = ""
    scriptlet: str = ""
    become: str = ""
    host: str = ""
    store: bool = False
    unsure: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a case is refused.

    `rule` is the rule that forbids it, otherwise the rule that comes nearest to allowing it. `matters` names the parts
    of the rule that decide.
    """

    rule: Rule | None
    case: PolicyCase
    matters: tuple[str, ...]


def rule_applies(rule: Rule, user: User) -> bool:
    """Whether a rule applies to a user."""
    return _matches_any(rule.users, user.name) or any(_matches_any(rule.groups, group) for group in user.groups)


def refusal_reasons(
    policy: Policy, user: User, cases: Sequence[PolicyCase], resolve: Resolve | None = None
) -> list[str]:
    """Return why cases are refused, an empty list if all are allowed.

    `resolve` returns the hosts of a pattern; None means that hosts are not known yet.
    """
    rules = [rule for rule in policy.rules if rule_applies(rule, user)]
    matcher = RuleMatcher(policy.folder, _hosts_of_patterns(rules, resolve))
    found: dict[Refusal, list[str]] = {}
    for case in cases:
        refusal = _refusal([rule for rule in rules if case.action in rule.actions], case, matcher)
        if refusal:
            short = _without_irrelevant(refusal)
            found.setdefault(short, []).append(refusal.case.host)
    return [_reason_text(policy, user, refusal, hosts) for refusal, hosts in found.items()]


def _hosts_of_patterns(rules: Iterable[Rule], resolve: Resolve | None) -> Mapping[str, frozenset[str]] | None:
    if resolve is None:
        return None
    patterns = dict.fromkeys(pattern for rule in rules for pattern in rule.hosts or ())
    return {pattern: frozenset(resolve(pattern)) for pattern in patterns}


@dataclass(frozen=True, slots=True)
class RuleMatcher:
    """Compares the parts of a rule with a case. `hosts` has the hosts of each pattern, None before a run."""

    folder: Path
    hosts: Mapping[str, frozenset[str]] | None

    def mismatches(self, rule: Rule, case: PolicyCase) -> tuple[str, ...]:
        """Return the names of the parts of a rule that do not match."""
        return tuple(name for name, fit in MATCHERS.items() if not fit(self, rule, case))

    def recipe(self, rule: Rule, case: PolicyCase) -> bool:
        """Compare the recipe by its real path: a link does not make it another recipe."""
        if rule.recipes is None or not case.recipe:
            return rule.allows or rule.recipes is None
        real = _real(os.path.abspath(case.recipe))  # noqa: PTH100
        return any(_glob(os.path.join(self.folder, glob)).fullmatch(real) for glob in rule.recipes)  # noqa: PTH118

    def scriptlet(self, rule: Rule, case: PolicyCase) -> bool:
        """Compare the name of the scriptlet or module."""
        if rule.scriptlets is None or not case.scriptlet:
            return rule.allows or rule.scriptlets is None
        return _matches_any(rule.scriptlets, case.scriptlet)

    def host(self, rule: Rule, case: PolicyCase) -> bool:
        """Compare the host. While it is not known, a rule that allows matches and a rule that forbids does not."""
        if rule.hosts is None or not case.host or self.hosts is None:
            return rule.allows or rule.hosts is None
        return any(case.host in self.hosts[pattern] for pattern in rule.hosts)

    def become(self, rule: Rule, case: PolicyCase) -> bool:
        """Compare the user. A rule that says nothing of `become` allows no other user than the one who is logged in."""
        if rule.become is None:
            return not rule.allows or not case.become
        if isinstance(rule.become, bool):
            return rule.become == bool(case.become) or (rule.allows and rule.become)
        if case.unsure:  # it may be any user, so a forbidden one, too
            return not rule.allows
        return case.become in rule.become or (rule.allows and not case.become)

    def store(self, rule: Rule, case: PolicyCase) -> bool:
        """Compare the store. A rule that says nothing of the store does not allow to change it."""
        if rule.store is None:
            return not rule.allows or not case.store
        return rule.store == case.store or (rule.allows and rule.store)


MATCHERS: Mapping[str, Callable[[RuleMatcher, Rule, PolicyCase], bool]] = {
    "recipes": RuleMatcher.recipe,
    "scriptlets": RuleMatcher.scriptlet,
    "become": RuleMatcher.become,
    "hosts": RuleMatcher.host,
    "store": RuleMatcher.store,
}


def _refusal(rules: Sequence[Rule], case: PolicyCase, matcher: RuleMatcher) -> Refusal | None:
    nearest: tuple[int, Refusal] | None = None
    allowed = False
    for rule in rules:
        mismatches = matcher.mismatches(rule, case)
        if not rule.allows:
            if not mismatches:
                return Refusal(rule, case, tuple(name for name in MATCHERS if getattr(rule, name) is not None))
        elif not mismatches:
            allowed = True
        elif nearest is None or len(mismatches) < nearest[0]:
            nearest = len(mismatches), Refusal(rule, case, mismatches)
    if allowed:
        return None
    return nearest[1] if nearest else Refusal(None, case, ())


def _without_irrelevant(refusal: Refusal) -> Refusal:
    """Remove what does not matter, so that a hundred hosts or steps share one reason."""
    case, matters = refusal.case, refusal.matters
    return replace(
        refusal,
        case=replace(
            case,
            scriptlet=case.scriptlet if "scriptlets" in matters or not case.recipe else "",
            become=case.become if "become" in matters else "",
            unsure=case.unsure if "become" in matters else "",
            host="",
        ),
    )


def _reason_text(policy: Policy, user: User, refusal: Refusal, hosts: Sequence[str]) -> str:
    case, rule = refusal.case, refusal.rule
    place = f"{policy.file}:{rule.place.line}" if rule else policy.file
    become = _become_text(case)
    named = dict.fromkeys(host for host in hosts if host) if "hosts" in refusal.matters else {}
    said = (
        f"{user.name} may not {case.action}",
        _target_text(case),
        become,
        f"on {first_few([*named], NAMED)}" if named else "",
    )
    return f"{place}: {' '.join(filter(None, said))}{'' if rule else ': no rule says that they may'}"


def _become_text(case: PolicyCase) -> str:
    if not case.become:
        return ""
    user = f"with become{'' if case.become == ROOT else f' as {case.become}'}"
    return f"{user}, {case.unsure}" if case.unsure else user


def _target_text(case: PolicyCase) -> str:
    if case.store:
        return "the store"
    if case.recipe and case.scriptlet:
        return f"{case.scriptlet} in {case.recipe}"
    return case.recipe or case.scriptlet


def _matches_any(globs: Globs, name: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs or ())


@lru_cache(maxsize=64)
def _real(path: str) -> str:
    return os.path.realpath(path)


@lru_cache(maxsize=1024)
def _glob(path: str) -> re.Pattern[str]:
    """Compile a path pattern: `*` stays inside a folder, `**` does not."""
    return re.compile("".join(_pieces(os.path.normpath(path))), re.DOTALL)


def _pieces(path: str) -> Iterator[str]:
    for token in TOKENS.findall(path):
        yield MEANING.get(token) or re.escape(token)
