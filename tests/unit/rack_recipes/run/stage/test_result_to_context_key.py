# SPDX-License-Identifier: GPL-3.0-or-later

"""What a key takes of a module's result, and what is said where the result has no such part."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from rack_recipes.recipe.recipe_model import ResultPart
from rack_recipes.run.stage.module_answers import part_of

RESULT: dict[str, Any] = {
    "changed": False,
    "stdout": ['{"swp1": {"mtu": 9000}}', "Switch OS 1.2", {"version": "4.31"}],
    "json": {"interfaces": [{"name": "Ethernet1"}]},
}


def part(at: str = "", parse: Literal["", "json"] = "") -> ResultPart:
    return ResultPart("a.key_v1", at, parse)


@pytest.mark.parametrize(
    ("taken", "found"),
    [
        (part(), RESULT),
        (part("stdout.1"), "Switch OS 1.2"),
        (part("json.interfaces.0.name"), "Ethernet1"),
        (part("stdout.0"), '{"swp1": {"mtu": 9000}}'),
        (part("stdout.0", "json"), {"swp1": {"mtu": 9000}}),
        (part("stdout.0.swp1.mtu", "json"), 9000),
        (part("stdout.2.version"), "4.31"),
        (part("stdout.2", "json"), {"version": "4.31"}),  # some modules have parsed it already
    ],
)
def test_the_part_at_a_path(taken: ResultPart, found: Any):
    assert part_of(RESULT, taken) == found


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (part("stdot.0"), "the result has no 'stdot', did you mean stdout?"),
        (part("stdout.3"), "stdout has no '3': it is a list of 3"),
        (part("stdout.0.swp1"), 'stdout.0 has no \'swp1\': it is "{\\"swp1\\": {\\"mtu\\": 9000}}"'),
        (part("stdout.0.swp2", "json"), "stdout.0 has no 'swp2', did you mean swp1?"),
        (part("stdout.1", "json"), 'stdout.1 is no JSON: it is "Switch OS 1.2"'),
        (part("json.interfaces.one"), "json.interfaces has no 'one': it is a list of 1"),
    ],
)
def test_a_path_that_leads_nowhere(taken: ResultPart, said: str):
    with pytest.raises(ValueError) as caught:
        part_of(RESULT, taken)
    assert str(caught.value) == said


def test_json_that_is_too_deep_is_none():
    with pytest.raises(ValueError, match="is no JSON"):
        part_of({"stdout": "[" * 100_000}, part("stdout", "json"))
