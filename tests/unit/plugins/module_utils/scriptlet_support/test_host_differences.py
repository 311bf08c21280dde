# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest

pytest.importorskip("hypothesis")  # not everywhere that targets' Pythons are tested
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.host_differences import compare

VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 1.0, "", "a", "present", "absent"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "a.b", "name", "0", ""]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_every_leaf_that_differs_is_told(value, random):
    changed = copy.deepcopy({"v": value})
    holder, place = changed, "v"
    while isinstance(holder[place], (dict, list)) and holder[place]:
        holder = holder[place]
        place = random.choice([*holder] if isinstance(holder, dict) else range(len(holder)))
    holder[place] = "another"
    assert compare({"r1": {"v": value}, "r2": changed}, [], {})["undecided"]
    (told,) = compare({"r1": {"z": 1, "v": value}, "r2": {"z": 2, "v": value}}, [], {})["undecided"]
    assert told["field"] == "z"
