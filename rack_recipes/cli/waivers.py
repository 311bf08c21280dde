# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands waivers add, list, check and suggest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.argument_parser import hint
from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.open_store import open_store, run_id_of
from rack_recipes.cli.terminal import format_table
from rack_recipes.errors import StoreError, UsageError, counted

if TYPE_CHECKING:
    from rack_recipes.analysis.findings import Finding
    from rack_recipes.analysis.run_data import RunData
    from rack_recipes.analysis.waiver_use import WaiverUse
    from rack_recipes.recipe.waivers import Waiver, WaiverFile
FIELDS = ("step", "test_id", "hosts", "measurement", "reason", "who", "until", "passes")


@takes(
    """
    STEP  the step, or an instance of a looped one; * stands for any text
    --reason TEXT  why it is accepted, such as a ticket
    --hosts PATTERN...  its hosts, all for all of them
    --test ID as test_id  only in runs of this test
    --measurement NAME  only results that failed by this measurement alone
    --until DATE  the last day on which it is in force (UTC)
    --passes N  it ends after so many passes in a row
    --who NAME  who has accepted it (default: you)
    examples:
    rack-recipes waivers add link_errors --hosts leaf3 --reason "RMA 1234" --until 2026-12-31
    rack-recipes waivers add fans --hosts all --test 'HALL-*' --measurement fan_noise --reason loud --passes 3
    """,
    reason={"required": True},
    hosts={"default": None},
    passes=int,
)
def add(options: argparse.Namespace) -> Answer:
    """Add a waiver to the project's file, which is made where there is none. All else in the file stays as it is.

    It needs --hosts, and --until or --passes, or both: what ends first counts.
    """
    from rack_recipes import settings
    from rack_recipes.recipe.waiver_file import add_waiver, entry_errors, waivers_path
    from rack_recipes.run.trust.check_trust import check_waivers
    from rack_recipes.run.trust.os_user import this_user

    given: dict[str, Any] = {**vars(options), "who": options.who or this_user().name}
    entry = {name: given[name] for name in FIELDS if given[name] is not None}
    if wrong := entry_errors(entry):
        raise UsageError("\n".join(f"{name}: {text}" for name, text in wrong.items()))
    found = settings.load()
    check_waivers("", [(entry["step"], entry["hosts"])], found, None)
    path = waivers_path(found)
    added = add_waiver(path, entry)
    if told := _unknown_step(added, _stored_steps(None)):
        sys.stderr.write(f"{told}\n")
    return {"status": "ok", "file": str(path), "waiver": added.to_data()}, 0


NO_WAIVERS = (
    "there are no waivers here: they stand in waivers.yml beside ansible.cfg, or in the file of the setting waivers\n"
)


@takes(
    """
    --db URL
    examples:
    rack-recipes waivers list
    rack-recipes waivers list --json
    """
)
def list(options: argparse.Namespace) -> Answer:  # noqa: A001 the last word of the command
    """List the waivers of this project: their state, how often each was used, passes in a row so far.

    A waiver is active, ends soon (within a week), is over, or is lifted by passes in a row wherever it was used.
    """
    file = _file()
    found = _uses(file, options)
    if options.json:
        return {"file": file.path, "digest": file.digest, "waivers": [_data(use) for use in found]}, 0
    return "".join(_lines(found)) if found else NO_WAIVERS, 0


@takes(
    """
    --exit-code  for CI: end with 1 if a waiver is over or lifted, otherwise with 0
    --db URL
    examples:
    rack-recipes waivers check
    rack-recipes waivers check --exit-code
    """
)
def check(options: argparse.Namespace) -> Answer:
    """Check the file of waivers, and tell which ones are over, lifted, about to end, were never used, or name no step.

    Whatever is wrong with the file is told with its line and column.
    """
    from rack_recipes.recipe.waivers import LIFTED, OVER

    file = _file()
    found = _uses(file, options)
    steps = _stored_steps(options.db)
    told = [remark for use in found if (remark := _remark(use, steps))]
    sys.stderr.writelines(f"{file.path}:{line}\n" for line in told)
    are_ended = any(use.state in (OVER, LIFTED) for use in found)
    code = 1 if options.exit_code and are_ended else 0
    return {"status": "ok", "file": file.path, "waivers": len(found), "remarks": told}, code


def _file() -> WaiverFile:
    from rack_recipes import settings
    from rack_recipes.recipe.waiver_file import waivers_of

    return waivers_of(settings.load())


def _uses(file: WaiverFile, options: argparse.Namespace) -> Sequence[WaiverUse]:
    """What is known of each waiver; without a store only what the file says."""
    from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
    from rack_recipes.analysis.waiver_use import WaiverUse, read_waiver_uses
    from rack_recipes.recipe.waivers import day_of

    if not file.waivers:
        return []
    today = day_of(now())
    try:
        with open_store(options) as store:
            return read_waiver_uses(store, file.waivers, today)
    except StoreError as error:
        sys.stderr.write(f"what waivers were used for is not known: {error}\n")
        return [WaiverUse(waiver, waiver.state(today)) for waiver in file.waivers]


def _data(use: WaiverUse) -> dict[str, Any]:
    told = {**use.waiver.to_data(), "state": use.state, "runs": len(use.runs), "used": len(use.used)}
    if use.used:
        told["last_used"] = use.used[-1]["run_id"]
    if not use.waiver.passes:
        return told
    places = [
        {"step": step, "host": host, "passes": streak.passes, "lifted": streak.is_lifted}
        for (step, host), streak in sorted(use.streaks.items())
    ]
    return {**told, "passes_so_far": use.passes, "places": places}


