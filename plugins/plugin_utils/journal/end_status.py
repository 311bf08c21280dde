# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run ends, by the verdicts that it counted: its status, and the exit code of the command."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS, PASSING
from ansible_collections.rack.recipes.plugins.module_utils.waiving import WAIVED

INTERRUPTED = "interrupted"
REHEARSED = "rehearsed"
EXIT_CODES = {"passed": 0, REHEARSED: 0, "failed": 1, "unchecked": 1, "unreachable": 3, INTERRUPTED: 1}


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
