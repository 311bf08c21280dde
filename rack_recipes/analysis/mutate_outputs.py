# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges the stored outputs of a run again, each changed a little, to see what no criterion notices.

The changes are the rows of the table of mutations.

The criteria are judged by the executor's own code. No host is contacted, and no scriptlet is run.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from operator import itemgetter
from types import SimpleNamespace
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.run_and_judge import UNCHECKED, check
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS, measurement
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope, keys_in, loop_instances
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import COMPLETE
from rack_recipes.analysis.run_data import RunData
from rack_recipes.journal.step_results_and_end_status import cell_of
from rack_recipes.recipe.recipe_node import is_number
from rack_recipes.store.result import Result

MOST_DEEP = 200  # places of one value that are changed; further ones are left out


class Change(NamedTuple):
    """One changed output: where in the value, what was done, the value there before and after, the whole new value."""

    path: str
    what: str
    before: Any
    after: Any
    value: Any


Kind = Callable[[Any], bool]
NUMBERS: Mapping[str, Callable[[Any], Any]] = {
    "x 2": lambda value: value * 2,
    "/ 2": lambda value: value / 2,
    "sign": lambda value: -value,
    "+ 1": lambda value: value + 1,
    "- 1": lambda value: value - 1,
    "0": lambda _value: 0,
}
TEXTS: Mapping[str, Callable[[Any], Any]] = {"other text": lambda value: f"{value}~", "empty": lambda _value: ""}
FLAGS: Mapping[str, Callable[[Any], Any]] = {"not": lambda value: not value}
EMPTIED: Mapping[str, Callable[[Any], Any]] = {"empty": lambda value: type(value)()}
MUTATIONS: tuple[tuple[Kind, Mapping[str, Callable[[Any], Any]]], ...] = (
    (is_number, NUMBERS),
    (lambda value: isinstance(value, str), TEXTS),
    (lambda value: isinstance(value, bool), FLAGS),
    (lambda value: isinstance(value, dict | list), EMPTIED),
    (lambda value: value is not None, {"null": lambda _value: None}),
)
"""For each kind of value the mutations by name. A mutation that changes nothing is left out, such as 0 x 2."""


def changes_of(value: object) -> Iterator[Change]:
    """Every mutation of a JSON value, at every place inside of it, and every key of a mapping removed."""
    for number, (path, found) in enumerate(_places(value, ())):
        if number == MOST_DEEP:
            return
        for what, after in mutations_of(found):
            yield Change(_written(path), what, found, after, _replaced(value, path, after))
        if path and isinstance(path[-1], str):
            yield Change(_written(path), "removed", found, None, _removed(value, path))


def mutations_of(value: object) -> Iterator[tuple[str, Any]]:
    """Every mutation of a single value, by its name."""
    for is_kind, mutations in MUTATIONS:
        if not is_kind(value):
            continue
        for what, mutate in mutations.items():
            try:
                after = mutate(value)
            except OverflowError:
                continue
            if not _same(after, value) and not (isinstance(after, float) and not isfinite(after)):
                yield what, after


def _same(one: object, other: object) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


Path = tuple[str | int, ...]


def _places(value: object, path: Path) -> Iterator[tuple[Path, Any]]:
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(inner, (*path, number))


def _replaced(value: Any, path: Path, after: object) -> Any:
    if not path:
        return after
    if isinstance(value, dict):
        return {name: _replaced(inner, path[1:], after) if name == path[0] else inner for name, inner in value.items()}
    return [_replaced(inner, path[1:], after) if n == path[0] else inner for n, inner in enumerate(value)]


def _removed(value: Any, path: Path) -> Any:
    if len(path) == 1:
        return {name: inner for name, inner in value.items() if name != path[0]}
    if isinstance(value, dict):
        return {name: _removed(inner, path[1:]) if name == path[0] else inner for name, inner in value.items()}
    return [_removed(inner, path[1:]) if n == path[0] else inner for n, inner in enumerate(value)]


