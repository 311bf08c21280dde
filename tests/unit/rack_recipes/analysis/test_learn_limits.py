# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits from good runs: what is learned of which values, and how often further good runs fail by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from rack_recipes.analysis.learn_limits import GoodRun, LearnedLimit, learn_limits
from rack_recipes.recipe.limits_file import why_unsound

NO_HOSTS: Mapping[str, Any] = {}


def row(host: str, name: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"host": host, "step": "fans", "name": name, "unit": "rpm", "value": value, **more}


def learned(*values: Any) -> LearnedLimit:
    """What is learned from one value a run."""
    runs = [GoodRun(f"R{number}", [row("r1", "x", value)], NO_HOSTS) for number, value in enumerate(values)]
    [found] = learn_limits(runs, ["model"])
    return found


@pytest.mark.parametrize(
    ("values", "condition", "why_not"),
    [
        ([8] * 10, {"eq": 8}, ""),
        (["up"] * 10, {"eq": "up"}, ""),
        ([True] * 10, {"eq": True}, ""),
        ([12.05] * 10, {"min": 12.035, "max": 12.065}, ""),
        ([42, 43] * 10, {"min": 40, "max": 45}, ""),
        ([12.04, 12.05, 12.06] * 4, {"min": 12.008, "max": 12.092}, ""),
        ([0.1, 0.2, 0.1, 0.3, 0.1] * 2, {"max": 0.6}, ""),
        ([-0.1, 0.2, 0.1, 0.3, 0.1] * 2, {"min": -0.6, "max": 0.84}, ""),
        ([1e6, 1.1e6] * 5, {"min": 780537, "max": 1319463}, ""),
        (["key ********"] * 10, {}, "its values are secret"),
        (["up", "down"] * 5, {}, "its values are no numbers, and differ"),
        ([[1, 2]] * 10, {}, "its values are no numbers, and differ"),
        ([8] * 9, {}, "9 runs have it: 10 are needed"),
        ([1 / 3] * 10, {}, "its values have too many digits to tell how far they may be apart"),
    ],
)
def test_what_is_learned_of_values(values: list[Any], condition: dict[str, Any], why_not: str):
    found = learned(*values)
    assert (found.limit.condition, found.why_not) == (condition, why_not)
    assert found.limit.learned["runs"] == len(values)


@pytest.mark.parametrize(
    ("name", "unit", "never"),
    [
        ("write_ms", "ms", True),
        ("p99", "us", True),
        ("used", "%", True),
        ("rate", "Gbit/s", True),
        ("errors", "", True),
        ("latency", "", True),
        ("clock_offset", "us", False),
        ("inlet", "Cel", False),
        ("rx_power", "dBm", False),
        ("x", "", False),
        ("rail", "V", False),
    ],
)
def test_what_cannot_be_negative_has_no_negative_lower_limit(name: str, unit: str, never: bool):
    values = [0.1, 0.2, 0.1, 0.3, 0.0] * 2
    rows = [{**row("r1", name, value), "unit": unit} for value in values]
    [found] = learn_limits([GoodRun(f"R{n}", [one], NO_HOSTS) for n, one in enumerate(rows)], [])
    assert found.limit.condition == ({"max": 0.69} if never else {"min": -0.41, "max": 0.69})


def test_a_setting_that_differs_has_no_range():
    runs = [GoodRun(f"R{n}", [{**row("r1", "gpus", 7 if n in (3, 9) else 8), "unit": ""}], NO_HOSTS) for n in range(14)]
    [found] = learn_limits(runs, ["model"])
    told = "a setting that differs (12 times 8, 2 times 7): leave out the runs in which it is wrong"
    assert (found.limit.condition, found.why_not) == ({}, told)


def test_models_and_positions_have_limits_of_their_own():
    attributes = {
        "r1": {"model": "h100", "position": 7},
        "r2": {"model": "a100"},
        "r3": {"model": "h100", "position": 7},
    }
    measured = [row(host, "x", 8, limits={"max": 9}) for host in attributes]
    found = learn_limits([GoodRun(f"R{n}", measured, attributes) for n in range(10)], ["model", "position"])
    assert [(one.limit.where, one.limit.learned["hosts"], one.before) for one in found] == [
        ({"model": "h100", "position": 7}, 2, {"max": 9}),
        ({"model": "a100"}, 1, {"max": 9}),
    ]


