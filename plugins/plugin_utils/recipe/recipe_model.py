# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe as it was written: what is tested, where, in which order, and what must hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place

StepType = Literal["python", "shell", "native", "ansible"]
Scope = Literal["host", "run"]
Path = tuple[str | int, ...]
Condition = Mapping[str, Any]  # as written: a value and what must hold for it


@dataclass(frozen=True, slots=True)
class TestMeta:
    """Who tests what, and why."""

    __test__: ClassVar[bool] = False  # by its name pytest would take it for a class of tests

    test_id: str
    tester: str = ""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the recipe. `limits` holds what a value must fulfil, in the words of a condition.

    `also` has the limits of parameters of included recipes that take its value, by their names: `burn.minutes`; where
    they take a part of it, or a text that it is put into, also that text as `of`, and their `type`.
    """

    name: str
    type: str = "str"
    default: Any = None
    required: bool = True
    secret: bool = False
    description: str = ""
    limits: Condition = field(default_factory=dict)
    also: Mapping[str, Condition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dependency:
    """A step that has to pass before another one starts.

    `hosts` says where: empty for this host (every host of the step where it does not run here), `all` for every host
    of the step, otherwise those of them that match a pattern. `quorum` is how many of these have to have passed, a
    number or a share such as "80%"; None for all.
    """

    step: str
    hosts: str = ""
    quorum: int | str | None = None

    @property
    def is_wide(self) -> bool:
        """Whether it says itself on which hosts the step has to pass."""
        return bool(self.hosts) or self.quorum is not None

    @property
    def where(self) -> str:
        """On which hosts, in words: `all hosts`, `leafs`, `80% of all hosts`; empty for this host."""
        if not self.is_wide:
            return ""
        hosts = "all hosts" if self.hosts in ("", "all") else self.hosts
        return hosts if self.quorum is None else f"{self.quorum} of {hosts}"

    @property
    def label(self) -> str:
        """The dependency in words: `wire`, `wire on all hosts`, `wire on 80% of all hosts`."""
        return f"{self.step} on {self.where}" if self.is_wide else self.step

    def enough_of(self, hosts: int) -> int:
        """On how many of so many hosts the step has to have passed; a share is rounded up."""
        quorum = hosts if self.quorum is None else self.quorum
        return math.ceil(hosts * float(quorum.rstrip("%")) / 100) if isinstance(quorum, str) else quorum

    def too_few(self, hosts: int) -> str:
        """Why so many hosts can never be enough; empty where they can."""
        if not hosts:
            return f"no host of {self.step} in this run matches {self.hosts}"
        return f"this run has {hosts} of them" if self.enough_of(hosts) > hosts else ""


@dataclass(frozen=True, slots=True)
class Retry:
    """How a step is tried again, times in seconds.

    At most `max` tries in all (None: no limit but the deadline). The pause starts with `delay_sec` and grows by the
    factor `backoff` up to `max_delay_sec`. `on` names the verdicts that are tried again. With `until` conditions a
    try that passed counts only once they hold; after `deadline_sec` no further try is made.
    """

    max: int | None = 1
    delay_sec: float = 0.0
    backoff: float = 1.0
    max_delay_sec: float | None = None
    on: tuple[str, ...] = ("failed", "error")
    until: tuple[Condition, ...] = ()
    deadline_sec: float | None = None


@dataclass(frozen=True, slots=True)
class Repeat:
    """How often a step is done over: `count` rounds, for `for_sec` seconds, or until conditions hold."""

    count: int | None = None
    for_sec: float | None = None
    until: tuple[Condition, ...] = ()
    delay_sec: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a step may use, each None for no limit of ours."""

    cpu_sec: float | None = None
    memory_mib: int | None = None
    processes: int | None = None
    open_files: int | None = None
    file_mib: int | None = None


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a step may do in its sandbox beside reading the host's files: reach its network, and write below paths."""

    network: bool = False
    write: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Success:
    """What must hold after a step ended well; `none` where its author says that nothing is checked."""

    ctx_has_keys: tuple[str, ...] = ()
    values: tuple[Condition, ...] = ()
    none: bool = False


@dataclass(frozen=True, slots=True)
class CacheKey:
    """A result may be used again under this name for `expires_sec` seconds (None: for ever)."""

    key: str
    expires_sec: float | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """A named resource: so many steps may hold it at once, per `of` (`host`, `run`, or a variable of the inventory)."""

    name: str
    capacity: int = 1
    of: str = "run"
    settle_sec: float = 0.0


@dataclass(frozen=True, slots=True)
class Hook:
    """A scriptlet that runs before or after each try of each step."""

    module: str
    place: Place
    type: StepType = "python"
    function: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Canary:
    """The hosts that go first: the first `count` of them, or those that match `hosts`."""

    count: int | None = None
    hosts: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One use of a scriptlet, or of an Ansible module.

    `timeout` is in seconds, None for no limit; `hosts` None for the recipe's. `when` is true, false, a Jinja
    expression, or conditions that all have to hold. `loop` is a list, or a reference to one; `matrix` gives a list, or
    a reference to one, for each of its names. `become` names the user that the step runs as, empty for the one that
    is logged in.
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
    depends_on: tuple[Dependency, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    when: bool | str | tuple[Condition, ...] = True
    loop: tuple[Any, ...] | str | None = None
    matrix: Mapping[str, tuple[Any, ...] | str] = field(default_factory=dict)
    retry: Retry = Retry()
    repeat: Repeat | None = None
    timeout: float | None = None
    parallel: bool = False
    continue_on_fail: bool = False
    tags: tuple[str, ...] = ()
    always: bool = False
    priority: int = 0
    locks: tuple[str, ...] = ()
    limits: Limits = Limits()
    sandbox: Sandbox | None = None
    become: str = ""
    success: Success = Success()
    cache_key: CacheKey | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe, its steps in the order in which they are meant: by `idx`, then as in the file.

    Included recipes are in it already. `path` is as the user gave it, `digest` is `sha256:<hex>` of the bytes of the
    file and of all that it includes, `files` has the SHA-256 of each of them, in hex. `places` holds the line and
    column of every value, keyed by its path, e.g. `("steps", 0, "args", "src")` with the index of the step in the
    *file*; a mapping's keys are at `(..., key, -1)`. A step of an included recipe is known by
    `("included", <its name>, ...)`. `merge` has the merge policy of each pattern of keys: where writes meet, the first
    pattern that matches decides.
    """

    path: str
    digest: str
    test_meta: TestMeta
    steps: tuple[Step, ...]
    hosts: str = "all"
    params: Mapping[str, Param] = field(default_factory=dict)
    pre_step: tuple[Hook, ...] = ()
    post_step: tuple[Hook, ...] = ()
    locks: Mapping[str, Lock] = field(default_factory=dict)
    canary: Canary | None = None
    serial: tuple[int | str, ...] = ()
    time_box: float | None = None
    fail_fast: bool = False
    merge: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[Path, Place] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict, compare=False)
