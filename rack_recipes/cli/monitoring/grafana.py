# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command grafana."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, examples


def add_grafana(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument(
        "--output", default="grafana", metavar="FOLDER", type=Path, help="the folder of the files (default: grafana)"
    )
    command.add_argument(
        "--pages",
        default="http://127.0.0.1:8321",
        metavar="URL",
        help="where the pages are that runs and hosts lead to (default: http://127.0.0.1:8321)",
    )
    add_db(command)
    examples(command, "rack-recipes grafana", "rack-recipes grafana --db postgresql://grafana@db.example/rack")


def grafana(options: argparse.Namespace) -> Answer:
    """Write dashboards for Grafana on the store, and the files by which Grafana finds them and the store.

    The queries are in the SQL of the store's database. The password of the store stands in no file: Grafana reads it
    from the variable RACK_RECIPES_GRAFANA_PASSWORD. Files that are there are written anew.
    """
    from rack_recipes import settings
    from rack_recipes.integrations.monitoring.grafana_dashboards import grafana_files, write_files
    from rack_recipes.store.database_engine import parsed

    files = grafana_files(parsed(options.db or settings.load().db), options.output, options.pages.rstrip("/"))
    write_files(files)
    sys.stderr.writelines(f"written {path}\n" for path in files)
    return {"status": "ok", "files": [str(path) for path in files]}, 0
