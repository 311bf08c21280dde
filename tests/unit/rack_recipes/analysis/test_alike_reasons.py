# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rack_recipes.analysis import run_statistics
from rack_recipes.analysis.run_data import RunData, arrange_run

CASES = yaml.safe_load(Path(__file__).with_name("alike_reasons.yml").read_text())
STEPS = ("step1", "step2")


def reasons_of(reasons: Sequence[str]) -> list[Any]:
    """The rows of the table of reasons, of a run in which each of these failed `step1` on a host of its own."""
    rows = [
        {"host": f"h{number}", "step": "step1", "verdict": "failed", "reason": reason, "tries": 1}
        for number, reason in enumerate(reasons)
    ]
    passed = {"host": "h0", "step": "step2", "verdict": "passed", "tries": 1}
    return run_statistics.reasons(arrange_run(RunData(run={}, steps=[*rows, passed])))


@pytest.mark.parametrize("case", CASES["together"], ids=lambda case: str(case["told"]))
def test_reasons_that_differ_only_in_numbers_are_one(case: dict[str, Any]) -> None:
    (row,) = reasons_of(case["of"])
    assert (row["reason"], row["results"], row["hosts"]) == (case["told"], len(case["of"]), len(case["of"]))


@pytest.mark.parametrize("reasons", CASES["apart"], ids=lambda case: str(case[0]))
def test_reasons_that_say_different_things_stay_apart(reasons: list[str]) -> None:
    assert sorted(row["reason"] for row in reasons_of(reasons)) == sorted(reasons)


def test_two_thousand_failures_have_one_reason() -> None:
    chance = random.Random(1)
    (row,) = reasons_of([f"rate {chance.uniform(20, 30):.6f} < 90 Gb/s on 10.0.0.{n}" for n in range(2123)])
    assert row["results"] == 2123
    assert row["reason"].endswith("< 90 Gb/s on 10.0.0.0 (and 2,122 more)")


@pytest.mark.parametrize("sign", ["x", "1", ".", "a1", "1 "])
def test_a_long_reason_takes_no_time(sign: str) -> None:
    began = time.process_time()
    reasons_of([sign * 200_000, f"{sign * 200_000}1"])
    assert time.process_time() - began < 2
