# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands report and chart: files with the results of a run."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.open_store import open_store, run_id_of
from rack_recipes.errors import UsageError
from rack_recipes.report.report_formats_and_status import DEFAULT_FORMATS, FORMATS

if TYPE_CHECKING:
    from sqlalchemy import Engine


@takes(
    f"""
    [RUN]
    --format FORMAT...  only this format, instead of {", ".join(DEFAULT_FORMATS)}
    --full  Markdown with all tables: md-full instead of md, and also where --format names others
    --to FOLDER  where to write it (default: report/ in the run's folder)
    --out FILE=  one file, whose ending says the format: .html, .xlsx, .csv (the steps), .md, .json, .xml (JUnit), .pdf
    --summary
    --db URL
    examples:
    rack-recipes report
    rack-recipes report 20261125-1444 --format html --to /srv/reports
    rack-recipes report --format junit --format md --to out
    rack-recipes report last --out results.csv
    """,
    format={"choices": FORMATS, "metavar": None, "default": None},
)
def report(options: argparse.Namespace) -> Answer:
    """Write the report of a run from what the store holds of it, and print the paths of its files."""
    if options.out:
        return _one_file(options)
    formats = [*(options.format or DEFAULT_FORMATS)]
    if options.full:
        formats = [*(name for name in formats if name not in ("md", "md-full")), "md-full"]
    run_id, files = _made(options, formats, options.to)
    return ({"run_id": run_id, "files": files} if options.json else "\n".join(files)), 0


def _made(options: argparse.Namespace, formats: Sequence[str], to: str | None) -> tuple[str, list[str]]:
    """The id of the run, and the paths of the report's files, which are made."""
    from rack_recipes import settings
    from rack_recipes.report.make_report import make
    from rack_recipes.report.page.templates import unknown_files

    with open_store(options) as store:
        run_id, project = run_id_of(store, options.run, options.db), settings.load()
        folder = Path(to) if to else Path(project.runs) / run_id / "report"
        summary_by = project if options.summary else None
        url, templates = options.db or project.db, project.report_templates
        for line in unknown_files(templates):
            sys.stderr.write(f"{line}\n")
        return run_id, [*map(str, make(store, run_id, folder, formats, url, summary_by, templates))]


ENDINGS = {
    ".html": "html",
    ".xlsx": "xlsx",
    ".csv": "csv",
    ".md": "md",
    ".json": "json",
    ".xml": "junit",
    ".pdf": "pdf",
}
RESULTS = "csv/steps.csv"


def _one_file(options: argparse.Namespace) -> Answer:
    """Write one file of a report. Raises UsageError for an ending that is none of a format."""
    target = Path(options.out)
    if options.to or options.format:
        raise UsageError("rack-recipes report: --out is one file by itself: leave out --to and --format")
    if target.suffix not in ENDINGS:
        raise UsageError(f"--out: expected a file that ends with {', '.join(ENDINGS)}, got {options.out!r}")
    if options.full and ENDINGS[target.suffix] != "md":
        raise UsageError(f"rack-recipes report: --full is about Markdown: expected --out FILE.md, got {options.out!r}")
    with TemporaryDirectory(prefix="rack-recipes-") as folder:
        run_id, files = _made(options, ["md-full" if options.full else ENDINGS[target.suffix]], folder)
        made = [*map(Path, files)]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(next((file for file in made if file.match(RESULTS)), made[0]), target)
    return ({"run_id": run_id, "files": [options.out]} if options.json else options.out), 0


KINDS = ("histogram", "box-plot", "trend", "heat-map", "correlation", "timeline")


@takes(
    """
    KIND  kind of chart
    [RUN]  the run, as everywhere, or the value, as --key (default: the newest run)
    --key NAME...  the value: a measurement's name, or a number in the context by its path, such as
        numbers.stats_v1.mean, two for a correlation
    --step STEP=  only what this step measured or did
    --host PATTERN=  only these hosts, such as r01-*
    --last N=20  a trend of the last N runs (default: 20)
    --by ATTRIBUTE=  group hosts by what the inventory says of them, such as rack
    --to FILE  where to write it: FILE.svg or FILE.png (default: SVG on stdout)
    --db URL
    examples:
    rack-recipes chart histogram --key rx_errors --to rx_errors.svg
    rack-recipes chart trend tcp_throughput --host 'r01-*' --to trend.png
    rack-recipes chart heat-map --by rack --to racks.svg
    rack-recipes chart heat-map --step link --to links.svg
    """,
    kind=KINDS,
)
def chart(options: argparse.Namespace) -> Answer:
    """Draw a chart of a run: its values, their history, its verdicts or its times, with units, limits and changes.

    With --json the figures of the chart are printed.
    """
    from rack_recipes.analysis.history import History
    from rack_recipes.analysis.run_data import load_run_data
    from rack_recipes.report.charts import stored_charts

    with open_store(options) as store:
        run_id, keys = _run_and_keys(store, options)
        wanted = stored_charts.Wanted(options.step, keys, options.host, options.by)
        history = History(store, load_run_data(store, run_id), options.last - 1)
        drawn = stored_charts.draw(options.kind, history, wanted)
    if options.to:
        stored_charts.write_chart(drawn, Path(options.to))
    if options.json:
        return {"run_id": run_id, "kind": options.kind, "file": options.to, "figures": _figures(drawn)}, 0
    return (options.to or stored_charts.to_svg(drawn).rstrip("\n")), 0


def _run_and_keys(store: Engine, options: argparse.Namespace) -> tuple[str, tuple[str, ...]]:
    """The id of the run, and the keys. A word that names no run is a key, if the kind takes one and none is given."""
    try:
        return run_id_of(store, options.run, options.db), (*options.key,)
    except UsageError:
        if options.key or options.kind == "timeline":
            raise
        return run_id_of(store, "", options.db), (options.run,)


def _figures(drawn: Any) -> dict[str, Any]:
    from rack_recipes.report.writers.json import as_data

    return as_data(drawn.figures)
