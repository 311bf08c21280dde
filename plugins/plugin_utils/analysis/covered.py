# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What several runs of a test cover: which steps ran where, what has failed, what has a criterion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS, RAN, VERDICTS
from ansible_collections.rack.recipes.plugins.module_utils.waiving import WAIVED
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading.coverage_counts import (
    measurements_by_name,
    results_by_verdict,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

Row = Mapping[str, Any]

TRIED = frozenset(name for name in RAN if VERDICTS[name].tried)
BAD = frozenset(VERDICTS) - HARMLESS - {"blocked", "unreachable"} | {WAIVED}


class Unlimited(NamedTuple):
    """A measurement of a step that no criterion has ever judged, and how many values there are."""

    step: str
    name: str
    unit: str
    values: int


@dataclass(frozen=True, slots=True)
class StepCoverage:
    """One planned step over the runs: `results` of it ran, `failed` of these failed, `checks` criteria were judged.

    `hosts` are those on which it ran, `never` those for which it was planned and never ran.
    """

    step: str
    results: int
    failed: int
    checks: int
    hosts: Sequence[str]
    never: Sequence[str]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The steps, and the measurements without a limit; by name."""

    steps: Sequence[StepCoverage]
    unlimited: Sequence[Unlimited]

    @property
    def never_run(self) -> list[StepCoverage]:
        """The steps that never ran on some of their hosts."""
        return [step for step in self.steps if step.never]

    @property
    def never_failed(self) -> list[StepCoverage]:
        """The steps that ran and never failed."""
        return [step for step in self.steps if step.results and not step.failed]

    @property
    def unchecked(self) -> list[StepCoverage]:
        """The steps that ran and in which no criterion was ever judged."""
        return [step for step in self.steps if step.results and not step.checks]


def coverage_of(engine: Engine, run_ids: Collection[str]) -> Coverage:
    """What these runs cover. Raises StoreError."""
    return covered(results_by_verdict(engine, run_ids), measurements_by_name(engine, run_ids))


def covered(results: Iterable[Row], measurements: Iterable[Row]) -> Coverage:
    """The coverage that these counts stand for, as store/reading/coverage_counts.py returns them."""
    by_step: dict[str, list[Row]] = defaultdict(list)
    for row in results:
        by_step[row["planned"]].append(row)
    steps = [_step(name, rows) for name, rows in sorted(by_step.items())]
    return Coverage(steps, _unlimited(measurements))


def _step(name: str, rows: Sequence[Row]) -> StepCoverage:
    ran = [row for row in rows if row["verdict"] in TRIED]
    hosts = {row["host"] for row in ran}
    return StepCoverage(
        name,
        sum(row["results"] for row in ran),
        sum(row["results"] for row in ran if row["verdict"] in BAD),
        sum(row["checks"] for row in rows),
        sorted(hosts),
        sorted({row["host"] for row in rows} - hosts),
    )


def _unlimited(measurements: Iterable[Row]) -> list[Unlimited]:
    """By planned step; a value that some criterion has judged under the same name is not among them."""
    numbers: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in measurements:
        found = numbers[_planned(row["step"]), row["name"], row["unit"] or ""]
        found[0] += row["number"]
        found[1] += row["judged"]
    return [Unlimited(*place, values) for place, (values, judged) in sorted(numbers.items()) if not judged]


def _planned(step: str) -> str:
    """The looped step of an instance, by the form of its name."""
    return step.partition("[")[0] if step.endswith("]") else step
