# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run ended: the counts of its verdicts, and the results of its hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import few
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from ansible_collections.rack.recipes.plugins.module_utils.waiving import WAIVED
from rack_recipes.journal.end_status import status_of
from rack_recipes.journal.step_results import Place, StepEnd
from rack_recipes.run.current_run import RUN_HOST, Run

NOT_IN_STORE = "the results are not in the store"
REFUSED = "rack.recipes.recorder: nothing is run: "  # what the recorder says before the reason
REASONS = 5  # shown in a recap; the store has them all
IN_CHECK = "check mode: nothing was run, and nothing is wrong as far as can be told before"
NOTHING = {"unchecked": "nothing was checked in this run", "failed": "no step of this run passed"}
LEFT_OUT = "left out by its tags"


@dataclass(frozen=True, slots=True)
class Part:
    """What of a run is judged: the whole of it, or `stages` only where there are any.

    What runs once for the run counts for the host `first`, and so does that nothing was checked. By default that is
    the first host of the run.
    """

    run: Run
    stages: Collection[int] = ()
    first: str = ""

    def results(self) -> Iterator[tuple[Place, StepEnd]]:
        """The results that count. That of a step which no plan knows always does."""
        for (name, host), end in self.run.results.counted():
            step = self.run.steps.get(end.parent or name)
            if not self.stages or step is None or step.stage in self.stages:
                yield (name, host), end

    def is_left_out(self) -> bool:
        """Whether tags leave out all steps of the stages."""
        names = {step.name for step in self.run.steps.values() if step.stage in self.stages}
        return bool(names) and names <= self.run.left_out

    def bears(self, host: str) -> bool:
        """Whether for this host counts what belongs to no host."""
        return host in ([self.first] if self.first else self.run.hosts[:1])

    def bad(self) -> dict[str, dict[str, StepEnd]]:
        """The steps that did not pass, by host.

        What runs once for the run and was blocked by a host that is named here is no failure of another host.
        """
        found: dict[str, dict[str, StepEnd]] = {}
        wrong = [(place, end) for place, end in self.results() if end.verdict not in HARMLESS]
        is_named = any(host != RUN_HOST for (_step, host), _end in wrong)
        for (step, host), end in wrong:
            if host != RUN_HOST:
                found.setdefault(host, {})[step] = end
            elif end.verdict != "blocked" or not is_named:
                found.setdefault(self.first or self.run.hosts[0], {})[step] = end
        return found

    def nothing(self) -> str:
        """Why it did not pass although no step went wrong, empty where it did."""
        counts = Counter(end.verdict for _place, end in self.results())
        checks = sum(end.checks for _place, end in self.results())
        return NOTHING.get(status_of(counts, checks, is_check=self.run.inputs.is_check), "")


def counts_of(run: Run) -> dict[str, int]:
    """How many (step, host) pairs have each verdict; instances of a looped step count instead of it."""
    return dict(sorted(Counter(end.verdict for _place, end in run.results.counted()).items()))


def checks_of(run: Run) -> int:
    """How many criteria were judged."""
    return sum(end.checks for _place, end in run.results.counted())


def not_passed(run: Run) -> list[str]:
    """The hosts that did not pass, in the order of the run."""
    whole = Part(run)
    bad = whole.bad() or {host: {} for host in run.hosts[:1] if whole.nothing()}
    return [host for host in run.hosts if host in bad]


def host_result(part: Part, host: str) -> dict[str, Any]:
    """The verdict task's result for a host, with its reasons."""
    if part.is_left_out():
        return {"changed": False, "skipped": True, "msg": LEFT_OUT}
    found = part.bad()
    bad = found.get(host, {})
    if not found and part.bears(host) and part.nothing():
        return {"changed": False, "failed": True, "msg": part.nothing()}
    if not bad:
        return {"changed": False, "msg": IN_CHECK if part.run.inputs.is_check else _all_passed(part, host)}
    reasons = [f"{step} {end.verdict}: {end.reason}" for step, end in bad.items()]
    verdicts = {end.verdict for end in bad.values()}
    kind = "unreachable" if "unreachable" in verdicts and verdicts <= {"unreachable", "blocked"} else "failed"
    lines = [f"{end.verdict:<11} {step}  {end.reason}" for step, end in bad.items()]
    return {"changed": False, kind: True, "msg": "; ".join(reasons[:REASONS]), "steps": lines}


def _all_passed(part: Part, host: str) -> str:
    """What is said of a host that passed: also which of its failures somebody has accepted."""
    waived = [step for (step, place), end in part.results() if place == host and end.verdict == WAIVED]
    return f"every step passed or is waived: {few(waived, REASONS)}" if waived else "every step passed"
