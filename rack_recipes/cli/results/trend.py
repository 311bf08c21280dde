# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command trend."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from rack_recipes.cli.archive.ages_and_sizes import number
from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, examples

TITLES = ("run", "started", "value", "")
NO_TREND = "no trend"
Told = dict[str, Any]


def add_trend(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument("key", metavar="KEY", help="a measurement's name, or a number's path in the context")
    command.add_argument(
        "--host", metavar="HOST", default="", help="only this host (default: the median of each class)"
    )
    command.add_argument("--step", metavar="NAME", default="", help="only what this step has measured")
    command.add_argument(
        "--last", metavar="N", type=number, default=20, help="the last N runs that have it (default: 20)"
    )
    command.add_argument("--run", metavar="RUN", default="", help="up to this run (default: the newest that has it)")
    add_db(command)
    examples(
        command,
        "rack-recipes trend latency --step ping",
        "rack-recipes trend numbers.stats_v1.mean --host r1 --last 50",
    )


def trend(options: argparse.Namespace) -> Answer:
    """Show a measurement, or a number inside of the context, over the last runs of a test.

    Hosts of one class (attribute `class`, or `model` and `role`) are shown by their median. Where there are fewer than
    four, each host is shown. Below the values stand changes of level, the slope with its 95 % interval, the limit and
    when the slope leads to it; with fewer than ten runs neither changes nor a trend are told.
    """
    from rack_recipes.analysis.stored_trends import stored_trends
    from rack_recipes.cli.results.open_store import opened, run_id_of

    with opened(options) as store:
        run_id = run_id_of(store, options.run, options.db) if options.run else ""
        found, told = stored_trends(store, options.key, options.host, options.step, options.last, run_id)
    if options.json:
        return {"key": options.key, "run_id": found, "series": told}, 0
    return "\n".join("".join(_lines(one)) for one in told), 0


def _lines(told: Told) -> Iterator[str]:
    from rack_recipes.cli.terminal.text_table import printable, to_text

    number = f" (number {told['number']})" if told["number"] > 1 else ""
    of = f" of {told['step']}" if told["step"] else ""
    limits = f", limit {' to '.join(f'{end:g}' for end in told['limits'])}" if told["limits"] else ""
    yield printable(f"{told['name']}{number}{of}, {told['whose']}{limits}") + "\n"
    changes = {change["since"]: change for change in told["changes"]}
    rows = [
        (one["run_id"], one["started"], f"{one['value']:g} {told['unit']}".rstrip(), _mark(changes.get(one["run_id"])))
        for one in told["values"]
    ]
    yield to_text(TITLES, rows)
    yield _trend_line(told["trend"], told["unit"])


def _mark(change: Told | None) -> str:
    return f"level {change['before']:g} -> {change['after']:g} (p {change['p']:.2g})" if change else ""


def _trend_line(found: Told | None, unit: str) -> str:
    if found is None:
        return f"{NO_TREND}: fewer than two times\n"
    if found["why_not"]:
        return f"{NO_TREND}: {found['why_not']}\n"
    slope = f"{found['slope']:+.3g} {unit} a day ({found['low']:+.3g} to {found['high']:+.3g}, 95 %)"
    if "reaches" not in found:
        return f"{slope}\n"
    latest = found["latest"] or "later than can be told"
    return f"{slope}; reaches {found['reaches']:g} on {found['time']} ({found['earliest']} to {latest}, 90 %)\n"
