# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run ended: the counts of its verdicts, and the results of its hosts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_values import few
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from ansible_collections.rack.recipes.plugins.module_utils.waiving import WAIVED
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.end_status import status_of
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.step_results import StepEnd
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current_run import RUN_HOST, Run

NOT_IN_STORE = "the results are not in the store"
REFUSED = "rack.recipes.recorder: nothing is run: "  # what the recorder says before the reason
REASONS = 5  # shown in a recap; the store has them all
IN_CHECK = "check mode: nothing was run, and nothing is wrong as far as can be told before"
NOTHING = {"unchecked": "nothing was checked in this run", "failed": "no step of this run passed"}


def counts_of(run: Run) -> dict[str, int]:
    """How many (step, host) pairs have each verdict; instances of a looped step count instead of it."""
    return dict(sorted(Counter(end.verdict for _place, end in run.results.counted()).items()))


def checks_of(run: Run) -> int:
    """How many criteria were judged."""
    return sum(end.checks for _place, end in run.results.counted())


def not_passed(run: Run) -> list[str]:
    """The hosts that did not pass, in the order of the run."""
    bad = _bad(run) or {host: {} for host in run.hosts[:1] if _nothing(run)}
    return [host for host in run.hosts if host in bad]


def host_result(run: Run, host: str) -> dict[str, Any]:
    """The verdict task's result for a host, with its reasons."""
    found = _bad(run)
    bad = found.get(host, {})
    if not found and host in run.hosts[:1] and _nothing(run):
        return {"changed": False, "failed": True, "msg": _nothing(run)}
    if not bad:
        return {"changed": False, "msg": IN_CHECK if run.inputs.is_check else _all_passed(run, host)}
    reasons = [f"{step} {end.verdict}: {end.reason}" for step, end in bad.items()]
    verdicts = {end.verdict for end in bad.values()}
    lost = "unreachable" in verdicts and verdicts <= {"unreachable", "blocked"}
    return {"changed": False, "unreachable" if lost else "failed": True, "msg": "; ".join(reasons[:REASONS])}


def _all_passed(run: Run, host: str) -> str:
    """What is said of a host that passed: also which of its failures somebody has accepted."""
    waived = [step for (step, place), end in run.results.counted() if place == host and end.verdict == WAIVED]
    return f"every step passed or is waived: {few(waived, REASONS)}" if waived else "every step passed"


def _nothing(run: Run) -> str:
    """Why the run did not pass although no step went wrong, empty where it did. This counts for its first host."""
    return NOTHING.get(status_of(counts_of(run), checks_of(run), is_check=run.inputs.is_check), "")


def _bad(run: Run) -> dict[str, dict[str, StepEnd]]:
    """The steps that did not pass, by host. A step that runs once for the run counts for the run's first host."""
    found: dict[str, dict[str, StepEnd]] = {}
    for (step, place), end in run.results.counted():
        if end.verdict not in HARMLESS:
            found.setdefault(run.hosts[0] if place == RUN_HOST else place, {})[step] = end
    return found
