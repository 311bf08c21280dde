# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands metrics and grafana: what Prometheus and Grafana are told of the store."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.open_store import open_store


@takes(
    """
    --output FILE  write them into this file, which is replaced at once; for node_exporter's textfile collector its name
        ends in .prom (default: print them)
    --db URL
    examples:
    rack-recipes metrics
    rack-recipes metrics --output /var/lib/prometheus/node-exporter/rack_recipes.prom
    """,
    output=Path,
)
def metrics(options: argparse.Namespace) -> Answer:
    """Print the numbers that Prometheus alerts on: runs by test and status, when the last one ended and how."""
    from rack_recipes.integrations.monitoring import prometheus_metrics
    from rack_recipes.integrations.monitoring.prometheus_metrics import read_metrics

    with open_store(options) as store:
        found = read_metrics(store)
    text = prometheus_metrics.as_text(found)
    if options.output:
        prometheus_metrics.write_textfile(options.output, text)
        return {"status": "ok", "file": str(options.output)}, 0
    return {"metrics": [asdict(one) for one in found]} if options.json else text, 0


@takes(
    """
    --output FOLDER  the folder of the files (default: grafana)
    --pages URL=http://127.0.0.1:8321  where the pages are that runs and hosts lead to (default: http://127.0.0.1:8321)
    --db URL
    examples:
    rack-recipes grafana
    rack-recipes grafana --db postgresql://grafana@db.example/rack
    """,
    output={"default": "grafana", "type": Path},
)
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
