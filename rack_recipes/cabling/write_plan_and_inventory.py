# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a plan as cabling.yml and as an inventory, and say what that changes in a file that is there."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rack_recipes.cabling.plan_model import Cable, CablingPlan, Position
from rack_recipes.errors import UsageError

WIDTH = 120


@dataclass(frozen=True, slots=True)
class Change:
    """What writing a text changes: `before` is None for a new file."""

    path: Path
    before: str | None
    after: str

    @property
    def is_new(self) -> bool:
        """Whether there is no such file yet."""
        return self.before is None

    @property
    def is_none(self) -> bool:
        """Whether the file is so already."""
        return self.before == self.after

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        before, after = (self.before or "").splitlines(keepends=True), self.after.splitlines(keepends=True)
        return "".join(difflib.unified_diff(before, after, str(self.path), f"{self.path} (new)"))


def change(path: Path, text: str) -> Change:
    """What writing this text changes. Raises UsageError for a file that cannot be read."""
    try:
        return Change(path, path.read_text(encoding="utf-8") if path.exists() else None, text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error


def write(planned: Change) -> None:
    """Write the text. Raises UsageError where that cannot be done."""
    try:
        planned.path.write_text(planned.after, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{planned.path}: cannot be written: {error.strerror}") from error


def plan_text(plan: CablingPlan, remarks: Sequence[str] = ()) -> str:
    """The plan as `read_own` reads it, with remarks as comments above it: a bare list where no position is known."""
    cables = [_cable(cable) for cable in plan.cables]
    devices = {name: _device(position) for name, position in plan.positions.items()}
    head = "".join(f"# {line}\n" for line in remarks)
    return head + (_yaml({"devices": devices, "cables": cables}) if devices else _yaml(cables))


def inventory_text(plan: CablingPlan) -> str:
    """The plan as variables of hosts, an inventory beside the one that says how they are reached."""
    hosts = {
        device: {"cables": {**ports}, **(_device(plan.positions[device]) if device in plan.positions else {})}
        for device, ports in sorted(plan.ports.items())
    }
    return hosts_text(hosts)


def hosts_text(hosts: Mapping[str, Mapping[str, object]]) -> str:
    """Variables of hosts as an inventory."""
    return _yaml({"all": {"hosts": {**hosts}}})


def _cable(cable: Cable) -> dict[str, str]:
    more = {"label": cable.label, "review": cable.review}
    return {"a": str(cable.a), "b": str(cable.b), **{name: value for name, value in more.items() if value}}


def _device(position: Position) -> Mapping[str, Any]:
    unit = position.unit
    whole = int(unit) if unit is not None and unit == int(unit) else unit
    return {"rack": position.rack, **({} if whole is None else {"position": whole})}


def _yaml(value: object) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, width=WIDTH, allow_unicode=True)
    return text