@pytest.mark.parametrize(
    ("before", "remark"),
    [
        ({"max": 115}, "max 115 is 1.5 standard deviations from the mean of good values, 100"),
        ({"min": 101}, "min 101 is -0.1 standard deviations from the mean of good values, 100"),
        ({"eq": 100}, "eq on a value that varies from run to run"),
        ({"min": 60, "max": 140}, ""),
        ({}, ""),
    ],
)
def test_limits_that_good_values_do_not_hold_are_remarked(before: dict[str, Any], remark: str):
    assert why_unsound(before, {"mean": 100, "spread": 10}) == remark
    assert why_unsound(before, {"mean": 100, "spread": 0}) == why_unsound(before, {}) == ""


def remembering(rng: np.random.Generator, shape: tuple[int, ...], memory: float) -> np.ndarray:
    """Values that are in each run in part what they were in the last."""
    found = rng.normal(size=shape)
    for run in range(1, len(found)):
        found[run] = memory * found[run - 1] + (1 - memory**2) ** 0.5 * found[run]
    return 100 + 3 * found


def test_runs_that_resemble_the_last_count_as_fewer():
    values = remembering(np.random.default_rng(1), (20, 40), 0.8)
    runs = [GoodRun(f"R{n}", [row(f"r{h}", "x", v) for h, v in enumerate(one)], NO_HOSTS)
            for n, one in enumerate(values.tolist())]  # fmt: skip
    rng = np.random.default_rng(2)
    other = [GoodRun(f"R{n}", [row(f"r{h}", "x", v) for h, v in enumerate(rng.permutation(one))], NO_HOSTS)
             for n, one in enumerate(values.tolist())]  # fmt: skip
    [found], [without] = learn_limits(runs, []), learn_limits(other, [])
    assert 0.7 < found.limit.learned["memory"] < 0.9
    assert "memory" not in without.limit.learned
    assert found.limit.condition["max"] > without.limit.condition["max"] + 3


HOSTS, NAMES, RUNS, FURTHER, LEARNINGS = 12, 10, 20, 100, 20
KINDS = {
    "normal": lambda rng, shape: rng.normal(100, 3, shape),
    "whole numbers": lambda rng, shape: rng.normal(100, 3, shape).round(),
    "one decimal": lambda rng, shape: rng.normal(12, 0.3, shape).round(1),
    "host by host": lambda rng, shape: rng.normal(100, 3, shape) + rng.normal(0, 5, (1, HOSTS, 1)),
    "each run resembles the last (AR(1) of .7)": lambda rng, shape: remembering(rng, shape, 0.7),
    "each run resembles the last (AR(1) of .9)": lambda rng, shape: remembering(rng, shape, 0.9),
    "long tails (t with 5 degrees)": lambda rng, shape: 100 + 3 * rng.standard_t(5, shape),
    "one-sided (log-normal, 0.25)": lambda rng, shape: 100 * rng.lognormal(0, 0.25, shape),
}
MOST_FAILING = dict.fromkeys(KINDS, 0.01) | {
    "each run resembles the last (AR(1) of .9)": 0.05,
    "long tails (t with 5 degrees)": 0.05,
    "one-sided (log-normal, 0.25)": 0.05,
}


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize("kind", KINDS)
def test_limits_from_20_good_runs_fail_few_further_ones(kind: str):
    """12 hosts x 10 measurements, 20 times learned, 100 further runs each: a run fails where any of 120 values does."""
    rng, failed = np.random.default_rng(2026), 0
    attributes = {f"r{host}": {"position": host} for host in range(HOSTS)}
    for _learning in range(LEARNINGS):
        values = KINDS[kind](rng, (RUNS + FURTHER, HOSTS, NAMES))
        runs = [
            GoodRun(str(n), [row(f"r{h}", f"x{m}", float(v)) for (h, m), v in np.ndenumerate(one)], attributes)
            for n, one in enumerate(values[:RUNS])
        ]
        found = learn_limits(runs, ["position"])
        least, most = (np.array([one.limit.condition.get(end, 0) for one in found]) for end in ("min", "max"))
        further = values[RUNS:].reshape(FURTHER, -1)
        failed += int(((further < least) | (further > most)).any(axis=1).sum())
    assert failed / (LEARNINGS * FURTHER) <= MOST_FAILING[kind]
