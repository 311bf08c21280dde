# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from ansible_collections.rack.recipes.plugins.plugin_utils.server.writes.json_patch import (
    PatchDoesNotApplyError,
    PatchError,
    apply,
    check,
)

CASES = yaml.safe_load(Path(__file__).with_name("json_patch_cases.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_patch(case):
    value, patch = copy.deepcopy(case.get("value")), case["patch"]
    if "wrong" in case:
        with pytest.raises(PatchError) as raised:
            check(patch)
        assert str(raised.value) == case["wrong"]
        return
    check(patch)
    if "fails" in case:
        with pytest.raises(PatchDoesNotApplyError) as raised:
            apply(patch, value)
        assert str(raised.value) == case["fails"]
    else:
        made = apply(patch, value)
        assert (made, repr(made)) == (case["made"], repr(made))
    assert value == case["value"], "the given value is not changed"


def test_a_value_in_a_patch_is_not_shared():
    patch = [{"op": "add", "path": "/a", "value": [1]}, {"op": "add", "path": "/a/-", "value": 2}]
    assert apply(patch, {}) == {"a": [1, 2]}
    assert patch[0]["value"] == [1]
