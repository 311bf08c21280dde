# SPDX-License-Identifier: GPL-3.0-or-later

"""What the parts of a group write for each other, without a server."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from rack_recipes.run.context_server_client import MEMBER, NEWS

ABOUT = {"name": "job 2", "controller": "c2", "lease": 40.0, "parts": 3, "signature": "s", "patterns": {}, "canary": []}


class MemoryGroupKeys:
    """The keys of a group, in which the second part has come."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, object], tuple[int, Any]] = {(MEMBER, 2): (1, {**ABOUT, "plan": plan(a=["r5"])})}
        self.told: defaultdict[object, list[Any]] = defaultdict(list)
        self.locks: dict[str, tuple[str, float]] = {}

    def read(self, key: str, place: object) -> tuple[int, Any]:
        return self.entries.get((key, place), (0, None))

    def take(self, key: str, place: object, value: Any) -> bool:
        return self.entries.setdefault((key, place), (1, value))[1] is value

    def put(self, key: str, place: object, value: Any) -> None:
        if key == NEWS:
            self.told[place].append(value)

    def news(self, place: object, known: int, _wait: float) -> list[Any]:
        return self.told[place][known:]

    def lock_name(self, name: str) -> str:
        return f"group_1.{name}"

    def lock(self, name: str, owner: str, lease: float) -> bool:
        return self.locks.setdefault(name, (owner, lease))[0] == owner

    def unlock(self, name: str, owner: str) -> None:
        assert self.locks.pop(name)[0] == owner


def plan(**steps: list[str]) -> dict[str, Any]:
    """The hosts of each step, as a part tells them."""
    return {"hosts": [*steps.values()], "steps": {name: place for place, name in enumerate(steps)}}


def news(*items: Any, stage: int = 0, over: bool = False) -> dict[str, Any]:
    """What a part tells."""
    return {"items": [*items], "stage": stage, "over": over}
