# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import step
from rack_recipes.context.run_context import RefusedWrites


@pytest.fixture
def refusals() -> RefusedWrites:
    made = RefusedWrites()
    made.add("r1", "compute", "wrote a_v1 too late")
    made.add("r1", "compute", "wrote b_v1 too late")
    return made


@pytest.mark.parametrize("record", [step(host="r2"), step(step="other"), step(final=True)])
def test_other_records_are_the_same(refusals: RefusedWrites, record: dict[str, Any]) -> None:
    assert refusals.final_record(record) is record


def test_without_refusals_nothing_is_looked_at() -> None:
    record = step()
    assert RefusedWrites().final_record(record) is record


def test_the_last_word_has_all_that_the_host_says(refusals: RefusedWrites) -> None:
    record = step(flake=True)
    last = {"n": 0, "final": True, "verdict": "error", "reason": "wrote a_v1 too late", "blocks": True}
    assert refusals.final_record(record) == {**record, **last}


def test_what_else_was_wrong_is_told_too(refusals: RefusedWrites) -> None:
    ruled = refusals.final_record(step(verdict="failed", reason="too hot"))
    assert ruled["reason"] == "wrote a_v1 too late; it ended as failed: too hot"
    assert refusals.final_record(step(verdict="error"))["reason"] == "wrote a_v1 too late; it ended as error"


def test_an_optional_step_blocks_nothing(refusals: RefusedWrites) -> None:
    refusals.optional = frozenset(["compute"])
    assert "blocks" not in refusals.final_record(step())


def test_a_looped_step_ends_as_its_instance(refusals: RefusedWrites) -> None:
    refusals.add("r1", "loop[x]", "wrote c_v1 too late")
    instance = refusals.final_record(step(step="loop[x]", parent="loop"))
    whole = refusals.final_record(step(step="loop", instances=2))
    assert (instance["verdict"], "blocks" in instance) == ("error", False)
    assert (whole["verdict"], whole["reason"]) == ("error", "loop[x] error: wrote c_v1 too late")
    assert whole["blocks"] is True
