# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command report."""

from __future__ import annotations

import argparse
from pathlib import Path

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, add_run, examples
from rack_recipes.report.report_formats_and_status import DEFAULT_FORMATS, FORMATS


def add_report(command: argparse.ArgumentParser) -> None:
    """Its options."""
    add_run(command)
    command.add_argument(
        "--format",
        action="append",
        choices=FORMATS,
        help=f"only this format, instead of {', '.join(DEFAULT_FORMATS)}; repeat it for several",
    )
    command.add_argument("--full", action="store_true", help="Markdown with all tables: md-full instead of md")
    command.add_argument("--to", metavar="FOLDER", help="where to write it (default: report/ in the run's folder)")
    command.add_argument(
        "--summary",
        action="store_true",
        help="with a summary in a few sentences: by the language model of the setting summary_url, else by rules",
    )
    add_db(command)
    examples(
        command,
        "rack-recipes report",
        "rack-recipes report 20261125-1444 --format html --to /srv/reports",
        "rack-recipes report --format junit --format md --to out",
    )


def report(options: argparse.Namespace) -> Answer:
    """Write the report of a run from what the store holds of it, and print the paths of its files."""
    from rack_recipes import settings
    from rack_recipes.cli.results.open_store import opened, run_id_of
    from rack_recipes.report.make_report import make

    formats = ["md-full" if options.full and name == "md" else name for name in options.format or DEFAULT_FORMATS]
    with opened(options) as store:
        run_id, project = run_id_of(store, options.run, options.db), settings.load()
        folder = Path(options.to) if options.to else Path(project.runs) / run_id / "report"
        summary_by = project if options.summary else None
        url, templates = options.db or project.db, project.report_templates
        files = [*map(str, make(store, run_id, folder, formats, url, summary_by, templates))]
    return ({"run_id": run_id, "files": files} if options.json else "\n".join(files)), 0
