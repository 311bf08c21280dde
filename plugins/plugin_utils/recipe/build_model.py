# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checked data -> the parts of a Recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.param_values import LIMITS, is_open, typed
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import (
    CacheKey,
    Canary,
    Condition,
    Dependency,
    Hook,
    Limits,
    Lock,
    Param,
    Path,
    Repeat,
    Retry,
    Sandbox,
    Step,
    Success,
    TestMeta,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import Document

type Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Whole:
    """What a file and those that it includes hold together: steps in their order, locks, places, the included files.

    `also` has the limits that these ask of the file's parameters.
    """

    steps: tuple[Step, ...]
    locks: Mapping[str, Lock]
    places: Mapping[Path, Place]
    contents: Mapping[str, bytes] = field(default_factory=dict)
    also: Mapping[str, Mapping[str, Condition]] = field(default_factory=dict)


def numbered(document: Document) -> Iterator[tuple[int, int, Data]]:
    """Each step as it is in the file: its number there, its idx, itself. Without an idx it follows the one above it."""
    idx = 0
    for index, step in enumerate(document.data["steps"]):
        idx = int(step.get("idx", idx + 1))
        yield index, idx, step


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Steps by their idx, those with the same one as they stand in the file."""
    return tuple(sorted(steps, key=lambda step: step.idx))


def steps(document: Document) -> tuple[Step, ...]:
    """The steps of a file without includes."""
    places = document.places
    return in_order(step_of(step, idx, places["steps", index]) for index, idx, step in numbered(document))


def step_of(data: Data, idx: int, place: Place) -> Step:
    """One checked step; what it does not say is the model's default."""
    return Step(**{**converted(data), "idx": idx, "type": data.get("type", "python"), "place": place})


def converted(data: Data) -> dict[str, Any]:
    """The fields of a step as the model has them."""
    return {key: PARTS[key](value) if key in PARTS else value for key, value in data.items()}


def dependency(data: str | Data) -> Dependency:
    """A step to wait for, by its name or with hosts."""
    if isinstance(data, str):
        return Dependency(data)
    hosts, quorum = data.get("hosts", "same"), data.get("quorum")
    return Dependency(
        data["step"],
        "" if hosts == "same" else hosts,
        quorum if isinstance(quorum, str) or quorum is None else int(quorum),
    )


def when(data: bool | str | Data | list[Any]) -> bool | str | tuple[Condition, ...]:
    """Whether a step runs: one condition is a list of one."""
    return data if isinstance(data, (bool, str)) else conditions(data)


def conditions(data: Data | list[Any]) -> tuple[Condition, ...]:
    """A condition, or a list of them."""
    return tuple(data) if isinstance(data, list) else (data,)


def items(data: str | list[Any]) -> str | tuple[Any, ...]:
    """A list, or a reference to one."""
    return data if isinstance(data, str) else tuple(data)


def retry(data: Data) -> Retry:
    """How a step is tried again; without `max` the deadline alone ends the tries, and there is one without both."""
    made = numbers(data, float, "delay_sec", "backoff", "max_delay_sec", "deadline_sec")
    if "on" in data:
        made["on"] = tuple(data["on"])
    if "until" in data:
        made["until"] = conditions(data["until"])
    most = int(data["max"]) if "max" in data else None if "deadline_sec" in data else 1
    return Retry(max=most, **made)


def repeat(data: Data) -> Repeat:
    """How often a step is done over."""
    until = conditions(data["until"]) if "until" in data else ()
    return Repeat(until=until, **numbers(data, float, "for_sec", "delay_sec"), **numbers(data, int, "count"))


def limits(data: Data) -> Limits:
    """What a step may use."""
    whole = numbers(data, int, "memory_mib", "processes", "open_files", "file_mib")
    return Limits(**numbers(data, float, "cpu_sec"), **whole)


def sandbox(data: bool | Data) -> Sandbox | None:
    """The sandbox that a step runs in, if it has one."""
    if isinstance(data, bool):
        return Sandbox() if data else None
    return Sandbox(data.get("network", False), tuple(data.get("write", ())))


def success(data: str | Data) -> Success:
    """What must hold after a step."""
    if isinstance(data, str):
        return Success(none=True)
    return Success(tuple(data.get("ctx_has_keys", ())), tuple(data.get("values", ())))


def cache_key(data: str | Data | None) -> CacheKey | None:
    """The name under which a result is kept, if there is one."""
    if isinstance(data, Mapping):
        return CacheKey(data["key"], **numbers(data, float, "expires_sec"))
    return CacheKey(data) if data else None


def become(data: bool | str) -> str:
    """The user that a step runs as."""
    return data if isinstance(data, str) else "root" if data else ""


def test_meta(data: Data) -> TestMeta:
    """Who tests what."""
    return TestMeta(**{**data, "references": tuple(data.get("references", ()))})


def params(document: Document) -> dict[str, Param]:
    """The declared parameters by name."""
    return {name: param(name, data) for name, data in document.data.get("params", {}).items()}


def param(name: str, data: Data) -> Param:
    """One parameter."""
    kind, default = data.get("type", "str"), data.get("default")
    return Param(
        name,
        kind,
        default if default is None or is_open(default) else typed(kind, default),
        required="default" not in data,
        secret=data.get("secret", False),
        description=data.get("description", ""),
        limits={word: data[word] for word in LIMITS if word in data},
    )


def hooks(document: Document, home: str) -> tuple[Hook, ...]:
    """The hooks before each try, or those after it."""
    listed = document.data.get("hooks", {}).get(home, ())
    return tuple(Hook(**data, place=document.places["hooks", home, n]) for n, data in enumerate(listed))


def locks(data: Data) -> dict[str, Lock]:
    """The locks by name."""
    return {
        name: Lock(name, **{**lock, **numbers(lock, int, "capacity"), **numbers(lock, float, "settle_sec")})
        for name, lock in data.get("locks", {}).items()
    }


def canary(data: Data) -> Canary | None:
    """The hosts that go first, if there are any."""
    return Canary(**{**data["canary"], **numbers(data["canary"], int, "count")}) if "canary" in data else None


def serial(data: Data) -> tuple[int | str, ...]:
    """The sizes of the batches."""
    sizes = data.get("serial", [])
    listed = sizes if isinstance(sizes, list) else [sizes]
    return tuple(size if isinstance(size, str) else int(size) for size in listed)


def numbers(data: Data, kind: Callable[[Any], Any], *keys: str) -> dict[str, Any]:
    """Those of some numbers that are there: to JSON Schema 3.0 is a whole number, too."""
    return {key: kind(data[key]) for key in keys if key in data}


PARTS: dict[str, Callable[[Any], Any]] = {
    "depends_on": lambda data: tuple(map(dependency, data)),
    **dict.fromkeys(("reads", "writes", "tags", "locks"), tuple),
    "when": when,
    "loop": items,
    "matrix": lambda data: {name: items(values) for name, values in data.items()},
    "retry": retry,
    "repeat": repeat,
    "timeout": float,
    "priority": int,
    "limits": limits,
    "sandbox": sandbox,
    "become": become,
    "success": success,
    "cache_key": cache_key,
}
