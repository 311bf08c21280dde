# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a run, as commands show them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.cli.terminal.colours import painter
from rack_recipes.cli.terminal.text_table import printable, to_text

TITLES = ("part", "state", "hosts", "controller", "run", "remarks")
NAMED = 10


def part_lines(info: Mapping[str, Any]) -> Iterator[str]:
    """Lines for people; `info` is the column `group_info` of a run, empty for one that has no parts."""
    if not info.get("told"):
        return
    rows = [
        (part["part"], part["state"], part["hosts"], part["controller"], part["run"], part["note"])
        for part in info["told"]
    ]
    yield to_text(TITLES, rows, painter(sys.stdout))
    if info["missing"]:
        yield f"in no part: {printable(first_few(info['missing'], NAMED))}\n"
    yield from (f"{printable(problem)}\n" for problem in info["problems"])
    yield "\n"
