# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands `waivers list` and `waivers check`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import add_db, examples

if TYPE_CHECKING:
    from rack_recipes.analysis.waivers import WaiverUse
    from rack_recipes.recipe.waivers import WaiverFile

NONE = (
    "there are no waivers here: they stand in waivers.yml beside ansible.cfg, or in the file of the setting waivers\n"
)


def add_list(command: argparse.ArgumentParser) -> None:
    """Its options."""
    add_db(command)
    examples(command, "rack-recipes waivers list", "rack-recipes waivers list --json")


def list(options: argparse.Namespace) -> Answer:  # noqa: A001 the last word of the command
    """List the waivers of this project: their state, how often each was used, passes in a row so far.

    A waiver is active, ends soon (within a week), is over, or is lifted by passes in a row wherever it was used.
    """
    file = _file()
    found = _uses(file, options)
    if options.json:
        return {"file": file.path, "digest": file.digest, "waivers": [_data(use) for use in found]}, 0
    return "".join(_lines(found)) if found else NONE, 0


def add_check(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument(
        "--exit-code", action="store_true", help="for CI: end with 1 if a waiver is over or lifted, otherwise with 0"
    )
    add_db(command)
    examples(command, "rack-recipes waivers check", "rack-recipes waivers check --exit-code")


def check(options: argparse.Namespace) -> Answer:
    """Check the file of waivers, and tell which ones are over, lifted, about to end, or were never used.

    Whatever is wrong with the file is told with its line and column.
    """
    from rack_recipes.recipe.waivers import LIFTED, OVER

    file = _file()
    found = _uses(file, options)
    told = [remark for use in found if (remark := _remark(use))]
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
    from rack_recipes.analysis.waivers import WaiverUse, read_waiver_uses
    from rack_recipes.cli.results.open_store import opened
    from rack_recipes.errors import StoreError
    from rack_recipes.recipe.waivers import day_of

    if not file.waivers:
        return []
    today = day_of(now())
    try:
        with opened(options) as store:
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
    from rack_recipes.cli.terminal.text_table import to_text

    titles = ("line", "step", "hosts", "state", "until", "passes so far", "used", "runs", "who", "reason")
    yield to_text(titles, [_row(use) for use in found])


def _row(use: WaiverUse) -> tuple[object, ...]:
    waiver = use.waiver
    step = f"{waiver.step}: {waiver.measurement}" if waiver.measurement else waiver.step
    passes = f"{use.passes} of {waiver.passes}" if waiver.passes else ""
    term = (use.state, waiver.term, passes, len(use.used), len(use.runs))
    return (waiver.line, step, waiver.where, *term, waiver.who, waiver.reason)


def _remark(use: WaiverUse) -> str:
    """What somebody should know of a waiver; empty where there is nothing."""
    from rack_recipes.recipe.waivers import ENDS_SOON, LIFTED, OVER

    waiver = use.waiver
    named = f"{waiver.line}: the waiver of {waiver.step} by {waiver.who}"
    said = {
        OVER: f"was over after {waiver.until}: remove it, or give it a new date",
        LIFTED: f"is lifted by {waiver.passes} passes in a row wherever it was used: remove it",
        ENDS_SOON: f"ends after {waiver.until}",
    }
    if use.state in said:
        return f"{named} {said[use.state]}"
    return f"{named} has covered nothing in {len(use.runs)} runs" if use.runs and not use.used else ""
