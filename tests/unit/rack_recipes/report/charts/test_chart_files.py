# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from rack_recipes.report.charts import stored_charts
from rack_recipes.report.charts.chart_elements import Quantity
from rack_recipes.report.charts.histogram_and_box_plot import histogram

CHART = histogram(Quantity("rx", "frames"), [1, 2, 3, 4, 9])


def test_a_file_has_its_own_style_light_and_dark():
    text = stored_charts.svg(CHART)
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    style = root.find("{*}style").text
    assert "@media (prefers-color-scheme:dark)" in style
    assert "var(" not in style
    assert not re.findall(r"(?:href|src|url|@import)", text)


def test_a_png_shows_something():
    pytest.importorskip("resvg_py")
    png = stored_charts.png(CHART)
    assert png.startswith(b"\x89PNG")
    width, height = (int.from_bytes(png[place : place + 4]) for place in (16, 20))
    assert (width, height) == (1280, 600)
    assert len(png) > 3000
