# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan for people and for other programs: tree, JSON, Graphviz, Mermaid."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.plan.model import Plan, PlannedStep, Stage


def to_data(plan: Plan) -> dict[str, Any]:
    """The plan as JSON data."""
    recipe = plan.recipe
    return {
        "recipe": recipe.path,
        "digest": recipe.digest,
        "test_id": recipe.test_meta.test_id,
        "hosts": recipe.hosts,
        "stages": [
            {"number": stage.number, "scope": stage.scope, "why": stage.why, "steps": [*map(_step_data, stage.steps)]}
            for stage in plan.stages
        ],
    }


def _step_data(planned: PlannedStep) -> dict[str, Any]:
    step = planned.step
    return {
        "name": step.name,
        "idx": step.idx,
        "type": planned.entry.kind,
        "scriptlet": planned.entry.name,
        "source": planned.entry.source,
        "hosts": step.hosts,
        "scope": step.scope,
        "depends_on": list(planned.depends_on),
        "after": list(planned.after),
        "reads": list(planned.reads),
        "writes": list(planned.writes),
        "timeout": step.timeout,
        "tries": step.retry.max,
        "parallel": step.parallel,
        "checks": list(step.success.ctx_has_keys),
    }


def to_json(plan: Plan) -> str:
    """The plan as JSON text."""
    return json.dumps(to_data(plan), ensure_ascii=False, indent=2) + "\n"


def to_tree(plan: Plan) -> str:
    """The plan as a tree of text."""
    recipe = plan.recipe
    about = ": ".join(filter(None, (recipe.test_meta.test_id, " ".join(recipe.test_meta.description.split()))))
    lines = [f"{recipe.path}  {about}", *_branches(plan.stages, lambda stage: _stage_title(plan, stage), _stage_lines)]
    return "".join(f"{line}\n" for line in lines)


def _stage_title(plan: Plan, stage: Stage) -> str:
    where = "once for the run, on the controller" if stage.scope == "run" else f"hosts {plan.recipe.hosts}"
    why = "" if stage.number == 1 else f"  (a new stage: its first step {stage.why})"
    return f"stage {stage.number}  {where}{why}"


def _stage_lines(stage: Stage) -> Iterator[str]:
    return _branches(stage.steps, _step_title, _step_lines)


def _step_title(planned: PlannedStep) -> str:
    marks = ("parallel",) if planned.step.parallel else ()
    return "  ".join((planned.step.name, f"[{planned.entry.kind}] {planned.entry.name}", *marks))


def _step_lines(planned: PlannedStep) -> Iterator[str]:
    step = planned.step
    facts: tuple[tuple[str, Iterable[str]], ...] = (
        ("hosts", (step.hosts,) if step.hosts else ()),
        ("depends on", planned.depends_on),
        ("after", planned.after),
        ("reads", planned.reads),
        ("writes", planned.writes),
        ("checks", step.success.ctx_has_keys),
    )
    shown = [(name, ", ".join(values)) for name, values in facts if values]
    return _branches(shown, lambda fact: f"{fact[0]}: {fact[1]}", lambda _fact: iter(()))


def _branches[Item](
    items: Iterable[Item], title: Callable[[Item], str], below: Callable[[Item], Iterator[str]]
) -> Iterator[str]:
    whole = list(items)
    for number, item in enumerate(whole, start=1):
        last = number == len(whole)
        yield ("└── " if last else "├── ") + title(item)
        for line in below(item):
            yield ("    " if last else "│   ") + line


def to_dot(plan: Plan) -> str:
    """The plan as a Graphviz graph, a cluster a stage."""
    lines = [f"digraph {_quoted(plan.recipe.test_meta.test_id)} {{", "  rankdir=LR;", "  node [shape=box];"]
    for stage in plan.stages:
        lines += [f"  subgraph cluster_{stage.number} {{", f"    label={_quoted(f'stage {stage.number}')};"]
        lines += [f"    {_quoted(planned.step.name)};" for planned in stage.steps] + ["  }"]
    for before, after, blocks in _edges(plan):
        style = "" if blocks else " [style=dashed]"
        lines.append(f"  {_quoted(before)} -> {_quoted(after)}{style};")
    return "\n".join([*lines, "}", ""])


def to_mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flowchart, a subgraph a stage."""
    number = {planned.step.name: f"s{index}" for index, planned in enumerate(plan.steps, start=1)}
    lines = ["flowchart LR"]
    for stage in plan.stages:
        lines.append(f'  subgraph stage{stage.number}["stage {stage.number}"]')
        lines += [f'    {number[planned.step.name]}["{planned.step.name}"]' for planned in stage.steps] + ["  end"]
    lines += [
        f"  {number[before]} {'-->' if blocks else '-.->'} {number[after]}" for before, after, blocks in _edges(plan)
    ]
    return "\n".join([*lines, ""])


def _edges(plan: Plan) -> Iterator[tuple[str, str, bool]]:
    for planned in plan.steps:
        yield from ((name, planned.step.name, True) for name in planned.depends_on)
        yield from ((name, planned.step.name, False) for name in planned.after)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


FORMATS: dict[str, Callable[[Plan], str]] = {"tree": to_tree, "json": to_json, "dot": to_dot, "mermaid": to_mermaid}
