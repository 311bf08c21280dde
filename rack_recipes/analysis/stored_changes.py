# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed between two runs in the store, for the command `diff` and for pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rack_recipes.analysis import run_changes
from rack_recipes.store.reading import recorded_runs

if TYPE_CHECKING:
    from sqlalchemy import Engine


def stored_changes(store: Engine, first: str, second: str) -> dict[str, list[dict[str, Any]]]:
    """The changes by what they are of: `run`, `verdicts`, `durations`, `measurements`, `context`. Raises UsageError."""
    steps = [recorded_runs.steps(store, run_id) for run_id in (first, second)]
    return {
        "run": run_changes.run_changes(recorded_runs.run(store, first), recorded_runs.run(store, second)),
        "verdicts": run_changes.verdict_changes(*steps),
        "durations": run_changes.duration_changes(*steps),
        "measurements": run_changes.measurement_changes(
            recorded_runs.measurements(store, first), recorded_runs.measurements(store, second)
        ),
        "context": run_changes.context_changes(
            recorded_runs.context(store, first), recorded_runs.context(store, second)
        ),
    }
