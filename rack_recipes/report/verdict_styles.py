# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How words are shown in reports: verdicts as the table of verdicts says, all others like one of them."""

from __future__ import annotations

from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING, VERDICTS

OTHER = "unreachable"
"""The verdict like which a word is shown that is not known here."""

STATUSES = {"interrupted": "error", "rehearsed": "skipped", "running": "skipped", "unchecked": "error"}
"""For each status of a run that is not a verdict: the verdict like which it is shown."""


def style_of(word: str) -> str:
    """The verdict like which a verdict, the status of a run or any other word is shown."""
    known = STATUSES.get(word, word)
    return known if known in VERDICTS else OTHER


def css() -> str:
    """The colours as custom properties of a style sheet, and a class for each verdict."""
    light = "".join(f"--{name}:{own.light};" for name, own in VERDICTS.items())
    dark = "".join(f"--{name}:{own.dark};" for name, own in VERDICTS.items())
    classes = "".join(f".v-{name}{{--v:var(--{name})}}" for name in VERDICTS)
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{classes}"


def for_script() -> dict[str, Any]:
    """What scripts of pages need to show words: the verdicts in order, their symbols, and like which others look."""
    return {
        "order": list(VERDICTS),
        "symbols": {name: verdict.symbol for name, verdict in VERDICTS.items()},
        "statuses": dict(STATUSES),
        "other": OTHER,
        "passing": [name for name in VERDICTS if name in PASSING],
        "notTried": [name for name in VERDICTS if name in NOT_TRIED],
    }
