# SPDX-License-Identifier: GPL-3.0-or-later

"""The base class of Python scriptlets, their two exceptions, and the context that a scriptlet gets.

It reads and sets keys, measures and attaches with the context.
"""

from __future__ import annotations

import json
import time

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import (
    check_key,
    check_size,
    check_value,
    copy_json,
    escape_unstorable,
    first_few,
    mark_if_long,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Callable

    from ansible_collections.rack.recipes.plugins.module_utils.artifact_store import ArtifactStore, Source
    from ansible_collections.rack.recipes.plugins.module_utils.live_client import Live
    from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
    from ansible_collections.rack.recipes.plugins.module_utils.run_analysis import RunAnalysis
    from ansible_collections.rack.recipes.plugins.module_utils.stage_secrets import StageSecrets

    Keys = dict[str, list[Any]]
    Emit = Callable[[dict[str, Any]], None]


class Failed(Exception):
    """What is under test is not as it must be: the step's verdict is `failed`, not `error`.

    >>> class Fan(Scriptlet):
    ...     def run(self, ctx, params):
    ...         raise Failed("fan 2 stands still")
    >>> rack_context.run(Fan).verdict
    'failed' (fan 2 stands still)
    """


class Skipped(Exception):
    """There is nothing to test here, such as no such hardware: the step's verdict is `skipped`, with this reason.

    >>> class Fan(Scriptlet):
    ...     def run(self, ctx, params):
    ...         raise Skipped("no such hardware: a fan")
    >>> rack_context.run(Fan).verdict
    'skipped' (no such hardware: a fan)
    """


class Scriptlet:
    """A reusable test step.

    `options` is an Ansible argument spec, or None to take any argument; `reads` and `writes` are tuples of context
    keys (`reads = None`: not declared), and `writes` may be a mapping that says what each key holds; `scope = "run"`
    marks a scriptlet for steps that run once for the run; `reads_results` and `reads_history` let such a one read the
    results of the run, and the values that these measurements and keys had in earlier runs; `live` is whether it
    uses the live bus, `ctx.live`; `deprecated` says what to use instead of one that should not be used any more. For
    readers there are `needs` (tools, devices and rights), `verdicts` (which ones a step gets besides `passed`, and
    when) and `example` (steps of a recipe, as YAML). All of them are literals: the controller reads them without
    running the file.

    >>> class Fan(Scriptlet):
    ...     options = {"min_rpm": {"type": "float", "default": 800}}
    ...     def run(self, ctx, params):
    ...         ctx.check("speed", 640, "rpm", min=params["min_rpm"])
    >>> rack_context.run(Fan).reason
    'speed: 640 rpm is below min 800.0 rpm'
    """

    options: dict[str, Any] | None = None
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | dict[str, str] = ()
    scope: str = "host"
    reads_results: bool = False
    reads_history: tuple[str, ...] = ()
    live: bool = False
    deprecated: str = ""
    needs: tuple[str, ...] = ()
    verdicts: dict[str, str] | None = None
    example: str = ""

    def validate(self, ctx: ContextView, params: dict[str, Any]) -> None:
        """Check cheaply what `options` cannot say; raise ValueError with a clear reason."""

    def run(self, ctx: ContextView, params: dict[str, Any]) -> int | None:
        """Do the work, and say with `ctx.check` whether what was found is as it must be.

        Return nothing, or print an envelope and return an exit code; raise to end with a reason.
        """
        raise NotImplementedError(f"{type(self).__name__} has no run method")


LISTED = 10  # hosts in a message
MEASURED = frozenset(("name", "value", "unit"))


def now() -> str:
    """The time in UTC, as all records write it."""
    seconds, nanos = divmod(time.time_ns(), 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanos // 1000:06d}Z"


class ContextView:
    """One step's view of the run's context.

    `own` holds the keys of the step's scope, `run` those of the run. `others` holds the keys of every host; for a step
    of a host, only those that it reads of other hosts. Each maps a key to `[version, value]`. `emit` gets every change
    as it is made. Values that are read are copies: only `set` changes the context.

    >>> class Count(Scriptlet):
    ...     def run(self, ctx, params):
    ...         ctx.set("starts.count_v1", ctx.get("starts.count_v1", 0) + 1)
    ...         ctx.measure("host_name", len(ctx.host), "letters")
    >>> rack_context["starts.count_v1"] = 4
    >>> rack_context.run(Count).verdict, rack_context["starts.count_v1"], rack_context.measured
    ('passed', 5, {'host_name': 4})
    """

    def __init__(
        self, step: str, host: str, scope: str, own: Keys, run: Keys, others: dict[str, Keys], emit: Emit
    ) -> None:
        self.step = step
        self.host = host
        self.scope = scope
        self._own = own
        self._run = run
        self._others = others
        self._emit = emit
        self._open_shelf: Callable[[], ArtifactStore] | None = None
        self._secrets: StageSecrets | None = None
        self._declared: frozenset[str] | None = None
        self._made: set[tuple[str, str]] = set()  # scope and key
        self._analysis: dict[str, Any] | None = None
        self._live_given: dict[str, Any] = {}
        self._live: Live | None = None

    def send_to(self, emit: Emit) -> None:
        """Hand changes to `emit` from now on, such as to the pipe of a forked child."""
        self._emit = emit

    def keep_on(self, open_shelf: Callable[[], ArtifactStore]) -> None:
        """Keep attached files in this store from now on. Without one only their digest is computed."""
        self._open_shelf = open_shelf

    def hide_by(self, secrets: StageSecrets) -> None:
        """Mask these secrets in texts from now on."""
        self._secrets = secrets

    def analyse_with(self, analysis: dict[str, object] | None) -> None:
        """Show what the scriptlet declares to read of its run: `results`, and `history` by key. None shows nothing."""
        self._analysis = analysis

    def limit_to(self, reads: list[str] | None) -> None:
        """From now on allow only these keys to be read, and those that the step itself has set. None allows all.

        Whether a step's result may be used again depends on what it reads, so its declaration has to be true.
        """
        self._declared = None if reads is None else frozenset(reads)

    def reach_live(self, given: dict[str, object]) -> None:
        """Reach the context server of the run by this; what is not given says why there is none."""
        self._live_given = given

    @property
    def live(self) -> Live:
        """The run's context as it is at this moment, for a scriptlet with `live = True`: other hosts see it at once."""
        if self._live is None:
            # few scriptlets use it
            from ansible_collections.rack.recipes.plugins.module_utils.live_client import Live

            host = self.host if self.scope == "host" else ""
            given = {**self._live_given, "host": host, "step": self.step, "scope": self.scope}
            self._live = Live(given, self._shown, self._adopt)
        return self._live

    def _shown(self, key: str, value: object) -> Any:
        """A value as others may see it."""
        if self._secrets is None:
            return value
        self._secrets.add_value(key, value)
        return self._secrets.hidden_value(value)

    def _adopt(self, key: str, scope: str, version: int, value: object) -> None:
        """Take a change that the server has made already: `get` and the steps that follow see it."""
        place = self._own if scope == self.scope else self._run
        place[key] = [version, value]
        self._made.add((scope, key))
        self._emit({"kind": "delta", "live": version, "scope": scope, "key": key, "after": value})

    checked_key = staticmethod(check_key)

    def _is_declared(self, key: object) -> bool:
        return self._declared is None or key in self._declared

    def _check_declared(self, key: object) -> None:
        if not self._is_declared(key):
            known = ", ".join(sorted(self._declared or ())) or "none"
            raise ValueError(
                f"the key {key} is not among those that the scriptlet reads ({known}): add it to its reads"
            )

    @property
    def mask(self) -> Mask | None:
        """The mask for all secrets that are known here; None if there are none."""
        return self._secrets.mask if self._secrets else None

    def hidden(self, text: str) -> str:
        """The text without the secrets that are known here. Use it for what the run itself does not mask."""
        return self._secrets.hidden(text) if self._secrets else text

    def shows_secret(self, text: str) -> bool:
        """Whether a text shows a secret that is known here. Others must not be able to read such a text."""
        return self.hidden(text) != text

    def handed_over(self) -> dict[str, Any]:
        """The arguments, except `emit`, with which another process can make the same view."""
        keys = {"own": self._own, "run": self._run, "others": self._others}
        return {"step": self.step, "host": self.host, "scope": self.scope, **keys}

    def secret(self, value: object) -> Any:
        """Hide the texts and numbers in `value` from now on. Returns `value`.

        They are masked in everything that is written of this step (also in what it has printed before), of later steps,
        and of all later stages on every host. They are kept in memory alone. Call this before `set` or `measure` gets
        the value. Raises ValueError for what cannot be hidden.
        """
        from ansible_collections.rack.recipes.plugins.module_utils.secret_names import check_secrets

        texts = check_secrets(value)
        if texts:
            self._emit({"kind": "secret", "texts": texts})
        return value

    def get(self, key: str, default: object = None, host: str | None = None) -> Any:
        """The value of `key`: in this step's scope, or else in the run's, or else `default`.

        With `host`, that host's keys come first instead of this step's. Raises ValueError for a key that the scriptlet
        does not declare to read.
        """
        for place in self._places(key, host):
            if key in place:
                return copy_json(place[key][1])
        return default

    def __contains__(self, key: object) -> bool:
        return any(key in place for place in self._places(key, None))

    def _places(self, key: object, host: str | None) -> list[Keys]:
        """The places in which to look for a key. Raises ValueError for a key that may not be read."""
        if host is not None and host != self.host:
            self._check_declared(key)
            return [self._others.get(host, {}), self._run]
        places = [(self.scope, self._own), ("run", self._run)]
        if not self._is_declared(key):
            places = [(scope, place) for scope, place in places if (scope, key) in self._made]
            if not places:
                self._check_declared(key)
        return [place for _scope, place in places]

    def set(self, key: str, value: object, who: str | None = None, scope: str | None = None) -> None:
        """Set `key` for this host or, with `scope="run"`, for the run. `who` is the author, by default the step.

        Raises ValueError if the value is not JSON or too large, and if the key is malformed or shows a secret.
        """
        scope = scope or self.scope
        if scope not in ("host", "run") or (scope == "host" and self.scope == "run"):
            raise ValueError(f"scope {scope!r}: a step of the {self.scope} cannot set it")
        place = self._own if scope == self.scope else self._run
        value = check_value(value, self.checked_key(key))
        check_size(value, key)
        if self._secrets:
            self._secrets.check_key(key)
        self._made.add((scope, key))
        version, before = place.get(key, (0, None))
        # Python's `==` would not do: it takes 1, 1.0 and True for equal.
        if version and json.dumps(before, sort_keys=True) == json.dumps(value, sort_keys=True):
            return
        author = escape_unstorable(str(who or self.step))
        who = f"{author}@{self.host}" if scope != self.scope else author
        change = {"scope": scope, "key": key, "after": value, "based_on": version, "who": who, "time": now()}
        self._emit({"kind": "delta", **change})
        place[key] = [version + 1, value]

    def measure(self, name: str, value: object, unit: str = "") -> None:
        """Record one measured value with its unit."""
        self.add_measurement({"name": name, "value": value, "unit": unit})

    def add_measurement(self, given: object) -> None:
        """Record one item of an envelope's `measurements`. Raises ValueError if it is malformed."""
        if not isinstance(given, dict) or not isinstance(given.get("name"), str) or "value" not in given:
            raise ValueError(f"a measurement needs a name and a value, got {mark_if_long(repr(given))}")
        name = escape_unstorable(given["name"])
        if given.keys() - MEASURED:
            from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS

            for word in (*LIMITS, "warn"):
                if word in given:
                    raise ValueError(f"measurement {name}: {word} is for checks, a measurement is not judged")
        unit = escape_unstorable(str(given.get("unit") or ""))
        value = check_value(given["value"], f"measurement {name}")
        self._emit({"kind": "measurement", "name": name, "value": value, "unit": unit})

    def check(self, name: str, value: object, unit: str = "", **limits: Any) -> str:
        """Judge a value, record it and return its verdict: `passed`, `marginal` or `failed`.

        `limits` are the words of a condition: eq, ne, min, max, within, one_of, matches, quantile, warn. The step's
        verdict is the worst of its criteria. Raises ValueError for a value that cannot be compared.
        """
        return self.add_check({**limits, "name": name, "value": value, "unit": unit})

    def add_check(self, given: object) -> str:
        """Record one item of an envelope's `checks` and return its verdict. Raises ValueError if it is malformed."""
        from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import measurement

        if not isinstance(given, dict) or not isinstance(given.get("name"), str) or "value" not in given:
            raise ValueError(f"a check needs a name, a value and a limit, got {mark_if_long(repr(given))}")
        name, unit = escape_unstorable(given["name"]), escape_unstorable(str(given.get("unit") or ""))
        condition = check_value({**given, "name": name, "unit": unit}, f"check {name}")
        measured = measurement(name, condition["value"], condition)
        self._emit({"kind": "measurement", **measured})
        verdict: str = measured["verdict"]
        return verdict

    @property
    def analysis(self) -> dict[str, Any] | None:
        """The `results` of the run, and the `history` of it by key; None for a scriptlet that declares neither."""
        return self._analysis

    def results(self) -> list[dict[str, Any]]:
        """The results of the run so far, by step and host, without secrets.

        Each has `host` ("" for the run), `step`, `verdict`, `reason`, `seconds` and `measurements`. Raises ValueError
        for a scriptlet that does not declare `reads_results`.
        """
        return self._run_analysis().results()

    def history(self, key: str, last: int = 20) -> list[dict[str, Any]]:
        """What a measurement or a key of the context was in the `last` earlier runs of this test, the oldest first.

        Each value has `run`, `started`, `host`, `step`, `value` and `unit`. Raises ValueError for a key that the
        scriptlet does not declare in `reads_history`.
        """
        return self._run_analysis().history(key, last)

    def finding(
        self,
        title: str,
        results: Iterable[object] = (),
        grade: str = "notable",
        advice: str = "",
        figures: Mapping[str, object] | None = None,
        method: str = "",
    ) -> None:
        """Add a finding to the analysis of the run: a sentence, and the results that it rests on.

        A result is a row of `results()`, or `[host, step]`, or `[host, step, measurement]`. `grade` is `problem`,
        `notable` or `note`. `advice` says what to do next. `figures` are the figures behind the title, by name.
        `method` says how it was found, and how often that is wrong. Raises ValueError for a malformed finding.
        """
        given = {"title": title, "results": list(results), "grade": grade, "advice": advice, "method": method}
        self.add_finding({**given, "figures": figures or {}})

    def add_finding(self, given: object) -> None:
        """Add one item of an envelope's `findings`. Raises ValueError if it is malformed."""
        self._emit({"kind": "finding", **self._run_analysis().finding(given)})

    def _run_analysis(self) -> RunAnalysis:
        """What the step may read of its run. Raises ValueError for a scriptlet that declares nothing of it."""
        if self._analysis is None:
            raise ValueError(
                "only a scriptlet with scope = 'run' that declares reads_results or reads_history can analyse its run"
            )
        from ansible_collections.rack.recipes.plugins.module_utils.run_analysis import RunAnalysis

        return RunAnalysis(**self._analysis)

    def attach(self, name: str, source: Source, media_type: str = "") -> dict[str, Any]:
        """Attach a file to the run, for data too large for a key. `source` is its path, or its content as bytes.

        Returns its `name`, `sha256` and `size` in bytes, which a key can hold. Raises ValueError for what cannot be
        kept, such as a file of more than 256 MiB.
        """
        return self._attach(name, media_type, lambda shelf: shelf.keep(source))

    def add_artifact(self, given: object) -> dict[str, Any]:
        """Attach one item of an envelope's `artifacts`: a file of the working folder. Returns what `attach` does.

        Raises ValueError if the item is malformed, or if the file cannot be kept.
        """
        if not isinstance(given, dict) or not isinstance(given.get("path"), str):
            raise ValueError(f"an artifact needs a name and a path, got {mark_if_long(repr(given))}")
        return self._attach(
            given.get("name"), given.get("media_type") or "", lambda shelf: shelf.keep_inside(given["path"])
        )

    def _attach(
        self, name: object, media_type: object, keep: Callable[[ArtifactStore], dict[str, Any]]
    ) -> dict[str, Any]:
        from ansible_collections.rack.recipes.plugins.module_utils.artifact_store import (
            ArtifactStore,
            check_media_type,
            check_name,
        )

        called, kind = check_name(name), check_media_type(media_type)
        try:
            found = keep(self._open_shelf() if self._open_shelf else ArtifactStore("", "."))
        except ValueError as error:
            raise ValueError(f"artifact {called}: {error}") from None
        about = {"name": called, **found, "media_type": kind, "who": escape_unstorable(self.step), "time": now()}
        self._emit({"kind": "artifact", **about})
        return {"name": called, "sha256": found["sha256"], "size": found["size"]}

    def value_on(self, key: str, host: str) -> Any:
        """The value of `key` on one host. Raises ValueError if it has none. Keys of the run belong to no host."""
        self._check_declared(key)
        found = self._keys_on(host)
        if key in found:
            return copy_json(found[key][1])
        having = self._having(key)
        instead = f"but {first_few(having, LISTED)}" if having else "nor has any other host"
        raise ValueError(f"{host} has no key {key}, {instead}")

    def values(self, key: str) -> dict[str, Any]:
        """The value of `key` on each host that has it, by host name.

        A step of a host sees itself and the hosts whose keys it reads.
        """
        self._check_declared(key)
        return {host: copy_json(self._keys_on(host)[key][1]) for host in self._having(key)}

    def _having(self, key: str) -> list[str]:
        hosts = {*self._others, self.host} if self.scope == "host" else self._others
        return [host for host in sorted(hosts) if key in self._keys_on(host)]

    def _keys_on(self, host: str) -> Keys:
        return self._own if self.scope == "host" and host == self.host else self._others.get(host, {})

    def hosts(self) -> list[str]:
        """The names of the hosts that have any key."""
        return sorted(self._others)

    def keys(self) -> list[str]:
        """All keys that `get` would find."""
        found = ((scope, key) for scope, place in ((self.scope, self._own), ("run", self._run)) for key in place)
        return sorted({key for scope, key in found if self._is_declared(key) or (scope, key) in self._made})

    def to_dict(self) -> dict[str, Any]:
        """Every key that `get` would find, with its value."""
        return {key: self.get(key) for key in self.keys()}
