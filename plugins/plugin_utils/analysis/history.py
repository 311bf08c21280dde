# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The earlier runs of the same test, which a run is compared with. Nothing of them is read before it is needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_data import RunData
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import queries

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.value_series import SeriesValues

Row = Mapping[str, Any]

LAST_RUNS = 20


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
        from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.value_series import load

        run_ids = [one["run_id"] for one in (*self.runs, self.run.run)]
        return load(self.engine, run_ids, self.run.context)

    @cached_property
    def known_outliers(self) -> Mapping[tuple[str, str, str], Sequence[int]]:
        """By step, name and host of a value: the places among `runs` in which it was found to differ from its twins.

        Step and name are "" for a host that was found to differ as a whole.
        """
        places = {one["run_id"]: place for place, one in enumerate(self.runs)}
        found: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for row in queries.findings_of_runs(self.engine, places, "outlier"):
            whole = row["about"].get("host")
            for host, step, name in [(whole, "", "")] if whole else row["results"]:
                found[step, name, host].append(places[row["run_id"]])
        return found


def earlier_runs(run: Row, runs: Sequence[Row], length: int = LAST_RUNS) -> Sequence[Row]:
    """The last `length` of `runs` that are earlier runs of the same test and count, the oldest first."""
    found = [one for one in runs if _started(one) < _started(run) and is_same_test(one, run) and counts(one)]
    return sorted(found, key=_started)[-length:] if length else []


def is_same_test(one: Row, other: Row) -> bool:
    """Whether two runs are of the same test by the same recipe; a recipe is the same while its file keeps its name."""
    of_each = [(run.get("test_id"), PurePath(run.get("recipe") or "").name) for run in (one, other)]
    return any(of_each[0]) and of_each[0] == of_each[1]


def counts(run: Row) -> bool:
    """Whether a run says something about what it tested: it has ended, and Ansible was not in check mode."""
    return bool(run.get("ended")) and not (run.get("options") or {}).get("check")


def _started(run: Row) -> tuple[str, str]:
    return run.get("started") or "", run["run_id"]
