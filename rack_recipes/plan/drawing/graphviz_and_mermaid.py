# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as a graph of steps, for Graphviz and for Mermaid."""

from __future__ import annotations

from collections.abc import Iterator

from rack_recipes.plan.drawing.describe_step import marks, stage_marks, turns
from rack_recipes.plan.plan_model import Plan, PlannedStep, Stage

Edge = tuple[str, str, bool, str]  # from, to, whether a failure blocks, and on which hosts where not on this one


def to_dot(plan: Plan) -> str:
    """The plan as a Graphviz graph, a cluster a stage."""
    lines = [f"digraph {_quoted(plan.recipe.test_meta.test_id)} {{", "  rankdir=LR;", "  node [shape=box];"]
    for stage in plan.stages:
        lines += [f"  subgraph cluster_{stage.number} {{", f"    label={_quoted(_title(stage))};"]
        lines += [f"    {_dot_node(planned)};" for planned in stage.steps] + ["  }"]
    lines += [
        f"  {_quoted(before)} -> {_quoted(after)}{_style(blocks, on)};" for before, after, blocks, on in _edges(plan)
    ]
    return "\n".join([*lines, "}", ""])


def _dot_node(planned: PlannedStep) -> str:
    features = ", ".join((*marks(planned), *turns(planned.step)))
    return _quoted(planned.step.name) + (f" [label={_quoted(planned.step.name, features)}]" if features else "")


def _style(blocks: bool, on: str) -> str:
    if not blocks:
        return " [style=dashed]"
    return f" [label={_quoted(on)}]" if on else ""


def to_mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flowchart, a subgraph a stage."""
    number = {planned.step.name: f"s{index}" for index, planned in enumerate(plan.steps, start=1)}
    lines = ["flowchart LR"]
    for stage in plan.stages:
        lines.append(f'  subgraph stage{stage.number}["{_escaped(_title(stage))}"]')
        lines += [f"    {number[planned.step.name]}{_mermaid_node(planned)}" for planned in stage.steps] + ["  end"]
    for before, after, blocks, on in _edges(plan):
        arrow = ("-->" if blocks else "-.->") + (f'|"{_escaped(on)}"|' if on else "")
        lines.append(f"  {number[before]} {arrow} {number[after]}")
    return "\n".join([*lines, ""])


def _mermaid_node(planned: PlannedStep) -> str:
    features = ", ".join((*marks(planned), *turns(planned.step)))
    return f'["{planned.step.name}{f"<br>{_escaped(features)}" if features else ""}"]'


def _title(stage: Stage) -> str:
    return ", ".join((f"stage {stage.number}", *stage_marks(stage)))


def _edges(plan: Plan) -> Iterator[Edge]:
    for planned in plan.steps:
        name = planned.step.name
        yield from ((need.step, name, True, need.where) for need in planned.depends_on)
        yield from ((before, name, False, "") for before in planned.after)


def _quoted(*lines: str) -> str:
    return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'


def _escaped(text: str) -> str:
    """Text inside a quoted label of Mermaid's, which takes it for Markdown and HTML."""
    return "".join(letter if letter.isalnum() or letter in " ,.:-" else f"#{ord(letter)};" for letter in text)
