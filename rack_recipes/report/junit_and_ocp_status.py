# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The four outcomes of tests that other programs know, and which of them each verdict is."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import FAILED
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING
from ansible_collections.rack.recipes.plugins.module_utils.waiving import WAIVED

PASS, FAIL, ERROR, SKIP = "PASS", "FAIL", "ERROR", "SKIP"


class Outcome(NamedTuple):
    """One outcome: its element in JUnit XML, and its status and type of diagnosis in Open Compute's output."""

    junit: str | None
    ocp_status: str
    ocp_type: str | None


# The gravest first: the first one that a host has is that of its run.
OUTCOMES = {
    FAIL: Outcome("failure", "COMPLETE", "FAIL"),
    ERROR: Outcome("error", "ERROR", "UNKNOWN"),
    PASS: Outcome(None, "COMPLETE", "PASS"),
    SKIP: Outcome("skipped", "SKIP", None),
}


def outcome_of(verdict: str | None) -> str:
    """The outcome of a verdict; a word that is no verdict is an error, so that nobody overlooks it.

    A waived failure is skipped: programs that read these files know no other word that is neither pass nor failure.
    """
    if verdict == WAIVED:
        return SKIP
    if verdict in PASSING:
        return PASS
    if verdict in NOT_TRIED:
        return SKIP
    return FAIL if verdict == FAILED else ERROR
