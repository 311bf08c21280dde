# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.conftest import Historian
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, run_id
from rack_recipes.analysis.regressions_and_baselines import accept, baseline_of, compare_with_baseline, withdraw
from rack_recipes.store.reading import recorded_runs

PASSED, FAILED = Night({("ping", "r1"): ()}), Night({("ping", "r1"): ()}, {("ping", "r1"): "failed"})


def test_the_newest_baseline_of_a_test_counts_until_it_is_withdrawn(history_of: Historian) -> None:
    history = history_of([PASSED, PASSED, PASSED])
    assert baseline_of(history.engine, history.run.run) is None
    for number in (1, 2):
        accept(history.engine, recorded_runs.run(history.engine, run_id(number)), "al", "after the rebuild")
    found = baseline_of(history.engine, history.run.run)
    assert found
    assert (found["run_id"], found["user"], found["note"]) == (run_id(2), "al", "after the rebuild")
    assert withdraw(history.engine, "NIGHT") == 2
    assert baseline_of(history.engine, history.run.run) is None
    assert withdraw(history.engine, "NIGHT") == 0


def test_the_baseline_of_another_test_does_not_count(history_of: Historian) -> None:
    history = history_of([Night({("ping", "r1"): ()}, recipe={"test_id": "DAY"}), PASSED])
    accept(history.engine, recorded_runs.run(history.engine, run_id(1)), "al")
    assert baseline_of(history.engine, history.run.run) is None


def test_a_comparison_has_what_is_worse_and_what_is_good_again(history_of: Historian) -> None:
    history = history_of([PASSED, FAILED])
    rows = [accept(history.engine, recorded_runs.run(history.engine, run_id(number)), "al") for number in (1, 2)]
    worse = compare_with_baseline(history.engine, rows[0], run_id(2))
    assert worse.steps == [{"step": "ping", "host": "r1", "before": "passed", "after": "failed"}]
    assert not worse.better
    better = compare_with_baseline(history.engine, rows[1], run_id(1))
    assert not better.steps
    assert len(better.better) == 1
