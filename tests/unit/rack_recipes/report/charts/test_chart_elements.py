# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from ansible_collections.rack.recipes.tests.unit.rack_recipes.report.colours import contrast, linear, luminance
from rack_recipes.report import format_values
from rack_recipes.report.charts import chart_elements
from rack_recipes.report.charts.chart_elements import LEVELS, OPPOSITES, PAPER, SERIES

LINEAR = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))


def times(matrix, vector):
    return [sum(factor * part for factor, part in zip(row, vector, strict=True)) for row in matrix]


def lab(colour, sight):
    seen = [min(max(part, 0.0), 1.0) for part in times(LINEAR[sight], linear(colour))]
    x, y, z = (
        part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116
        for part in (value / white for value, white in zip(times(XYZ, seen), (0.9505, 1, 1.089), strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one, other, sight):
    return sum((a - b) ** 2 for a, b in zip(lab(one, sight), lab(other, sight), strict=True)) ** 0.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sight", LINEAR)
def test_lines_can_be_told_apart_by_everybody(scheme, sight):
    pairs = combinations([getattr(colour, scheme) for colour in SERIES], 2)
    assert min(distance(one, other, sight) for one, other in pairs) > 43


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_stand_out_from_the_page(scheme):
    card = getattr(PAPER["card"], scheme)
    assert min(contrast(getattr(colour, scheme), card) for colour in SERIES) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_levels_go_one_way_in_lightness(scheme):
    steps = [luminance(getattr(colour, scheme)) for colour in LEVELS]
    assert steps == sorted(steps, reverse=scheme == "light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_number_in_a_cell_can_be_read(scheme):
    ink, card = (getattr(PAPER[name], scheme) for name in ("ink", "card"))
    for place, colour in enumerate(OPPOSITES):
        text = card if place in (0, 6) else ink
        assert contrast(text, getattr(colour, scheme)) >= 4.5, place


def test_every_name_in_the_rules_has_a_colour():
    named = set(re.findall(r"var\(--([a-z0-9-]+)\)", chart_elements.rules()))
    assert named <= set(chart_elements.colours())
    assert "var(" not in chart_elements.standalone_css()


def test_the_page_knows_every_colour_in_both_schemes():
    light, dark = (chart_elements.page_css() + format_values.css()).split("@media")[:2]
    for name in ("s-1", "s-6", "l-0", "o-6"):
        assert f"--{name}:" in light
        assert f"--{name}:" in dark
    for name in VERDICTS:
        assert f".chart .v-{name}{{" in chart_elements.page_css()


def test_every_class_of_a_chart_has_a_rule(by_name):
    from rack_recipes.report.charts.heat_map import verdict_map

    known = set(re.findall(r"\.([a-z][a-z0-9-]*)", chart_elements.rules()))
    parts = ET.fromstring(verdict_map(by_name["matrix"]).svg).iter()
    used = {name for part in parts for name in part.get("class", "").split()}
    assert used - known <= {"chart", "map", "cells"}
