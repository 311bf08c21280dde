# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command finish."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, examples

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rack_recipes.store.writing.choose_part_results import Group

PAUSE = 1.0  # seconds between two looks at the store
DAY = 86400.0


def add_finish(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument("group", metavar="GROUP", help="id of the run in parts, as --group named it")
    command.add_argument(
        "--wait",
        metavar="SECONDS",
        type=_seconds,
        default=0.0,
        help="how long to wait for parts that still run or have not begun (default: 0)",
    )
    command.add_argument(
        "--hosts",
        metavar="NAME",
        nargs="+",
        default=[],
        help="hosts that must be in a part: needed where no part saw the whole inventory, as in slices of AWX",
    )
    add_db(command)
    examples(
        command,
        "rack-recipes finish night-42",
        "rack-recipes finish night-42 --wait 3600",
        "rack-recipes finish awx-1234 --hosts leaf1 leaf2 spine1 --json",
    )


def finish(options: argparse.Namespace) -> Answer:
    """Say that no more parts of a run come, and tell how the whole has ended.

    A part that still runs then is given up: the steps without results are errors that name it. What comes of it later
    is not lost, and marked as late. The answer and the exit code are those of the whole run.
    """
    from rack_recipes.cli.results.open_store import opened
    from rack_recipes.cli.results.part_lines import part_lines
    from rack_recipes.store.reading import recorded_runs
    from rack_recipes.store.writing.write_group_run import join_parts

    with opened(options, writing=True) as store:
        _wait(store, options.group, options.wait)
        join_parts(store, options.group, finish=True, hosts=options.hosts)
        run = recorded_runs.run(store, options.group)
    code: int = run["exit_code"]
    answer = answer_of(run)
    if not options.json:
        counts = ", ".join(f"{number} {verdict}" for verdict, number in run["counts"].items())
        sys.stderr.write(f"run {run['run_id']} {answer['status']}: {counts}\n")
        return "".join(part_lines(run["group_info"])), code
    return answer, code


def answer_of(run: dict[str, Any]) -> dict[str, Any]:
    """The answer of the command about the whole run; `run` is its row."""
    info = run["group_info"]
    status = "ok" if run["status"] == "passed" else run["status"]
    about = {"parts": info["told"], "missing": info["missing"], "problems": info["problems"]}
    return {"status": status, "run_id": run["run_id"], "counts": run["counts"], **about}


def _wait(store: Engine, group_id: str, seconds: float) -> None:
    """Wait until all parts that are expected have ended, for so many seconds at most."""
    from rack_recipes.store.writing.write_group_run import read_group

    until = time.monotonic() + seconds
    while time.monotonic() < until and may_come(read_group(store, group_id)):
        time.sleep(min(PAUSE, max(0.0, until - time.monotonic())))


def may_come(group: Group) -> bool:
    """Whether a part goes on, or has not begun yet."""
    return not group.finished and (group.is_running or not group.are_all_here)


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= DAY:
        raise argparse.ArgumentTypeError(f"expected a number of seconds from 0 to 86400 (a day), got {text!r}")
    return found
