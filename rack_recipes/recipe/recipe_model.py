# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe as frozen dataclasses: what is tested, where, in which order, and what must hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from rack_recipes.errors import Place
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry

StepType = Literal["python", "shell", "native", "ansible"]
Scope = Literal["host", "run", "pair", "group"]
BETWEEN: tuple[Scope, ...] = ("pair", "group")  # scopes whose results are about several hosts, and about none alone
Path = tuple[str | int, ...]
Condition = Mapping[str, Any]  # as in the recipe: a value and its criteria


@dataclass(frozen=True, slots=True)
class TestMeta:
    """Who tests what, and why."""

    __test__: ClassVar[bool] = False  # pytest takes a class with such a name for tests

    test_id: str
    tester: str = ""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Derived:
    """A number that the analysis computes on each host of two others, or of a list of numbers.

    `of` and `to` are paths into the context, such as `numbers.stats_v1.mean`, or a step and its measurement, such as
    `ping:latency`. `kind` is `ratio` and `rate` (`of` divided by `to`) or `difference` (`of` less `to`).
    Of a list that `of` names it is `skewness`, or a percentile such as `p95`.
    """

    kind: str
    of: str
    to: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the recipe.

    `limits` has the criteria that a value must meet. `also` has those of the parameters of included recipes that get
    the value, by their names, such as `burn.minutes`. Where such a parameter gets a part of the value, or a text around
    it, `also` has that text as `of` and the parameter's `type`, too.
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

    `hosts` says on which hosts: `all` means every host of that step, a pattern those of them that match it. Empty means
    the host of the waiting step, or every host of that step where it does not run on this one. `quorum` is on how many
    of these it has to pass: a number, a share such as "80%", or None for all.
    """

    step: str
    hosts: str = ""
    quorum: int | str | None = None

    @property
    def is_wide(self) -> bool:
        """Whether it names hosts or a quorum, and so may wait for other hosts."""
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
    """How a step is tried again. Times are in seconds.

    `max` limits the number of tries, None leaves that to the deadline. The pause between two tries is `delay_sec` at
    first, and grows by the factor `backoff` up to `max_delay_sec`. `on` names the verdicts after which there is another
    try. With `until`, a try passes only where these conditions hold. After `deadline_sec` there is no further try.
    `accept` is the verdict of a pass after a try that had failed.
    """

    max: int | None = 1
    delay_sec: float = 0.0
    backoff: float = 1.0
    max_delay_sec: float | None = None
    on: tuple[str, ...] = ("failed", "error")
    until: tuple[Condition, ...] = ()
    deadline_sec: float | None = None
    accept: str = "marginal"


@dataclass(frozen=True, slots=True)
class Repeat:
    """How often a step is repeated: `count` rounds, for `for_sec` seconds, or until conditions hold.

    `delay_sec` is the pause between two rounds.
    """

    count: int | None = None
    for_sec: float | None = None
    until: tuple[Condition, ...] = ()
    delay_sec: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The resources that a step may use. None sets no limit."""

    cpu_sec: float | None = None
    memory_mib: int | None = None
    processes: int | None = None
    open_files: int | None = None
    file_mib: int | None = None


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a step in a sandbox may do beside reading files: use the network, and write below some paths."""

    network: bool = False
    write: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Success:
    """What must hold after a step that ended without an error. `none` states that nothing is checked."""

    ctx_has_keys: tuple[str, ...] = ()
    values: tuple[Condition, ...] = ()
    none: bool = False


@dataclass(frozen=True, slots=True)
class CacheKey:
    """The name under which a result may be reused, for `expires_sec` seconds (None: for ever)."""

    key: str
    expires_sec: float | None = None


@dataclass(frozen=True, slots=True)
class ResultPart:
    """A context key that a step writes, and what it takes: a part of an Ansible module's result, or of printed text.

    `at` is the part's path: keys and numbers of items, with dots between them; empty for the whole result. `parse` is
    how a text on this path, or at its end, is read: `json`, or empty where it stays a text.

    `pattern` is the regular expression that finds the value in what a program without an envelope prints. If the key is
    `optional`, it need not. Without a `type` the value is a number where it reads as one, and else a text.
    """

    key: str
    at: str = ""
    parse: Literal["", "json"] = ""
    pattern: str = ""
    optional: bool = False
    type: Literal["", "str", "int", "float"] = ""

    @property
    def is_whole(self) -> bool:
        """Whether the key takes the whole result. Those of most scriptlets do, which choose their values themselves."""
        return not self.at and not self.parse and not self.pattern


@dataclass(frozen=True, slots=True)
class Lock:
    """A named resource that at most `capacity` steps hold at a time.

    There is one for each `of`: `run`, `host`, `delegate` (the host that really runs the step), or a value of an
    inventory variable of that name. After each use it rests for `settle_sec` seconds.
    """

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
class Members:
    """Which hosts of a step test each other: the pairs of a rule, or groups. Without a rule it is that of the scope.

    `rule` is `all`, `neighbours`, `within`, `across` or `random` for pairs, `all`, `by` or `size` for groups. `by` is
    the attribute of the inventory that `within`, `across` and `by` look at. `seed` and `rounds` are of `random`, `size`
    is that of groups. At most `at_once` tests run beside each other, None for as many as a round has.
    """

    rule: str = ""
    by: str = ""
    seed: int = 0
    rounds: int = 1
    size: int = 0
    at_once: int | None = None


@dataclass(frozen=True, slots=True)
class Isolate:
    """That a step looks for the node or link that is to blame. `by` is the attribute of its domains, empty for none."""

    by: str = ""


@dataclass(frozen=True, slots=True)
class Serve:
    """The serving side of a step between hosts. Without a `port`, its host finds one that is free.

    The plan adds its scriptlet, `entry`.
    """

    module: str
    type: StepType = "python"
    function: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    port: int | None = None
    entry: ScriptletEntry | None = None


@dataclass(frozen=True, slots=True)
class Canary:
    """The hosts that run first: the first `count` of them, or those that match `hosts`."""

    count: int | None = None
    hosts: str = ""


NO_KEYS: frozenset[str] = frozenset()  # shared by all steps, to save memory


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """The keys that a step and its scriptlet read and write; `elsewhere` are those that it reads of other hosts.

    `templates` are the texts of the step that Ansible fills in with values of the context.
    """

    reads: frozenset[str] = NO_KEYS
    writes: frozenset[str] = NO_KEYS
    elsewhere: frozenset[str] = NO_KEYS
    templates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One use of a scriptlet, or of an Ansible module.

    `timeout` is in seconds, None for no limit. `hosts` is a pattern, None for the recipe's hosts. `when` is true,
    false, a Jinja expression, or conditions that all have to hold. `loop` is a list or a reference to one. `matrix` has
    a list, or a reference to one, by name. `become` is the user that the step runs as, empty for the one who logs in.
    With `envelope` none the exit code of a script is its verdict, and patterns find its keys in what it prints.
    `delegate_to` is the host that runs the step on behalf of its own one, a name or a Jinja expression; empty for none.

    A step of scope pair or group runs between its hosts: `members` says which test each other, `serve` is the serving
    side, `isolate` looks for who is to blame.

    The plan completes it: `depends_on` gets the steps that write what this one reads, too, `after` those that only have
    to end first, `skip` why it is left out, `entry` its scriptlet (None for a module of Ansible's), `keys` those that
    it uses.

    A new field is also described in the JSON schema. `steps_to_and_from_data.py` reads and writes it by its type.
    """

    idx: int
    name: str
    type: StepType
    module: str
    place: Place
    function: str = ""
    envelope: Literal["", "none"] = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    hosts: str | None = None
    scope: Scope = "host"
    members: Members = Members()
    serve: Serve | None = None
    isolate: Isolate | None = None
    depends_on: tuple[Dependency, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[ResultPart, ...] = ()
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
    delegate_to: str = ""
    success: Success = Success()
    cache_key: CacheKey | None = None
    after: tuple[str, ...] = ()
    skip: str = ""
    entry: ScriptletEntry | None = None
    keys: KeyUsage = KeyUsage()

    @property
    def runs_once(self) -> bool:
        """Whether one task runs it for the whole run."""
        return self.scope != "host"

    @property
    def uses(self) -> str:
        """The shortest name of its scriptlet, or the name of its module."""
        return self.entry.name if self.entry else self.module


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe, with the steps of the recipes that it includes. Steps are ordered by `idx`, then as in the file.

    `path` is as the user gave it. `digest` is `sha256:<hex>` of the file and of all that it includes; `files` has the
    SHA-256 of each of these files, in hex. `time_box` is in seconds.
    `places` has the line and column of every value by its path, such as `("steps", 0, "args", "src")` with the index of
    the step in the *file*. The key of a mapping is at `(..., key, -1)`. A step of an included recipe is at
    `("included", <its name>, ...)`. `merge` has a merge policy for each pattern of keys. Where two writes conflict, the
    first pattern that matches decides. `persist` has the patterns of the keys that go to the store, empty for all.
    `limits` has the entries of its file of limits.
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
    persist: tuple[str, ...] = ()
    derived: Mapping[str, Derived] = field(default_factory=dict)
    limits: tuple[Mapping[str, Any], ...] = ()
    places: Mapping[Path, Place] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict, compare=False)
