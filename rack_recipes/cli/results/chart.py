# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command chart."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, add_run, examples

KINDS = ("histogram", "box-plot", "trend", "heat-map", "correlation", "timeline")


def add_chart(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument("kind", choices=KINDS, help="kind of chart")
    add_run(command)
    command.add_argument(
        "--key",
        metavar="NAME",
        action="append",
        default=[],
        help="the value: a measurement's name, or a number in the context by its path, such as numbers.stats_v1.mean; "
        "repeat it for a correlation",
    )
    command.add_argument("--step", metavar="STEP", default="", help="only what this step measured or did")
    command.add_argument("--host", metavar="PATTERN", default="", help="only these hosts, such as r01-*")
    command.add_argument(
        "--by", metavar="ATTRIBUTE", default="", help="group hosts by what the inventory says of them, such as rack"
    )
    command.add_argument(
        "--to", metavar="FILE", help="where to write it: FILE.svg or FILE.png (default: SVG on stdout)"
    )
    add_db(command)
    examples(
        command,
        "rack-recipes chart histogram --key rx_errors --to rx_errors.svg",
        "rack-recipes chart trend --key tcp_throughput --host 'r01-*' --to trend.png",
        "rack-recipes chart heat-map --by rack --to racks.svg",
    )


def chart(options: argparse.Namespace) -> Answer:
    """Draw a chart of a run: its values, their history, its verdicts or its times, with units, limits and changes.

    With --json the figures of the chart are printed.
    """
    from rack_recipes.analysis.history import History
    from rack_recipes.analysis.run_data import load_run_data
    from rack_recipes.cli.results.open_store import opened, run_id_of
    from rack_recipes.report.charts import stored_charts

    wanted = stored_charts.Wanted(options.step, tuple(options.key), options.host, options.by)
    with opened(options) as store:
        run_id = run_id_of(store, options.run, options.db)
        drawn = stored_charts.draw(options.kind, History(store, load_run_data(store, run_id)), wanted)
    if options.to:
        stored_charts.write(drawn, Path(options.to))
    if options.json:
        return {"run_id": run_id, "kind": options.kind, "file": options.to, "figures": _figures(drawn)}, 0
    return (options.to or stored_charts.svg(drawn).rstrip("\n")), 0


def _figures(drawn: Any) -> dict[str, Any]:
    from rack_recipes.report.writers.json import as_data

    return as_data(drawn.figures)