def _written(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


Row = Mapping[str, Any]
Keys = dict[str, list[Any]]
TEMPLATE = "{{"
VALUE, MEASURED = "value", "measured"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed output of a step: of which key or measurement, what was done, and whether a criterion notices."""

    kind: str
    name: str
    what: str
    before: Any
    after: Any
    is_noticed: bool


@dataclass(frozen=True, slots=True)
class StepMutants:
    """The mutants of one result of a step, on the host whose outputs were taken; `problem` says why there are none."""

    step: str
    host: str
    mutants: Sequence[Mutant] = ()
    problem: str = ""

    @property
    def noticed(self) -> int:
        """How many of the mutants a criterion notices."""
        return sum(mutant.is_noticed for mutant in self.mutants)


@dataclass(frozen=True, slots=True)
class StepCriteria:
    """What a step of the recipe checks: `success` in the executor's form, its loop or matrix, and its scope."""

    name: str
    success: dict[str, Any]
    scope: str = "host"
    loop: Any = None
    matrix: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Replay:
    """A result that is judged again, with all that its criteria look at.

    `measured` is what it measured, by criteria and by itself. `params` are those of the run, `words` those of an
    instance.
    """

    step: StepCriteria
    row: Result
    own: Keys
    run: Keys
    others: Mapping[str, Keys]
    written: Mapping[tuple[str, str], Any]
    measured: Sequence[Row]
    params: dict[str, object]
    words: dict[str, object]
    checks: Sequence[Row] = ()


class _Changes:
    """The changes of a run's context by host, and what they have come to at the end of the run."""

    def __init__(self, history: Sequence[Row]) -> None:
        self.by_host: dict[str, list[Row]] = defaultdict(list)
        self.at_end: dict[str, Keys] = defaultdict(dict)
        for delta in history:
            self.by_host[delta["host"]].append(delta)
            self.at_end[delta["host"]][delta["key"]] = [delta["version"], delta["after"]]

    def of(self, step: str, host: str) -> list[Row]:
        """The changes that a step made on a host, of its own keys and of those of the run."""
        both = self.by_host[host] if host == "" else [*self.by_host[host], *self.by_host[""]]
        own = (delta for delta in both if delta["step"] == step and host in (delta["host"], delta["origin"]))
        return sorted(own, key=itemgetter("seq"))

    def keys(self, host: str, until: float) -> Keys:
        """The keys of a host as they were after a change."""
        return {
            delta["key"]: [delta["version"], delta["after"]] for delta in self.by_host[host] if delta["seq"] <= until
        }


def mutate(run: RunData, history: Sequence[Row], steps: Sequence[StepCriteria]) -> list[StepMutants]:
    """The mutants of each step, by the outputs of the first host on which it passed.

    `history` are the changes of the run's context in their order, as store/reading/recorded_runs.py returns them.
    """
    found, made = [], _Changes(history)
    for step in steps:
        row = _chosen(run, step.name)
        if row is None:
            found.append(StepMutants(step.name, "", problem="it has not passed on any host"))
        else:
            found.append(_of_step(run, made, step, row, steps))
    return found


def _chosen(run: RunData, name: str) -> Result | None:
    """The first result of a step that passed; of a looped step that of an instance."""
    own = [row for row in run.results if run.planned(row["step"]) == name]
    return next((row for row in own if row["verdict"] in COMPLETE), None)


def _of_step(
    run: RunData, made: _Changes, step: StepCriteria, row: Result, steps: Sequence[StepCriteria]
) -> StepMutants:
    name, host = row["step"], row["host"]
    if TEMPLATE in json.dumps(step.success):
        return StepMutants(name, host, problem="its criteria have Jinja templates, which only a run fills in")
    result = _result(run, made, step, row)
    verdict, reason, by_criteria = _judged(result, _scope(result, result.own, result.run), step.success)
    own = [one for one in result.measured if one["name"] not in by_criteria]
    if verdict not in COMPLETE and reason != UNCHECKED:
        return StepMutants(name, host, problem=f"its outputs cannot be judged again: {reason}")
    result = replace(result, checks=[one for one in own if one["verdict"] is not None])
    later = [other for other in steps if other.name != step.name and other.scope == step.scope]
    unjudged = [one for one in own if one["verdict"] is None]
    mutants = [*_of_values(result, later), *_of_measured(result.checks, unjudged)]
    return StepMutants(name, host, mutants, "" if mutants else "it has no outputs")


def _result(run: RunData, made: _Changes, step: StepCriteria, row: Result) -> _Replay:
    """What a result's criteria looked at: the context as it was after the step's last change of it."""
    name, host = row["step"], row["host"]
    mine = made.of(name, host)
    until = mine[-1]["seq"] if mine else float("inf")
    written = {(delta["host"], delta["key"]): delta["after"] for delta in mine}
    measured = [one for one in run.measurements if cell_of(one) == cell_of(row)]
    params = run.run.get("params") or {}
    words: dict[str, object] = {"step": {"name": name, "attempt": 1, "verdict": ""}}
    found = _Replay(
        step, row, made.keys(host, until), made.keys("", until), made.at_end, written, measured, params, words
    )
    return replace(found, words={**words, **_words_of_instance(found)})


def _words_of_instance(result: _Replay) -> Mapping[str, object]:
    """The words of an instance, which its criteria may use; none where it is no instance."""
    step = result.step
    if step.loop is None and not step.matrix:
        return {}
    try:
        found = loop_instances(step.name, step.loop, dict(step.matrix), _scope(result, result.own, result.run))
    except ValueError:
        return {}
    return dict(found).get(result.row["step"], {})


def _scope(result: _Replay, own: Keys, run: Keys) -> Scope:
    view = ContextView(
        result.row["step"], result.row["host"], result.step.scope, own, run, dict(result.others), _ignore
    )
    return Scope(view, result.params, result.words)


def _ignore(_event: object) -> None:
    """What a view would send is of no interest."""


def _judged(result: _Replay, scope: Scope, success: dict[str, object]) -> tuple[str, str, frozenset[str]]:
    """Verdict and reason by the executor's own code, and the names of what the criteria measured."""
    attempt: Any = SimpleNamespace(measurements=[_plain(one) for one in result.checks])
    try:
        verdict, reason = check(attempt, scope, success)
    except ValueError as error:
        verdict, reason = "error", str(error)
    return verdict, reason, frozenset(str(one["name"]) for one in attempt.measurements)


def _plain(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("name", "value", "unit", "limits", "distance", "verdict")}


def _of_values(result: _Replay, later: Sequence[StepCriteria]) -> Iterator[Mutant]:
    """The mutants of what the step wrote into the context."""
    for (host, key), value in result.written.items():
        readers = [other.success for other in later if key in keys_in(other.success)]
        for change in changes_of(value):
            noticed = _is_noticed(result, readers, host, key, [change.value])
            yield Mutant(VALUE, f"{key}{change.path}", change.what, change.before, change.after, noticed)
        yield Mutant(VALUE, key, "not set", value, None, _is_noticed(result, readers, host, key, []))


def _is_noticed(
    result: _Replay, readers: Sequence[dict[str, object]], host: str, key: str, value: Sequence[object]
) -> bool:
    """Whether the step, or another one whose criteria name the key, would not pass any more.

    `value` holds the changed value of the key; it is empty for a key that is not set.
    """
    keys = {name: dict(own) for name, own in (("own", result.own), ("run", result.run))}
    place = keys["run"] if host == "" and result.row["host"] != "" else keys["own"]
    place.pop(key, None)
    if value:
        place[key] = [1, value[0]]
    run = keys["own"] if result.row["host"] == "" else keys["run"]
    scope = _scope(result, keys["own"], run)
    return any(_judged(result, scope, success)[0] not in COMPLETE for success in (result.step.success, *readers))


def _of_measured(checks: Sequence[Row], unjudged: Sequence[Row]) -> Iterator[Mutant]:
    """The mutants of what the step measured: what has limits of its own is judged by them, the rest by nobody."""
    for row, is_judged in (*((row, True) for row in checks), *((row, False) for row in unjudged)):
        for what, after in mutations_of(row["value"]):
            yield Mutant(MEASURED, row["name"], what, row["value"], after, is_judged and _fails(row, after))


def _fails(row: Row, value: object) -> bool:
    limits = {word: bound for word, bound in (row["limits"] or {}).items() if word in LIMITS or word == "warn"}
    try:
        return measurement(str(row["name"]), value, limits)["verdict"] not in COMPLETE
    except ValueError:
        return True
