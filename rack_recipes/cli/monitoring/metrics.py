# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command metrics."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, examples


def add_metrics(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="write them into this file, which is replaced at once; for node_exporter's textfile collector its name "
        "ends in .prom (default: print them)",
    )
    add_db(command)
    examples(
        command,
        "rack-recipes metrics",
        "rack-recipes metrics --output /var/lib/prometheus/node-exporter/rack_recipes.prom",
    )


def metrics(options: argparse.Namespace) -> Answer:
    """Print the numbers that Prometheus alerts on: runs by test and status, when the last one ended and how."""
    from rack_recipes.cli.results.open_store import opened
    from rack_recipes.integrations.monitoring import prometheus_metrics
    from rack_recipes.integrations.monitoring.prometheus_metrics import read_metrics

    with opened(options) as store:
        found = read_metrics(store)
    text = prometheus_metrics.as_text(found)
    if options.output:
        prometheus_metrics.write_textfile(options.output, text)
        return {"status": "ok", "file": str(options.output)}, 0
    return {"metrics": [asdict(one) for one in found]} if options.json else text, 0
