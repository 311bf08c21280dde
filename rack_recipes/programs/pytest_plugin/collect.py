# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe file as a collection of tests: one for each result that it will have, as far as these are known."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope, loop_instances
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING, WAIVED
from rack_recipes import settings
from rack_recipes.cli.inventory_hosts import InventoryHosts, inventory_hosts
from rack_recipes.errors import Place, RackError, UsageError
from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.plan.plan_model import Plan
from rack_recipes.programs.pytest_plugin.find_recipe_files import inventories_of, project_of
from rack_recipes.programs.pytest_plugin.hosts_that_are_enough import enough_hosts
from rack_recipes.programs.pytest_plugin.runner_fixtures import run_here, run_once
from rack_recipes.programs.recipe_result import NOTHING_RUN, RecipeResult
from rack_recipes.recipe.param_values import values_of_params
from rack_recipes.recipe.recipe_model import Step
from rack_recipes.run.unmatched_hosts import no_match

NOT_JUDGED = ("error", "unreachable")  # verdicts
ALL = "all"
NOBODY = "?"  # stands for the host of a step whose pattern matches no host


@dataclass(frozen=True, slots=True)
class Expected:
    """One result: an instance of a step on a host; the host of the run is "".

    Where the instances of a loop are not known before the run, the looped step is one result.
    """

    step: str
    instance: str
    host: str
    place: Place

    @property
    def name(self) -> str:
        """The name of the test, for example `measure[eth0][leaf1]`."""
        return f"{self.instance}[{self.host}]" if self.host else self.instance


