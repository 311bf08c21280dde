# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The graph of a recipe as a picture: steps from left to right, arrows to the steps that wait for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from rack_recipes.errors import RackError
from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.plan.plan_model import Plan, PlannedStep
from rack_recipes.report.charts.chart_elements import LETTER, Chart, element, label, picture
from rack_recipes.report.table_model import Column, Table

DOWN, GAP, HIGH, LETTERS = 36, 46, 24, 24
COLUMNS = (Column("step", "Step"), Column("stage", "Stage", "number"), Column("after", "After"))


def graph_of(recipe: Path) -> tuple[Chart | None, str]:
    """The graph of a recipe, or why it cannot be planned."""
    try:
        plan = plan_of(str(recipe))
    except RackError as error:
        return None, str(error)
    after = {one.step.name: _needs(one) for stage in plan.stages for one in stage.steps}
    return Chart(_picture(after), _figures(plan)), ""


def _needs(planned: PlannedStep) -> tuple[str, ...]:
    """The steps that a step waits for."""
    return (*dict.fromkeys([*(one.step for one in planned.depends_on), *planned.after]),)


def _figures(plan: Plan) -> Table:
    rows = tuple(
        (one.step.name, stage.number, ", ".join(_needs(one)) or None) for stage in plan.stages for one in stage.steps
    )
    return Table("graph", "Graph", COLUMNS, rows, "The steps with the stage of each, and those that it waits for.")


def layers(after: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """By step how many steps must end before it at least, one after the other; `after` is in an order that can run."""
    found: dict[str, int] = {}
    for step, needs in after.items():
        found[step] = 1 + max((found[one] for one in needs if one in found), default=-1)
    return found


def _picture(after: Mapping[str, Sequence[str]]) -> Markup:
    columns = layers(after)
    wide = [
        max(min(len(step), LETTERS) for step, own in columns.items() if own == column) * LETTER + 18
        for column in range(max(columns.values(), default=-1) + 1)
    ]
    rows = dict.fromkeys(range(len(wide)), 0)
    places: dict[str, tuple[float, float, float]] = {}
    for step, column in columns.items():
        places[step] = sum(wide[:column]) + GAP * column + 2, rows[column] * DOWN + 6, wide[column]
        rows[column] += 1
    width, height = sum(wide) + GAP * len(wide), max(rows.values(), default=1) * DOWN + 6
    title = f"{len(after):,} steps, and what each waits for"
    return picture("graph", width, height, title, *_edges(after, places), *_nodes(places))


def _edges(after: Mapping[str, Sequence[str]], places: Mapping[str, tuple[float, float, float]]) -> Iterator[Markup]:
    for step, needs in after.items():
        to, down, _wide = places[step]
        for left, top, wide in (places[one] for one in needs if one in places):
            start, middle = left + wide, top + HIGH / 2
            end, half = down + HIGH / 2, (left + wide + to) / 2
            path = f"M{start:.1f} {middle:.1f}C{half:.1f} {middle:.1f} {half:.1f} {end:.1f} {to:.1f} {end:.1f}"
            yield element("path", d=path, class_="edge")


def _nodes(places: Mapping[str, tuple[float, float, float]]) -> Iterator[Markup]:
    for step, (left, top, wide) in places.items():
        place = {"x": f"{left:.1f}", "y": f"{top:.1f}", "width": f"{wide:.1f}", "height": HIGH, "rx": 5}
        yield element("rect", element("title", step), **place, class_="node")
        yield element("text", label(step, LETTERS), x=f"{left + 9:.1f}", y=f"{top + HIGH / 2:.1f}")
