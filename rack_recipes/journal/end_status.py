# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run ends, by the verdicts that it counted: its status, and the exit code of the command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS, PASSING
from ansible_collections.rack.recipes.plugins.module_utils.waiving import WAIVED

INTERRUPTED = "interrupted"
CUT_OFF = ("not run: ", "stopped: the run was interrupted", "the run was interrupted")
"""How the reasons begin of what an interrupted run did not come to, and of what its end has ended."""
REHEARSED = "rehearsed"
EXIT_CODES = {"passed": 0, REHEARSED: 0, "failed": 1, "unchecked": 1, "unreachable": 3, INTERRUPTED: 1}


def was_cut_off(row: Mapping[str, Any]) -> bool:
    """Whether a result only says that its run ended before the step did: it tells nothing of what was tested."""
    return row["verdict"] == "error" and str(row.get("reason") or "").startswith(CUT_OFF)


def stop_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Who has stopped the run, and when, by a record of the journal; empty where it says nothing of that."""
    return {"by": str(record["stopped_by"]), "time": str(record.get("time", ""))} if "stopped_by" in record else {}


def stopped_in_words(run: Mapping[str, Any]) -> str:
    """Who has stopped a run, and when (UTC), by its row in the store; empty for one that was not stopped."""
    stopped = run.get("stopped") or {}
    if not stopped:
        return ""
    moment = str(stopped.get("time", ""))[:19].replace("T", " ")
    return " at ".join(filter(None, (f"by {stopped.get('by', 'somebody')}", f"{moment} UTC" if moment else "")))


def status_of(counts: Mapping[str, int], checks: int, *, is_check: bool = False) -> str:
    """`passed`, `failed`, `unreachable`, or `unchecked` where all passed and nothing was checked.

    Where nothing passed there is no pass either. In check mode nothing can: a run with nothing wrong is `rehearsed`.
    """
    bad = {verdict for verdict, number in counts.items() if number and verdict not in PASSING}
    if bad & {"failed", "error"}:
        return "failed"
    if "unreachable" in bad:
        return "unreachable"
    if bad - HARMLESS:
        return "failed"
    if is_check:
        return REHEARSED if counts else "failed"
    if not any(counts.get(verdict) for verdict in PASSING):
        return "failed"
    return "passed" if checks or counts.get(WAIVED) else "unchecked"  # what is waived was judged, and had failed
