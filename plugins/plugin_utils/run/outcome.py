# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run came to: its status and the exit code of the command that ran it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import RUN_HOST, Ended, Run

EXIT_CODES = {"passed": 0, "failed": 1, "unreachable": 3, "interrupted": 1}
REASONS = 5  # shown in a recap; the store has them all


def status_of(counts: Mapping[str, int]) -> str:
    """`passed`, `failed` or `unreachable`; where nothing passed, nothing was checked, and that is no pass."""
    bad = {verdict for verdict, number in counts.items() if number and verdict not in PASSING}
    if bad & {"failed", "error"}:
        return "failed"
    if "unreachable" in bad:
        return "unreachable"
    checked = any(counts.get(verdict) for verdict in PASSING)
    return "passed" if checked and bad <= {"skipped"} else "failed"


def counts_of(run: Run) -> dict[str, int]:
    """How many (step, host) pairs have each verdict."""
    return dict(sorted(Counter(ended.verdict for ended in run.ended.values()).items()))


def not_passed(run: Run) -> list[str]:
    """The hosts that did not pass, in the order of the run."""
    bad = _bad(run)
    return [host for host in run.hosts if host in bad]


def host_result(run: Run, host: str) -> dict[str, Any]:
    """The verdict task's result for a host, with its reasons."""
    bad = _bad(run).get(host, {})
    if not bad:
        return {"changed": False, "msg": "every step passed"}
    reasons = [f"{step} {end.verdict}: {end.reason}" for step, end in bad.items()]
    verdicts = {end.verdict for end in bad.values()}
    lost = "unreachable" in verdicts and verdicts <= {"unreachable", "blocked"}
    return {"changed": False, "unreachable" if lost else "failed": True, "msg": "; ".join(reasons[:REASONS])}


def _bad(run: Run) -> dict[str, dict[str, Ended]]:
    """What did not pass, by host. What runs once for the run counts for the run's first host."""
    found: dict[str, dict[str, Ended]] = {}
    for (step, place), end in run.ended.items():
        if end.verdict not in PASSING and end.verdict != "skipped":
            found.setdefault(run.hosts[0] if place == RUN_HOST else place, {})[step] = end
    return found
