# SPDX-License-Identifier: GPL-3.0-or-later

"""The graph of a recipe."""

from __future__ import annotations

from pathlib import Path

from rack_recipes.web.views.recipes_and_scriptlets import graph_of, layers

RECIPES = Path(__file__).resolve().parents[5] / "recipes"


def test_a_step_stands_right_of_all_that_it_waits_for():
    after = {"a": (), "b": ("a",), "c": (), "d": ("c", "b"), "e": ("gone",)}
    assert layers(after) == {"a": 0, "b": 1, "c": 0, "d": 2, "e": 0}


def test_a_recipe_has_a_picture_and_its_figures(project):
    chart, problem = graph_of(RECIPES / "host_health.yml")
    assert problem == ""
    assert chart is not None
    assert "clock_jitter" in [row[0] for row in chart.figures.rows]
    assert chart.svg.count("<rect") == len(chart.figures.rows)


def test_a_wrong_recipe_says_why_it_has_none(project):
    Path("wrong.yml").write_text("steps: 5\n")
    chart, problem = graph_of(Path("wrong.yml"))
    assert chart is None
    assert problem.startswith("wrong.yml:1:")