def _lines(found: Sequence[WaiverUse]) -> Iterator[str]:
    titles = ("line", "step", "hosts", "state", "until", "passes so far", "used", "runs", "who", "reason")
    yield format_table(titles, [_row(use) for use in found])


def _row(use: WaiverUse) -> tuple[object, ...]:
    waiver = use.waiver
    step = f"{waiver.step}: {waiver.measurement}" if waiver.measurement else waiver.step
    passes = f"{use.passes} of {waiver.passes}" if waiver.passes else ""
    term = (use.state, waiver.term, passes, len(use.used), len(use.runs))
    return (waiver.line, step, waiver.where, *term, waiver.who, waiver.reason)


def _stored_steps(db: str | None) -> Sequence[str]:
    """The steps of the last runs, and their instances; none where no store tells."""
    from rack_recipes.store.reading.earlier_runs import LAST_RUNS
    from rack_recipes.store.reading.several_runs import last_steps

    try:
        with open_store(argparse.Namespace(db=db)) as store:
            return last_steps(store, LAST_RUNS)
    except StoreError:
        return []


def _unknown_step(waiver: Waiver, steps: Sequence[str]) -> str:
    """That a waiver names no step of the last runs, with the one that was meant; empty where it does."""
    from ansible_collections.rack.recipes.plugins.module_utils.verdicts import matches_wildcard

    if not steps or any(waiver.covers_step(name) or matches_wildcard(waiver.step, name) for name in steps):
        return ""
    meant = hint(waiver.step, steps)
    return f"no step of the last runs is {waiver.step!r}{meant}: until there is one, its waiver covers nothing"


def _remark(use: WaiverUse, steps: Sequence[str]) -> str:
    """What somebody should know of a waiver; empty where there is nothing."""
    from rack_recipes.recipe.waivers import ENDS_SOON, LIFTED, OVER

    waiver = use.waiver
    named = f"{waiver.line}: the waiver of {waiver.step} by {waiver.who}"
    said = {
        OVER: f"was over after {waiver.until}: remove it, or give it a new date",
        LIFTED: f"is lifted by {waiver.passes} passes in a row wherever it was used: remove it",
        ENDS_SOON: f"ends after {waiver.until}",
    }
    if use.state in (OVER, LIFTED):
        return f"{named} {said[use.state]}"
    if not use.runs and (unknown := _unknown_step(waiver, steps)):
        return f"{waiver.line}: {unknown}"
    if use.state in said:
        return f"{named} {said[use.state]}"
    return f"{named} has covered nothing in {counted(len(use.runs), 'run')}" if use.runs and not use.used else ""


NOTHING_TO_SUGGEST = (
    "# nothing to put into quarantine: no step of run {run} fails now and then so often that it is sure\n"
)
KEYS = ("step", "test_id", "hosts", "reason", "who", "passes")


@takes(
    """
    [RUN]
    --db URL
    examples:
    rack-recipes waivers suggest
    rack-recipes waivers suggest 20261125-14 --json
    """
)
def suggest(options: argparse.Namespace) -> Answer:
    """Print waivers, ready to paste, for steps that fail now and then with the same inputs.

    These are the flakes that the analysis of the run would put into quarantine: at least three times they began to
    fail, and even the low end of their rate is above one run in a hundred. Each waiver ends by as many passes in a row
    as rule the rate out. What a waiver covered already in this run is left out.
    """
    from rack_recipes.analysis import flakes
    from rack_recipes.analysis.history import History
    from rack_recipes.analysis.run_data import load_run_data
    from rack_recipes.recipe.waiver_file import as_line

    with open_store(options) as store:
        run = load_run_data(store, run_id_of(store, options.run, options.db))
        found = [one for one in flakes.findings(run, History(store, run)) if one.about.get("quarantine")]
    entries = _entries(run, found)
    if options.json:
        return {"run": run.run["run_id"], "waivers": entries}, 0
    return "".join(map(as_line, entries)) or NOTHING_TO_SUGGEST.format(run=run.run["run_id"]), 0


def _entries(run: RunData, found: Sequence[Finding]) -> Sequence[dict[str, Any]]:
    """One waiver for each step and number of passes, with its hosts; a step of the run has none."""
    from rack_recipes.run.trust.os_user import this_user

    covered = {(row["host"], row["step"]) for row in run.results if row.get("waived")}
    gathered: dict[tuple[str, int], MutableSequence[Finding]] = {}
    for one in found:
        place = (one.about["host"], one.about["step"])
        if place not in covered:
            gathered.setdefault((place[1], one.figures["passes_needed"]), []).append(one)
    who = this_user().name
    return [_entry(run.run, step, passes, flakes, who) for (step, passes), flakes in gathered.items()]


def _entry(run: Mapping[str, object], step: str, passes: int, flakes: Sequence[Finding], who: str) -> dict[str, Any]:
    failed, runs = (sum(one.figures[name] for one in flakes) for name in ("failed", "runs"))
    given = {
        "step": step,
        "test_id": run["test_id"],
        "hosts": [one.about["host"] for one in flakes if one.about["host"]],
        "reason": f"a flake: {failed} of {runs} results failed with the same inputs",
        "who": who,
        "passes": passes,
    }
    return {name: given[name] for name in KEYS if given[name]}
