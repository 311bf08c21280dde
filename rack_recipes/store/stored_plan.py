# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plan in the row of a run says. It stands apart from what needs a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def unpack_plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with the hosts of each step: `steps` has them by name, `derived` the definitions."""
    steps = {name: plan["hosts"][place] for name, place in plan["steps"].items()}
    return {"steps": steps, "derived": plan.get("derived") or {}}
