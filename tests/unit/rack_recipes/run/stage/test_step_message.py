# SPDX-License-Identifier: GPL-3.0-or-later

"""What the executor is told of a step: each case is a compiled step and the message, beside each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rack_recipes.errors import UsageError
from rack_recipes.run.stage.host_request import to_message

CASES = Path(__file__).parent / "cases/step_message"
HELD_THERE = {"disk"}


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_a_compiled_step_as_a_message(case: Path, golden: Callable[[Path, str], None]):
    step = yaml.safe_load(case.read_bytes())
    message = to_message(step, {"kind": "shell"}, HELD_THERE)
    golden(case.with_suffix(".json"), json.dumps(message, indent=1) + "\n")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (True, None),
        (False, False),
        ("true", None),
        ("True ", None),
        ("no", False),
        ({"value": 1, "eq": 1}, [{"value": 1, "eq": 1}]),
        ([{"value": 1, "min": 1}], [{"value": 1, "min": 1}]),
    ],
)
def test_what_when_came_out_as(said: Any, found: Any):
    assert to_message({"name": "a", "when": said}, {}, ()).get("when") == found


@pytest.mark.parametrize(
    ("said", "found"),
    [(True, {}), ({}, {}), ({"network": True}, {"network": True}), (False, None), (None, None)],
)
def test_what_a_sandbox_came_out_as(said: Any, found: Any):
    assert to_message({"name": "a", "sandbox": said}, {}, ()).get("sandbox") == found


@pytest.mark.parametrize("said", ["", "true", 0, 1, []])
def test_a_sandbox_that_is_none_is_refused(said: Any):
    with pytest.raises(UsageError) as caught:
        to_message({"name": "a", "sandbox": said}, {}, ())
    assert str(caught.value) == f"sandbox: expected true or a mapping, got {said!r}"


@pytest.mark.parametrize("said", ["", "maybe", 1, None])
def test_a_when_that_is_neither_true_nor_false(said: Any):
    with pytest.raises(UsageError) as caught:
        to_message({"name": "a", "when": said}, {}, ())
    assert str(caught.value) == f"when: expected true or false, got {said!r}"


def test_a_field_that_no_step_has_is_refused():
    with pytest.raises(UsageError) as caught:
        to_message({"name": "a", "module": "m", "timeoutt": 3}, {}, ())
    assert str(caught.value) == "step 'a': expected a known field, got 'timeoutt' (did you mean 'timeout'?)"


def test_a_step_that_cannot_be_run_keeps_its_place():
    step = {"name": "a", "depends_on": ["b"], "always": True, "loop": "{{ x }}", "args": {"x": 1}, "success": "none"}
    assert to_message({**step, "invalid": "args.x: no"}, {"kind": "shell"}, ()) == {
        "name": "a",
        "args": {},
        "depends_on": ["b"],
        "after": [],
        "scope": "host",
        "timeout": None,
        "parallel": False,
        "success": {},
        "always": True,
        "invalid": "args.x: no",
    }
