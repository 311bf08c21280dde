# SPDX-License-Identifier: GPL-3.0-or-later

"""The page on acceptance: its picture is drawn from the recipe's plan, and it tells of every part and parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.plan.plan_model import Plan, PlanOptions
from rack_recipes.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/acceptance.md"
BEGIN = "<!-- picture: written by tests/unit/test_acceptance_page.py --update -->\n"
END = "<!-- /picture -->\n"


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(ROOT)
    return plan_of("recipes/acceptance.yml", Settings(), PlanOptions())


def part_of(step: str) -> str:
    """The part of the recipe that a step is of: the name of its include, or its own name."""
    return step.partition(".")[0]


def picture(plan: Plan) -> str:
    """The parts in their order (dashed), with their steps, and which part needs which to have passed (solid)."""
    parts: dict[str, list[str]] = {}
    for planned in plan.steps:
        parts.setdefault(part_of(planned.name), []).append(planned.name.partition(".")[2])
    lines = ["```mermaid", "flowchart TD", *(_node(part, steps) for part, steps in parts.items())]
    needs = dict(_needs(plan))
    lines += [f"  {one} -.-> {other}" for one, other in pairwise(parts) if (one, other) not in needs]
    lines += [f"  {one} -->|{how}| {other}" for (one, other), how in needs.items()]
    return "\n".join([*lines, "```", ""])


def _node(part: str, steps: list[str]) -> str:
    inside = ", ".join(filter(None, steps))
    return f'  {part}["<b>{part}</b>{f"<br>{inside}" if inside else ""}"]'


def _needs(plan: Plan) -> Iterator[tuple[tuple[str, str], str]]:
    """Which part waits for which, and what of it; all parts wait for what the first step says of the inventory."""
    for planned in plan.recipe.steps:
        for need in planned.depends_on:
            edge = part_of(need.step), part_of(planned.name)
            if edge[0] != edge[1]:
                yield edge, f"{need.step.partition('.')[2]}{f' on {need.hosts} hosts' if need.hosts else ''}"


def test_the_picture_is_that_of_the_plan(plan: Plan, golden: Callable[[Path, str], None]) -> None:
    before, _begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    golden(PAGE, f"{before}{BEGIN}\n{picture(plan)}\n{END}{rest.partition(END)[2]}")


def test_every_part_and_every_parameter_has_a_row(plan: Plan) -> None:
    page = PAGE.read_text(encoding="utf-8")
    parts = {part_of(planned.name) for planned in plan.steps}
    assert not {part for part in parts if f"| `{part}` |" not in page}
    params = yaml.safe_load((ROOT / "recipes/acceptance.yml").read_text(encoding="utf-8"))["params"]
    assert not {name for name in params if f"| `{name}` |" not in page}
