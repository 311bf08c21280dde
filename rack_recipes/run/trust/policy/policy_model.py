# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A policy as it was written: who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rack_recipes.errors import Place

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