@dataclass(frozen=True, slots=True)
class Expectation:
    """The results of a recipe, in the order of its steps, the parameters that it takes, and its plan.

    `merges` is whether a setting says how the writes of several hosts are merged.
    """

    results: tuple[Expected, ...]
    params: tuple[str, ...]
    plan: Plan
    merges: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of its steps."""
        return tuple(hosts_by_step(self.results))


def hosts_by_step(results: Iterable[Expected]) -> dict[str, set[str]]:
    """The hosts of these results by the names of their steps."""
    found: dict[str, set[str]] = {}
    for result in results:
        found.setdefault(result.step, set()).add(result.host)
    return found


def expect(
    recipe: Path, project: Path, inventories: tuple[str, ...], params: Mapping[str, str], limit: str = ""
) -> Expectation:
    """The results that the recipe should have if it is run in the folder `project`. Raises RackError."""
    with chdir(project):
        own = settings.load()
        plan = plan_of(str(recipe), own)
    steps = [*plan.steps]
    declared = plan.recipe.params
    given = {name: text for name, text in params.items() if name in declared}
    valued = {name: param for name, param in declared.items() if name in given or not param.required}
    known = values_of_params(valued, given, texts=True)  # the run itself reports a parameter without a value
    everywhere = plan.recipe.hosts
    patterns = {ALL, everywhere, *(step.hosts for step in steps if step.hosts)}
    hosts = _hosts(tuple(sorted(patterns)), inventories, limit, project)
    expected = (_results(step, hosts.of_step(everywhere, step.hosts), known) for step in steps)
    return Expectation(tuple(chain.from_iterable(expected)), tuple(declared), plan, bool(own.merge))


@cache
def _hosts(patterns: tuple[str, ...], inventories: tuple[str, ...], limit: str, project: Path) -> InventoryHosts:
    """The hosts that match the patterns. Raises UsageError for an inventory that cannot be read, or without a host."""
    with chdir(project):
        found = inventory_hosts(inventories, limit or None, patterns)
    if problem := found.problem or found.refusal:
        raise UsageError(problem)
    if limit and not found.of(ALL):
        raise UsageError(no_match(f"--rack-limit {limit!r}", found.whole, found.groups))
    return found


def _results(step: Step, hosts: Sequence[str], params: Mapping[str, object]) -> Iterator[Expected]:
    for instance in _instances(step, params):
        for host in [""] if step.runs_once else hosts or [NOBODY]:
            yield Expected(step.name, instance, host, step.place)


def _instances(step: Step, params: Mapping[str, object]) -> list[str]:
    """The names of a step's instances; the step's own name if it has none or they are not known yet."""
    if step.loop is None and not step.matrix:
        return [step.name]
    empty = ContextView(step.name, "", step.scope, {}, {}, {}, lambda _event: None)
    loop = list(step.loop) if isinstance(step.loop, tuple) else step.loop
    matrix = {name: list(given) if isinstance(given, tuple) else given for name, given in step.matrix.items()}
    try:
        found = loop_instances(step.name, loop, matrix, Scope(empty, dict(params), {}))
    except ValueError:
        return [step.name]
    return [name for name, _words in found] or [step.name]


Record = Mapping[str, Any]


class StepFailed(Exception):
    """A step did not pass; the text is the whole message."""


class RecipeFile(pytest.File):
    """A recipe file. The whole recipe is run once, when its first test runs."""

    expectation: Expectation
    _result: RecipeResult | None = None
    _refused: RecipeItem | None = None  # the test that says why nothing was run

    def collect(self) -> Iterator[RecipeItem]:
        """The tests of the recipe; nothing is run."""
        try:
            inventories = inventories_of(self.config)
            self.expectation = expect(self.path, self.project, inventories, self._params(), self._limit)
        except RackError as error:
            raise self.CollectError(str(error)) from None
        for expected in self.expectation.results:
            # pytest 9.2 tells a test of before by its parsed id: without the whole id the brackets would be of the name
            node = f"{self.nodeid}::{expected.name}"
            yield RecipeItem.from_parent(self, name=expected.name, nodeid=node, expected=expected)

    @property
    def project(self) -> Path:
        """The folder in which the recipe is run."""
        return project_of(self.path, self.config.rootpath)

    @property
    def _limit(self) -> str:
        """The pattern of --rack-limit; several are one list, as with --limit."""
        return ",".join(self.config.getoption("rack_limit"))

    def _params(self) -> dict[str, str]:
        given: list[str] = self.config.getoption("rack_param")
        return dict(word.split("=", 1) for word in given)

    def result(self) -> RecipeResult:
        """The result of the run, which is started by the first call."""
        if self._result is None:
            words = [*self._words()]
            if "PYTEST_XDIST_TESTRUNUID" in os.environ:  # the workers of one session have folders side by side
                shared = self.config._tmp_path_factory.getbasetemp().parent  # type: ignore[attr-defined]
                self._result = run_once(shared, words, self.project)
            else:
                shown = self.config.getoption("capture") == "no"  # pytest -s
                self._result = run_here(words, self.project, sys.stderr if shown else None)
        return self._result

    def _words(self) -> Iterator[str]:
        """The arguments of the command. If only some tests are selected, only the steps and hosts that they need."""
        inside = self.path.is_relative_to(self.project)
        yield str(self.path.relative_to(self.project) if inside else self.path)
        for inventory in inventories_of(self.config):
            yield from ("--inventory", inventory)
        for name, value in self._params().items():
            if name in self.expectation.params:
                yield from ("--param", f"{name}={value}")
        items = (item for item in self.session.items if isinstance(item, RecipeItem) and item.recipe is self)
        whole, wanted = hosts_by_step(self.expectation.results), hosts_by_step(item.expected for item in items)
        if wanted.keys() != whole.keys():
            for step in sorted(wanted):
                yield from ("--only", step)
        narrow = wanted != whole and not self.expectation.merges
        enough = enough_hosts(self.expectation.plan, whole, wanted) if narrow else []
        if limit := ",".join(enough) or self._limit:
            yield from ("--limit", limit)

    def refuse(self, item: RecipeItem, reason: str) -> NoReturn:
        """Nothing was run: the first test of the file says why, as an error, and the others are skipped."""
        self._refused = self._refused or item
        if item is self._refused:
            raise StepFailed(reason)
        raise _skipped(f"{NOTHING_RUN}see {self._refused.name}")

    def teardown(self) -> None:
        """After the last test: fail if the run did not pass although no test says why."""
        problem = self._result.unexplained() if self._result and self._result.run_id else ""
        if problem:
            pytest.fail(problem, pytrace=False)


class RecipeItem(pytest.Item):
    """One result of the run."""

    rack_seconds: float | None = None

    def __init__(self, *, expected: Expected, **named: Any) -> None:
        super().__init__(**named)
        self.recipe: RecipeFile = named["parent"]
        self.expected = expected

    def setup(self) -> None:
        """Run the recipe, if no other test has. What could not be judged fails here, which pytest calls an error."""
        if self.config.getoption("setuponly"):
            return
        result = self.recipe.result()
        if not result.run_id:
            self.recipe.refuse(self, result.steps.reason)
        record = _record_of(self.expected, result)
        if record is None:
            return
        self.rack_seconds = record.get("seconds")
        self.user_properties.append(("verdict", record["verdict"]))
        if record.get("flake"):
            self.user_properties.append(("flake", f"passed at try {len(record['attempts'])}"))
        self._show(record, result)
        if record["verdict"] in NOT_JUDGED:
            raise StepFailed("\n".join(_explanation(self.expected, result)))

    def runtest(self) -> None:
        """Pass, skip or fail by the verdict."""
        result = self.recipe.result()
        record = _record_of(self.expected, result)
        if record is None and self.expected.host == NOBODY:
            raise _skipped("no host of this run matches its hosts")
        if record is None:
            why = result.reason or f"run {result.run_id} is {result.status}, without a result of it"
            raise StepFailed(f"{self.expected.name} was never begun: {why}\n{self.expected.place}")
        if record["verdict"] == "skipped":
            raise _skipped(record.get("reason") or "skipped")
        if record["verdict"] == WAIVED:
            pytest.xfail(record["reason"])
        if record["verdict"] not in PASSING:
            raise StepFailed("\n".join(_explanation(self.expected, result)))

    def _show(self, record: Record, result: RecipeResult) -> None:
        """Add the log, and the output of the last try, which pytest shows below a failure."""
        place = record["step"], record["host"]
        self.add_report_section("call", "log", "\n".join(result.logs.get(place, ())))
        last = (record.get("attempts") or [{}])[-1]
        for stream in ("stdout", "stderr"):
            if last.get(stream):
                self.add_report_section("call", stream, last[stream])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The message of a step that did not pass; any other exception is shown as pytest does."""
        if isinstance(excinfo.value, StepFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """The place of the step in the recipe."""
        place = self.expected.place
        return self.path, place.line - 1, self.name


def _record_of(expected: Expected, result: RecipeResult) -> Record | None:
    """The record of a result, or of its looped step where that ended as a whole; None where there is neither."""
    try:
        record: Record = result.steps[expected.instance, expected.host]
    except KeyError:
        return None
    return record


def _skipped(reason: str) -> BaseException:
    """A skip that is reported at the place of the step, not at this line."""
    return pytest.skip.Exception(reason, _use_item_location=True)


def _explanation(expected: Expected, result: RecipeResult) -> Iterator[str]:
    """Why a step did not pass: its verdict, reason, criteria, tries and instances, one line each."""
    record = result.steps[expected.instance, expected.host]
    first, *more = (record.get("reason") or "gave no reason").splitlines()
    yield f"{record['verdict']}: {first}"  # pytest's short summary has the beginning of it
    yield from _indented("\n".join(more))
    for measured in record.get("measurements") or ():
        if "verdict" in measured:
            yield f"  {measured['verdict']}: {_criterion(measured)}"
    attempts = record.get("attempts") or ()
    for number, attempt in enumerate(attempts[:-1], 1):
        yield from _indented(f"try {number}: {attempt['verdict']}: {attempt.get('reason', '')}")
    for (name, host), instance in result.steps.items():
        if instance.get("parent") == expected.instance and host == expected.host and instance["verdict"] not in PASSING:
            yield from _instance(name, instance)
    yield f"{expected.instance} on {expected.host or 'the run'}: {expected.place}, run {result.run_id}"


def _criterion(measured: Record) -> str:
    unit = f" {measured['unit']}" if measured.get("unit") else ""
    limits = ", ".join(f"{word} {limit}" for word, limit in (measured.get("limits") or {}).items())
    return f"{measured['name']} = {measured['value']}{unit} ({limits})"


def _instance(name: str, record: Record) -> Iterator[str]:
    """An instance that was not known before the run, so that it has no test of its own."""
    yield f"  {name}: {record['verdict']}: {record.get('reason', '')}"
    last = (record.get("attempts") or [{}])[-1]
    for stream in ("stdout", "stderr"):
        if last.get(stream):
            yield from _indented(f"{stream}: {last[stream]}", 4)


def _indented(text: str, width: int = 2) -> Iterator[str]:
    return (f"{' ' * width}{line}" for line in text.splitlines())
