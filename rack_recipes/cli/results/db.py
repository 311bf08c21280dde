# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands db current, db check and db upgrade."""

from __future__ import annotations

import argparse
import sys

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, examples
from rack_recipes.errors import StoreError


def add_current(command: argparse.ArgumentParser) -> None:
    """Its options."""
    add_db(command)
    examples(command, "rack-recipes db current", "rack-recipes db current --db mysql://rack:SECRET@db.example/rack")


def add_check(command: argparse.ArgumentParser) -> None:
    """Its options."""
    add_db(command)
    examples(command, "rack-recipes db check && echo it is")


def add_upgrade(command: argparse.ArgumentParser) -> None:
    """Its options."""
    add_db(command)
    examples(command, "rack-recipes db upgrade")


def current(options: argparse.Namespace) -> Answer:
    """Print which schema the store has, and which is the newest that this version knows."""
    from rack_recipes.store import database_engine

    schema = database_engine.read_schema(_url(options))
    return {"status": "ok", "schema": schema.held, "newest": schema.newest}, 0


def check(options: argparse.Namespace) -> Answer:
    """Tell in which ways the store's schema is not the newest one; the exit code is 5 where it is not.

    Nothing is changed.
    """
    from rack_recipes.store import database_engine

    differences = database_engine.check_schema(_url(options))
    sys.stderr.writelines(f"{difference}\n" for difference in differences)
    answer = {"status": "error" if differences else "ok", "differences": differences}
    return answer, StoreError.exit_code if differences else 0


def upgrade(options: argparse.Namespace) -> Answer:
    """Bring the store to the newest schema with all that it holds; one that is missing is made.

    Every run does the same: this is for a database whose schema only some users may change.
    """
    from rack_recipes import settings
    from rack_recipes.run.trust.check_trust import check_store
    from rack_recipes.store import database_engine

    check_store("change", settings.load())
    schema = database_engine.upgrade_schema(_url(options))
    return {"status": "ok", "before": schema.held, "schema": schema.newest}, 0


def _url(options: argparse.Namespace) -> str:
    from rack_recipes import settings

    return options.db or settings.load().db
