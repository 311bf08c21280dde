# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A waiver as it was written: which failures somebody has accepted, why, and until when."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from pathlib import PurePath
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.waiving import WAIVED, matches

WAIVABLE = ("failed", "error", "unreachable")
USUAL = ("failed", "error")  # what a waiver covers that names no verdicts
SOON = 7  # days before its last one from which a waiver is about to end

ACTIVE, ENDS_SOON, OVER = "active", "ends soon", "over"
LIFTED = "lifted"  # by so many passes in a row, on every host that it has ever covered

IDENTITY = ("test_id", "recipe", "step", "hosts", "measurement", "verdicts", "passes", "attributes")
ID_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Waiver:
    """One entry of the file.

    It is for the results of `step`, a name with `*`, in runs of the test `test_id` and of `recipe`, where these are
    set. `hosts` are patterns of Ansible's, none for all hosts; `attributes` leaves those
    of them that have these values. With a `measurement` it covers only results that failed
    by such measurements alone. It is in force through the day `until` (UTC), and until so many `passes` in a row.
    `line` is its place in the file.
    """

    step: str
    reason: str
    who: str
    until: date | None = None
    passes: int = 0
    test_id: str = ""
    recipe: str = ""
    hosts: tuple[str, ...] = ()
    measurement: str = ""
    verdicts: tuple[str, ...] = USUAL
    attributes: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0

    @property
    def id(self) -> str:
        """What tells it from other waivers: it stays the same where only the reason, who or the date is changed."""
        told = json.dumps([getattr(self, name) for name in IDENTITY])
        return hashlib.sha256(told.encode()).hexdigest()[:ID_LENGTH]

    @property
    def term(self) -> str:
        """Until when it is in force, in words."""
        passes = f"{self.passes} pass{'es in a row' if self.passes > 1 else ''}" if self.passes else ""
        return " or ".join(filter(None, (str(self.until or ""), passes)))

    @property
    def words(self) -> str:
        """The beginning of the reason of a result that it covers."""
        return f"{WAIVED} by {self.who} until {self.term}: {self.reason}"

    @property
    def where(self) -> str:
        """Its hosts in words."""
        own = ", ".join(f"{name}={value}" for name, value in self.attributes.items())
        hosts = ", ".join(self.hosts) or "all"
        return f"{hosts} with {own}" if own else hosts

    def has_attributes(self, own: Mapping[str, Any]) -> bool:
        """Whether a host with these attributes is one of its hosts; of a list one element is enough."""
        return all(_is(own.get(name), value) for name, value in self.attributes.items())

    def is_of(self, recipe: Mapping[str, Any]) -> bool:
        """Whether it is for the runs of a recipe, of which the `path` and the `test_id` are given where known."""
        if self.test_id and not matches(self.test_id, str(recipe.get("test_id") or "")):
            return False
        return not self.recipe or matches(_path(self.recipe), _path(str(recipe.get("path") or "")))

    def covers_step(self, name: str) -> bool:
        """Whether it is for a planned step, or for some instances of it."""
        return matches(self.step, name) or ("[" in self.step and matches(self.step.partition("[")[0], name))

    def state(self, today: date) -> str:
        """By the date alone: active, ending soon, or over."""
        if self.until is None:
            return ACTIVE
        left = (self.until - today).days
        return OVER if left < 0 else ENDS_SOON if left <= SOON else ACTIVE

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Waiver:
        """The waiver that a run's record has, as `to_data` gives it."""
        given = {one.name: data[one.name] for one in fields(cls) if one.name in data}
        return cls(
            **{
                **given,
                "until": date.fromisoformat(data["until"]) if "until" in data else None,
                "hosts": tuple(data.get("hosts", ())),
                "verdicts": tuple(data["verdicts"]),
            }
        )

    def to_data(self) -> dict[str, Any]:
        """As JSON, without what is not set."""
        fields = {
            "id": self.id,
            **{name: getattr(self, name) for name in ("test_id", "recipe", "step", "measurement", "reason", "who")},
            "hosts": list(self.hosts),
            "attributes": dict(self.attributes),
            "verdicts": list(self.verdicts),
            "until": str(self.until or ""),
            "passes": self.passes,
            "line": self.line,
        }
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True, slots=True)
class WaiverFile:
    """The waivers of a project; `path` is empty where it has none. `digest` is the SHA-256 of the file."""

    path: str = ""
    digest: str = ""
    waivers: tuple[Waiver, ...] = ()


def _is(found: Any, wanted: Any) -> bool:
    return any(str(one) == str(wanted) for one in (found if isinstance(found, list) else [found]))


def day_of(time_text: str) -> date:
    """The day (UTC) of a time as records have it."""
    return datetime.fromisoformat(time_text).astimezone(UTC).date()


def _path(text: str) -> str:
    return str(PurePath(text))
