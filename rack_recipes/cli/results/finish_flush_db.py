# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands finish and flush complete the results of a run in the store; db looks after its schema."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.open_store import open_store
from rack_recipes.errors import JournalError, StoreError, counted
from rack_recipes.journal.step_results_and_end_status import counts_in_words

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rack_recipes.store.writing.choose_part_results import Group
PAUSE = 1.0  # seconds between two looks at the store
DAY = 86400.0


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= DAY:
        raise argparse.ArgumentTypeError(f"expected a number of seconds from 0 to 86400 (a day), got {text!r}")
    return found


@takes(
    """
    GROUP  id of the run in parts, as --group named it
    --wait SECONDS  how long to wait for parts that still run or have not begun (default: 0)
    --hosts NAME  hosts that must be in a part: needed where no part saw the whole inventory, as in slices of AWX
    --db URL
    examples:
    rack-recipes finish night-42
    rack-recipes finish night-42 --wait 3600
    rack-recipes finish awx-1234 --hosts leaf1 leaf2 spine1 --json
    """,
    wait={"default": 0.0, "type": _seconds},
    hosts={"nargs": "+", "default": []},
)
def finish(options: argparse.Namespace) -> Answer:
    """Say that no more parts of a run come, and tell how the whole has ended.

    A part that still runs is given up: its steps without results are errors that name it. Results that come later
    count, marked as late. The answer and the exit code are those of the whole run.
    """
    from rack_recipes.store.reading import recorded_runs
    from rack_recipes.store.writing.write_group_run import join_parts

    with open_store(options, writing=True) as store:
        _wait(store, options.group, options.wait)
        join_parts(store, options.group, finish=True, hosts=options.hosts)
        run = recorded_runs.run(store, options.group)
    return group_answer(run, as_json=options.json)


def group_answer(run: dict[str, Any], *, as_json: bool) -> Answer:
    """The answer about a run in parts, and its exit code; `run` is its row."""
    from rack_recipes.cli.results.show_runs import part_lines

    info, status = run["group_info"], "ok" if run["status"] == "passed" else run["status"]
    about = {"parts": info["told"], "missing": info["missing"], "problems": info["problems"]}
    hosts = (run["hosts"] or 0) - len(info["missing"])
    if as_json:
        told = {"status": status, "run_id": run["run_id"], "counts": run["counts"], "hosts": hosts}
        return {**told, **about}, run["exit_code"]
    where = f"on {counted(hosts, 'host')} in {counted(len(info['told']), 'part')}"
    sys.stderr.write(f"run {run['run_id']} {status}: {counts_in_words(run['counts'])} {where}\n")
    return "".join(part_lines(info)), run["exit_code"]


def _wait(store: Engine, group_id: str, seconds: float) -> None:
    """Wait until all parts that are expected have ended, for so many seconds at most."""
    from rack_recipes.store.writing.write_group_run import read_group

    until = time.monotonic() + seconds
    while time.monotonic() < until and may_come(read_group(store, group_id)):
        time.sleep(min(PAUSE, max(0.0, until - time.monotonic())))


def may_come(group: Group) -> bool:
    """Whether a part goes on, or has not begun yet."""
    return not group.finished and (group.is_running or not group.are_all_here)


@takes(
    """
    [RUN]
    --db URL
    examples:
    rack-recipes flush
    rack-recipes flush 20261125-1444 --db mysql://rack:SECRET@db.example/rack
    """
)
def flush(options: argparse.Namespace) -> Answer:
    """Bring what a run left in its journal into the store. What is there already stays as it is.

    Use it after exit code 5, or to fill another store. A run that goes on brings what there is by now, as `kill -USR1`
    to its process does. A run in parts brings all parts on this machine. Damaged lines of the journal are named, and
    the exit code is then 5. Of a `run --across` that was killed it prints how to go on with each part.
    """
    from rack_recipes import settings
    from rack_recipes.archive.pins_and_baselines import is_pinned, pin_stored
    from rack_recipes.journal.reader import describe_damage
    from rack_recipes.run.run_folders import find_run, group_of, is_run_held, resume_of_part
    from rack_recipes.run.store_writer import end_abandoned_run
    from rack_recipes.store.writing.import_journal import Imported, import_journal

    runs = Path(settings.load().runs)
    found = find_run(runs, options.run)
    if not options.run and resume_of_part(found.journals[0].parent):  # the newest run is one of all its parts
        found = find_run(runs, group_of(found.journals[0]))
    done: dict[Path, Imported] = {}
    with open_store(options, writing=True) as store:
        for journal in found.journals:
            if not is_run_held(journal.parent):  # it may have had no room for its end record, as on a full disk
                end_abandoned_run(journal)
            done[journal] = import_journal(store, journal)
            if is_pinned(journal.parent):
                pin_stored(store, done[journal].run_id, pinned=True)
        sys.stderr.writelines(map(_how_to_go_on, found.journals))
    names = [journal.parent.name for journal in done]
    answer = {
        "run_id": found.run_id,
        **({"parts": names} if found.is_group else {}),
        "rows": sum(each.rows for each in done.values()),
        "damaged": [line for each in done.values() for line in each.damaged],
    }
    reasons = filter(None, (describe_damage(journal, each.damaged) for journal, each in done.items()))
    reason = "; ".join(reasons)
    if not reason:
        return {"status": "ok", **answer}, 0
    sys.stderr.write(f"{reason}\n")
    code = JournalError.exit_code
    return {"status": "error", **answer, "reason": reason, "exit_code": code}, code


def _how_to_go_on(journal: Path) -> str:
    """The line about a part that ran on another controller and came to no end; empty for any other run."""
    from rack_recipes.journal.reader import JournalReader
    from rack_recipes.journal.step_results_and_end_status import INTERRUPTED
    from rack_recipes.run.run_folders import resume_of_part, run_record

    command = resume_of_part(journal.parent)
    ends = [*JournalReader(journal).records("end")] if command else []
    if not ends or ends[-1]["status"] != INTERRUPTED:
        return ""
    name = (run_record(journal).get("group") or {}).get("part") or journal.parent.name
    return f"{name}: to go on from here: {command}\n"


@takes(
    """
    --db URL
    examples:
    rack-recipes db current
    rack-recipes db current --db mysql://rack:SECRET@db.example/rack
    """
)
def current(options: argparse.Namespace) -> Answer:
    """Print which schema the store has, and which is the newest that this version knows."""
    from rack_recipes.store import database_engine

    schema = database_engine.read_schema(_url(options))
    return {"status": "ok", "schema": schema.held, "newest": schema.newest}, 0


@takes(
    """
    --db URL
    examples:
    rack-recipes db check && echo it is
    """
)
def check(options: argparse.Namespace) -> Answer:
    """Tell in which ways the store's schema is not the newest one; the exit code is 5 where it is not.

    Nothing is changed.
    """
    from rack_recipes.store import database_engine

    differences = database_engine.check_schema(_url(options))
    sys.stderr.writelines(f"{difference}\n" for difference in differences)
    answer = {"status": "error" if differences else "ok", "differences": differences}
    return answer, StoreError.exit_code if differences else 0


@takes(
    """
    --db URL
    examples:
    rack-recipes db upgrade
    """
)
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
