# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `rack-recipes db` does: show, check and migrate the schema of the store at a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rack_recipes.store import database_engine as engines
from rack_recipes.store.schema import run_migrations as upgrades
from rack_recipes.store.schema.run_migrations import HEAD
from rack_recipes.store.schema.schema_differences import differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine


class Schema(NamedTuple):
    """The revision of a store's schema, None for an empty database, and the newest revision that is known here."""

    held: str | None
    newest: str = HEAD


def current(url: str, patience: float = engines.PATIENCE) -> Schema:
    """Which schema the store has. Nothing is made or migrated. Raises StoreError where it cannot be read."""
    return Schema(_asked(url, engines.READERS, upgrades.current, patience))


def upgrade(url: str, patience: float = engines.PATIENCE) -> Schema:
    """Migrate the store to the newest schema, with all its data; returns the schema that it had before.

    Opening a store for writing does the same. A missing store is made. Raises StoreError, also for a schema of a newer
    rack.recipes.
    """
    return Schema(_asked(url, engines.WRITERS, upgrades.upgrade, patience))


def check(url: str, patience: float = engines.PATIENCE) -> list[str]:
    """The differences between the store's schema and the newest one, one line each. Raises StoreError."""
    return _asked(url, engines.READERS, differences, patience)


def _asked[T](url: str, kinds: engines.Openers, question: Callable[[Engine], T], patience: float) -> T:
    answers: list[T] = []
    engines.prepared(engines.opened(url, kinds), lambda store: answers.append(question(store)), patience).dispose()
    return answers[-1]
