# SPDX-License-Identifier: GPL-3.0-or-later

"""A waiver as it was written, the passes that lift it, and the waivers that are in force in a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from pathlib import PurePath
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.limits_of_measurements import is_where
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import (
    VERDICTS,
    WAIVED,
    WaivedOutcome,
    matches_wildcard,
    waive,
)

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

    def has_attributes(self, own: Mapping[str, object]) -> bool:
        """Whether a host with these attributes is one of its hosts; of a list one element is enough."""
        return is_where(self.attributes, own)

    def is_of(self, recipe: Mapping[str, object]) -> bool:
        """Whether it is for the runs of a recipe, of which the `path` and the `test_id` are given where known."""
        if self.test_id and not matches_wildcard(self.test_id, str(recipe.get("test_id") or "")):
            return False
        return not self.recipe or matches_wildcard(_path(self.recipe), _path(str(recipe.get("path") or "")))

    def covers_step(self, name: str) -> bool:
        """Whether it is for a planned step, or for some instances of it."""
        return matches_wildcard(self.step, name) or (
            "[" in self.step and matches_wildcard(self.step.partition("[")[0], name)
        )

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


def day_of(time_text: str) -> date:
    """The day (UTC) of a time as records have it."""
    return datetime.fromisoformat(time_text).astimezone(UTC).date()


def _path(text: str) -> str:
    return str(PurePath(text))


Place = tuple[str, str]  # step or instance, host
Result = tuple[str, str, str]  # step, host, verdict


@dataclass(frozen=True, slots=True)
class Streak:
    """How many results in a row have passed, and whether there were once enough: then the waiver is lifted for good."""

    passes: int = 0
    is_lifted: bool = False


def count_streaks(results: Iterable[Result], needed: int) -> dict[Place, Streak]:
    """The streak of each step and host whose results these are, the oldest first.

    What was not tried, or taken from a cache, says nothing: it neither counts nor ends a streak.
    """
    found: dict[Place, Streak] = {}
    for step, host, verdict in results:
        known = VERDICTS.get(verdict)
        if known is None or not known.tried or (known.passes and not known.ran):
            continue
        before = found.get((step, host), Streak())
        passes = before.passes + 1 if known.complete else 0
        found[step, host] = Streak(passes, before.is_lifted or passes >= needed)
    return found


def lifted(found: Mapping[Place, Streak]) -> frozenset[Place]:
    """The steps and hosts for which the waiver is lifted."""
    return frozenset(place for place, streak in found.items() if streak.is_lifted)


Resolve = Callable[[str], Iterable[str]]
Attributes = Mapping[str, Mapping[str, Any]]  # by host


@dataclass(frozen=True, slots=True)
class InForce:
    """A waiver with its hosts in this run, None for all, and the steps and hosts for which passes have lifted it."""

    waiver: Waiver
    hosts: frozenset[str] | None = None
    lifted: frozenset[Place] = frozenset()

    def message(self, host: str) -> dict[str, Any] | None:
        """What a host is told of it; None where it is not for this host. The host of the run is ""."""
        if self.hosts is not None and host not in self.hosts:
            return None
        waiver = self.waiver
        told = {"id": waiver.id, "step": waiver.step, "verdicts": list(waiver.verdicts), "words": waiver.words}
        lifted = sorted(step for step, where in self.lifted if where == host)
        return {
            **told,
            **({"measurement": waiver.measurement} if waiver.measurement else {}),
            **({"lifted": lifted} if lifted else {}),
        }

    def to_record(self) -> dict[str, Any]:
        """The waiver as the run's record has it."""
        return {
            **self.waiver.to_data(),
            **({"on": sorted(self.hosts)} if self.hosts is not None else {}),
            **({"lifted": sorted(map(list, self.lifted))} if self.lifted else {}),
        }


@dataclass(frozen=True, slots=True)
class RunWaivers:
    """The waivers of a run: those in force, and those of its recipe that are over."""

    file: WaiverFile = field(default_factory=WaiverFile)
    in_force: tuple[InForce, ...] = ()
    over: tuple[Waiver, ...] = ()

    def of(self, host: str) -> list[dict[str, Any]]:
        """What a host is told."""
        return [message for each in self.in_force if (message := each.message(host))]

    def waive(self, step: str, host: str, verdict: str, reason: str) -> WaivedOutcome | None:
        """What a result becomes that the controller writes itself; None where no waiver covers it."""
        return waive(self.of(host), [step], verdict, reason) if self.in_force else None

    def to_record(self) -> dict[str, Any]:
        """What the run's record says of them; empty where there are none."""
        if not self.in_force and not self.over:
            return {}
        return {
            "file": self.file.path,
            "digest": self.file.digest,
            "in_force": [each.to_record() for each in self.in_force],
            "over": [waiver.to_data() for waiver in self.over],
        }


def waivers_for(
    file: WaiverFile,
    recipe: Mapping[str, object],
    steps: Sequence[str],
    resolve: Resolve,
    today: date,
    attributes: Attributes | None = None,
) -> RunWaivers:
    """The waivers for a run of a recipe with these steps.

    `resolve` returns the hosts of a pattern. `attributes` has, by host, what the inventory says of it.
    """
    own = [
        waiver for waiver in file.waivers if waiver.is_of(recipe) and any(waiver.covers_step(name) for name in steps)
    ]
    over = tuple(waiver for waiver in own if waiver.state(today) == OVER)
    return RunWaivers(
        file,
        tuple(InForce(waiver, _hosts(waiver, resolve, attributes or {})) for waiver in own if waiver not in over),
        over,
    )


def _hosts(waiver: Waiver, resolve: Resolve, attributes: Attributes) -> frozenset[str] | None:
    named = frozenset(host for pattern in waiver.hosts for host in resolve(pattern)) if waiver.hosts else None
    if not waiver.attributes:
        return named
    fitting = frozenset(host for host, own in attributes.items() if waiver.has_attributes(own))
    return fitting if named is None else fitting & named
