# SPDX-License-Identifier: GPL-3.0-or-later

"""Open the store and find runs in it, for the commands about results."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rack_recipes.errors import StoreError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

NONSENSE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What comes of values that are not of the kind that a run writes."""


@contextmanager
def open_store(options: argparse.Namespace, *, writing: bool = False) -> Iterator[Engine]:
    """The store that --db or the settings name. It is made and migrated only for writing.

    Python does not search for garbage meanwhile: it would take an eighth of a report's time with 100,000 results, and
    of the time to import SQLAlchemy. What is read is needed to the end.
    """
    from rack_recipes import settings
    from rack_recipes.store.database_engine import connect_for_reading, connect_store

    with _without_garbage_search():
        store = (connect_store if writing else connect_for_reading)(options.db or settings.load().db)
        try:
            yield store
        except NONSENSE as error:
            import traceback
            from pathlib import Path

            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error}, at {Path(place.filename).name}:{place.lineno}"
            raise StoreError(
                f"something in the store or in a journal is as no run writes it ({what}): find out who made this run; "
                "if you did, report this line as a fault"
            ) from error
        finally:
            store.dispose()


@contextmanager
def _without_garbage_search() -> Iterator[None]:
    """Afterwards what is left is not searched either, up to the next call: mostly the process ends before that."""
    searched = gc.isenabled()
    gc.disable()
    gc.unfreeze()
    try:
        yield
    finally:
        if searched:
            gc.freeze()
            gc.enable()


def run_id_of(store: Engine, start: str, db: str | None = None) -> str:
    """The id of the run that `start` names (`run_names`); for an empty text that of the newest run.

    `db` is the URL that was given with --db. Raises UsageError where there is no such run, or several.
    """
    from rack_recipes.store.reading import recorded_runs

    try:
        return recorded_runs.find(store, start)
    except UsageError as error:
        raise UsageError(f"{error}{_where_else(start, db)}") from error


def _where_else(start: str, db: str | None) -> str:
    """A hint how to store a run whose journal is here; empty if there is none."""
    import shlex
    from pathlib import Path

    import sqlalchemy as sql

    from rack_recipes import settings
    from rack_recipes.run.run_folders import journals
    from rack_recipes.run_names import runs_back
    from rack_recipes.store.database.database_kind import url_without_password

    begin = "" if runs_back(start) == 0 else start
    found = [path for path in journals(Path(settings.load().runs)) if path.parent.name.startswith(begin)]
    if len(found) != 1:
        return ""
    to = f" --db {shlex.quote(url_without_password(sql.make_url(db)))}" if db else ""
    return f", but in a journal: `rack-recipes flush {found[0].parent.name}{to}` brings it there"
