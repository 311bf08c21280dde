# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each feature of the language as a recipe that runs on two or three SSH hosts.

A case is `cases/NAME.yml`, whose first comments say what it needs, and `cases/NAME.json`, its expected results;
`--update` writes the latter.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from call_rack_recipes import Results, rack_recipes, results

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.stem for path in CASES.glob("*.yml"))
SAID = re.compile(r"^# (\w+): (.*)$", re.MULTILINE)
VARYING = {"s.span_v1", "s.command_v1"}


@pytest.mark.parametrize("name", NAMES)
def test_feature(name: str, features: Path, rack: Any, golden: Callable[[Path, str], None]):
    said = dict(SAID.findall((CASES / f"{name}.yml").read_text()))
    if said.get("root") and os.geteuid():
        pytest.skip("becomes another user, which only root may without a password")
    hosts = ",".join(f"r0{number + 1}" for number in range(int(said.get("hosts", "2"))))
    options = shlex.split(said.get("options", ""))
    done = rack_recipes("run", f"{name}.yml", "-i", rack.inventory, "--limit", hosts, *options)
    assert done.code in (0, 1), done.stdout + done.stderr
    found = told(done.code, done.answer, results())
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
