# SPDX-License-Identifier: GPL-3.0-or-later

"""The earlier runs of the same test, which a run is compared with. Nothing of them is read before it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rack_recipes.analysis.run_data import RunData
from rack_recipes.store.reading.earlier_runs import LAST_RUNS, earlier_runs

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rack_recipes.analysis.methods.change_points_and_trends import ChangePoint
    from rack_recipes.analysis.values_over_runs import KnownLimits, OverRuns, SeriesValues

Row = Mapping[str, Any]


@dataclass(frozen=True)
class History:
    """The last `length` earlier runs of the test of `run` that count. One object serves all methods of an analysis.

    `engine` is there for a method that needs other rows of these runs than what is read here.
    """

    engine: Engine
    run: RunData
    length: int = LAST_RUNS

    @cached_property
    def runs(self) -> Sequence[Row]:
        """The rows of `runs` of the earlier runs, the oldest first; the run itself is not among them."""
        return earlier_runs(self.run.run, self.run.runs, self.length)

    @cached_property
    def series(self) -> Sequence[SeriesValues]:
        """The numbers of this run and of the earlier ones, by series: two million are read in about three seconds."""
        from rack_recipes.analysis.values_over_runs import load_series

        return load_series(self.engine, [one["run_id"] for one in self.runs], self.run)

    @cached_property
    def limits(self) -> KnownLimits:
        """The limits that the measurements of the run were judged by."""
        from rack_recipes.analysis.values_over_runs import KnownLimits

        return KnownLimits(self.run.measurements)

    @cached_property
    def over_runs(self) -> Sequence[OverRuns]:
        """The median of each class of hosts in each run, without what only ever rises or falls in the context."""
        from rack_recipes.analysis import values_over_runs as over

        runs = [*self.runs, self.run.run]
        found = over.values_by_run(self.series, runs, self.run.attributes, over.LEAST_RUNS)
        return [one for one in found if not over.is_counter(one)]

    @cached_property
    def level_changes(self) -> Mapping[str, Sequence[ChangePoint]]:
        """The changes of level in `over_runs`, by the key of each that has some; none for fewer than 10 runs."""
        from rack_recipes.analysis.values_over_runs import find_level_changes

        return find_level_changes(self.over_runs)
