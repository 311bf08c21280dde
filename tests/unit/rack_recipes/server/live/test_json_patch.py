# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LARGEST_VALUE
from rack_recipes.server.live.json_patch import PatchDoesNotApplyError, PatchError, apply_patch, check_patch, weight

CASES = yaml.safe_load(Path(__file__).with_name("json_patch_cases.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_patch(case):
    value, patch = copy.deepcopy(case.get("value")), case["patch"]
    if "wrong" in case:
        with pytest.raises(PatchError) as raised:
            check_patch(patch)
        assert str(raised.value) == case["wrong"]
        return
    check_patch(patch)
    if "fails" in case:
        with pytest.raises(PatchDoesNotApplyError) as raised:
            apply_patch(patch, value)
        assert str(raised.value) == case["fails"]
    else:
        made = apply_patch(patch, value)
        assert (made, repr(made)) == (case["made"], repr(made))
    assert value == case["value"], "the given value is not changed"


def test_a_value_in_a_patch_is_not_shared():
    patch = [{"op": "add", "path": "/a", "value": [1]}, {"op": "add", "path": "/a/-", "value": 2}]
    assert apply_patch(patch, {}) == {"a": [1, 2]}
    assert patch[0]["value"] == [1]


@pytest.mark.parametrize(
    "item", [[1] * 1000, {str(number): None for number in range(500)}, "x" * 2000, [["x"] * 9] * 99]
)
def test_copies_have_a_limit_together(item):
    size = len(json.dumps(item, separators=(",", ":")))
    copies = [{"op": "copy", "from": "/a", "path": "/b"}] * (LARGEST_VALUE // size - 1)  # beside the value itself
    assert apply_patch(copies, {"a": item}) == {"a": item, "b": item}
    with pytest.raises(
        PatchDoesNotApplyError, match="the value and what a patch copies may have 1048576 bytes of JSON"
    ):
        apply_patch(copies * 4, {"a": item})


def test_a_weight_is_never_more_than_the_json():
    for value in (1, "x", "", [], {}, [1], [1, 2], {"a": 1}, {"": [[], {}]}, [None, True, 1.5, "äö"]):
        assert weight(value, 10**6) <= len(json.dumps(value, separators=(",", ":")).encode())
    assert weight([1] * 1000, 100) <= 2002
    assert weight([[1] * 50] * 10**6, 100) < 300


def test_what_gets_too_deep_does_not_apply():
    patch = [{"op": "copy", "from": "", "path": "/a" * 2**number} for number in range(12)]
    with pytest.raises(PatchDoesNotApplyError, match="nested too deeply"):
        apply_patch(patch, {})
