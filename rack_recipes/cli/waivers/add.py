# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `waivers add`."""

from __future__ import annotations

import argparse
from typing import Any

from rack_recipes.cli.command_table import Answer
from rack_recipes.cli.shared_options import examples

FIELDS = ("step", "test_id", "hosts", "measurement", "reason", "who", "until", "passes")


def add_add(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument("step", metavar="STEP", help="the step, or an instance of a looped one; * stands for any text")
    command.add_argument("--reason", metavar="TEXT", required=True, help="why it is accepted, such as a ticket")
    command.add_argument(
        "--hosts", metavar="PATTERN", action="append", help="its hosts, all for all of them; may be repeated"
    )
    command.add_argument("--test", metavar="ID", dest="test_id", help="only in runs of this test")
    command.add_argument("--measurement", metavar="NAME", help="only results that failed by this measurement alone")
    command.add_argument("--until", metavar="DATE", help="the last day on which it is in force (UTC)")
    command.add_argument("--passes", metavar="N", type=int, help="it ends after so many passes in a row")
    command.add_argument("--who", metavar="NAME", help="who has accepted it (default: you)")
    examples(
        command,
        'rack-recipes waivers add link_errors --hosts leaf3 --reason "RMA 1234" --until 2026-12-31',
        "rack-recipes waivers add fans --hosts all --test 'HALL-*' --measurement fan_noise --reason loud --passes 3",
    )


def add(options: argparse.Namespace) -> Answer:
    """Add a waiver to the project's file, which is made where there is none. All else in the file stays as it is.

    It needs --hosts, and --until or --passes, or both: what ends first counts.
    """
    from rack_recipes import settings
    from rack_recipes.errors import UsageError
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
    return {"status": "ok", "file": str(path), "waiver": add_waiver(path, entry).to_data()}, 0
