# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Care for a store's schema: what `rack-recipes db` asks and does, each by the store's URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ansible_collections.rack.recipes.plugins.plugin_utils.store import database_engine as engines
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema import run_migrations as upgrades
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.schema_differences import differences
from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.tables import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine


class Schema(NamedTuple):
    """The revision that a store is at, or was at, None for an empty database; and the newest that is known here."""

    held: str | None
    newest: str = HEAD


def current(url: str, patience: float = engines.PATIENCE) -> Schema:
    """Which schema the store has; nothing is made or migrated. Raises StoreError where it cannot be read."""
    return Schema(_asked(url, engines.READERS, upgrades.current, patience))


def upgrade(url: str, patience: float = engines.PATIENCE) -> Schema:
    """Migrate the store to the newest schema with all that it holds; returns the one that it had before.

    Whatever opens a store for writing does the same. A store that is missing is made. Raises StoreError, also for a
    schema that only a newer rack.recipes knows.
    """
    return Schema(_asked(url, engines.WRITERS, upgrades.upgrade, patience))


def check(url: str, patience: float = engines.PATIENCE) -> list[str]:
    """In which ways the store's schema is not the newest one, a line each; nothing is changed. Raises StoreError."""
    return _asked(url, engines.READERS, differences, patience)


def _asked[T](url: str, kinds: engines.Kinds, question: Callable[[Engine], T], patience: float) -> T:
    answers: list[T] = []
    engines.prepared(engines.opened(url, kinds), lambda store: answers.append(question(store)), patience).dispose()
    return answers[-1]
