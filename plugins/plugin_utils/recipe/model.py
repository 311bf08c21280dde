# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe as it was written: what is tested, where, in which order, and what must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place

StepType = Literal["python", "shell", "native"]
Scope = Literal["host", "run"]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class TestMeta:
    """Who tests what, and why."""

    __test__: ClassVar[bool] = False  # by its name pytest would take it for a class of tests

    test_id: str
    tester: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is tried again: `max` tries in all, `delay_sec` seconds between two of them."""

    max: int = 1
    delay_sec: float = 0.0


@dataclass(frozen=True, slots=True)
class Success:
    """What must hold after a step ended well."""

    ctx_has_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One use of a scriptlet. `timeout` is in seconds, None for no limit; `hosts` None for the recipe's.

    `cache_key` is kept as it was written; nothing acts on it yet.
    """

    idx: int
    name: str
    type: StepType
    module: str
    place: Place
    function: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    hosts: str | None = None
    scope: Scope = "host"
    depends_on: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    retry: Retry = Retry()
    timeout: float | None = None
    parallel: bool = False
    success: Success = Success()
    cache_key: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe, its steps in the order in which they are meant: by `idx`, then as in the file.

    `path` is as the user gave it, `digest` is `sha256:<hex>` of the file's bytes.
    `places` holds the line and column of every value, keyed by its path, e.g. `("steps", 0, "args", "src")`
    with the index of the step in the *file*; a mapping's keys are at `(..., key, "<key>")`.
    """

    path: str
    digest: str
    test_meta: TestMeta
    steps: tuple[Step, ...]
    hosts: str = "all"
    places: Mapping[Path, Place] = field(default_factory=dict)
