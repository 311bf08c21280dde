# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rack_recipes.recipe.gallery.entry_and_search import Argument, GalleryEntry, nearest_word, search


def entry(name: str, sentence: str = "It tests", kind: Any = "scriptlet", **more: Any) -> GalleryEntry:
    return GalleryEntry(kind, name, "family", sentence, Path(name), "collection", **more)


FAN = entry("host.fan", "Whether the fans turn")
FANS = entry("rack.fan_speed")
COOLING = entry("cooling.leaks", "Fan and coolant of a node")
POWER = entry("power.load", arguments=(Argument("max_fan_watts", unit="W", description="What fans may take"),))
RECIPE = entry("recipes/fan.yml", "All about cooling", "recipe", keys={"host.heat_v1": "temperature (Cel)"})
ROLE = entry("rack.recipes.burn_in", "Runs a server hot", "role", needs=("stress-ng",), verdicts={"failed": "too hot"})
ALL = [ROLE, POWER, COOLING, RECIPE, FANS, FAN]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["fan"], [FAN, RECIPE, FANS, COOLING, POWER]),  # name, part of the name, sentence, rest
        (["FAN"], [FAN, RECIPE, FANS, COOLING, POWER]),
        (["host.fan"], [FAN]),
        (["recipes/fan.yml"], [RECIPE]),
        (["cooling"], [COOLING, RECIPE]),
        (["fan", "coolant"], [COOLING]),
        (["host.heat_v1"], [RECIPE]),
        (["cel"], [RECIPE]),
        (["max_fan_watts"], [POWER]),
        (["stress-ng"], [ROLE]),
        (["too", "hot"], [ROLE]),
        (["fan", "absent"], []),
    ],
)
def test_what_has_all_words_is_found_the_best_first(words: list[str], found: list[GalleryEntry]):
    assert [each.name for each in search(ALL, words)] == [each.name for each in found]


def test_of_two_in_one_file_each_is_found():
    several = [entry("redfish.log", function=name) for name in ("Mark", "Log")]
    assert [each.function for each in search(several, ["redfish"])] == ["Log", "Mark"]
    assert [each.function for each in search(several, ["mark"])] == ["Mark"]


@pytest.mark.parametrize(
    ("words", "lost", "near"),
    [
        (["temprature"], "temprature", "temperature"),
        (["fan", "coolent"], "coolent", "coolant"),
        (["xyzzy"], "xyzzy", ""),
        (["fan", "stress-ng"], "", ""),
    ],
)
def test_the_word_that_nothing_has_is_told_with_the_nearest_one(words: list[str], lost: str, near: str):
    assert search(ALL, words) == []
    assert nearest_word(ALL, words) == (lost, near)
