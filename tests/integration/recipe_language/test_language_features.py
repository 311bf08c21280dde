# SPDX-License-Identifier: GPL-3.0-or-later

"""Each feature of the language as a recipe that runs on two or three SSH hosts.

A case is `cases/NAME.yml`, whose first comments say what it needs, and `cases/NAME.json`, its expected results;
`--update` writes the latter. `conftest.py` lists the comments.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.integration.recipe_language.conftest import Ran, said_by
from call_rack_recipes import Results

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.stem for path in CASES.glob("*.yml"))
VARYING = {"s.span_v1", "s.command_v1"}


def case(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.repeats if "repeats" in said_by(name) else ())


@pytest.mark.parametrize("name", [*map(case, NAMES)])
def test_feature(name: str, feature: Callable[[str], Ran], golden: Callable[[Path, str], None]):
    if said_by(name).get("root") and os.geteuid():
        pytest.skip("becomes another user, which only root may without a password")
    ran = feature(name)
    found = told(ran.done.code, ran.done.answer, ran.results)
    golden(CASES / f"{name}.json", json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def told(code: int, answer: dict[str, Any], found: Results) -> dict[str, Any]:
    """What a case compares."""
    steps: dict[str, dict[str, list[Any]]] = defaultdict(dict)
    for (step, host), row in found.steps.items():
        flake = ["flake"] if row.get("flake") else []
        steps[step][host or "run"] = [row["verdict"], row["reason"] or "", *flake]
    context: dict[str, dict[str, Any]] = defaultdict(dict)
    for (key, host), value in found.context.items():
        if key not in VARYING:
            context[key][host or "run"] = value
    return {
        "code": code,
        "status": answer["status"],
        "counts": answer["counts"],
        "steps": dict(steps),
        "context": dict(context),
    }
