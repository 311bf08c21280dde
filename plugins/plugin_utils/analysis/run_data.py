# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All data of one run that an analysis or a report looks at, in the order in which people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import queries

if TYPE_CHECKING:
    from sqlalchemy import Engine

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunData:
    """The rows of one run, as store/reading/queries.py returns them.

    `attributes` has, by host, what the inventory says of it: `rack`, `position`, `role`, `model` and whatever else the
    project records (setting `host_attributes`). `runs` are all runs, the newest first, to compare this one with.
    """

    run: Row
    steps: Sequence[Row] = ()
    measurements: Sequence[Row] = ()
    context: Sequence[Row] = ()
    conflicts: Sequence[Row] = ()
    runs: Sequence[Row] = ()
    artifacts: Sequence[Row] = ()
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def load(engine: Engine, run_id: str) -> RunData:
    """Read all rows of a run. Raises UsageError for an unknown run, and StoreError."""
    return RunData(
        run=queries.run(engine, run_id),
        steps=queries.steps(engine, run_id),
        measurements=queries.measurements(engine, run_id),
        context=queries.context(engine, run_id),
        conflicts=queries.conflicts(engine, run_id),
        runs=queries.runs(engine),
        artifacts=queries.artifacts(engine, run_id),
        attributes=queries.attributes(engine, run_id),
    )
