# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe file as a collection of tests: one test for each step, or instance of a looped step, on each host."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import PASSING
from ansible_collections.rack.recipes.plugins.module_utils.waiving import WAIVED
from rack_recipes.errors import RackError
from rack_recipes.programs.pytest_plugin.find_recipe_files import inventories_of, project_of
from rack_recipes.programs.pytest_plugin.list_expected_results import NOBODY, Expectation, Expected, expect
import pytest
from rack_recipes.programs.pytest_plugin.recipe_runner import run_here, run_once
from rack_recipes.programs.recipe_result import RecipeResult

Record = Mapping[str, Any]


class StepFailed(Exception):
    """A step did not pass; the text is the whole message."""


class RecipeFile(pytest.File):
    """A recipe file. The whole recipe is run once, when its first test runs."""

    expectation: Expectation
    _result: RecipeResult | None = None

    def collect(self) -> Iterator[RecipeItem]:
        """The tests of the recipe; nothing is run."""
        try:
            self.expectation = expect(self.path, self.project, inventories_of(self.config), self._params())
        except RackError as error:
            raise self.CollectError(str(error)) from None
        for expected in self.expectation.results:
            yield RecipeItem.from_parent(self, name=expected.name, expected=expected)

    @property
    def project(self) -> Path:
        """The folder in which the recipe is run."""
        return project_of(self.path, self.config.rootpath)

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
                self._result = run_here(words, self.project)
        return self._result

    def _words(self) -> Iterator[str]:
        """The arguments of the command. If only some tests are selected, only their steps and what these need run."""
        inside = self.path.is_relative_to(self.project)
        yield str(self.path.relative_to(self.project) if inside else self.path)
        for inventory in inventories_of(self.config):
            yield from ("--inventory", inventory)
        for name, value in self._params().items():
            if name in self.expectation.params:
                yield from ("--param", f"{name}={value}")
        wanted = {
            item.expected.step for item in self.session.items if isinstance(item, RecipeItem) and item.recipe is self
        }
        if wanted != set(self.expectation.steps):
            for step in sorted(wanted):
                yield from ("--only", step)

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

    def runtest(self) -> None:
        """Pass, skip or fail by the verdict."""
        result = self.recipe.result()
        record = result.steps.get((self.expected.instance, self.expected.host))
        if record is None and self.expected.host == NOBODY and result.run_id:
            raise _skipped("no host of this run matches its hosts")
        if record is None:
            raise StepFailed(result.reason or f"there is no result of {self.expected.name}\n{result!r}")
        self.rack_seconds = record.get("seconds")
        self.user_properties.append(("verdict", record["verdict"]))
        if record.get("flake"):
            self.user_properties.append(("flake", f"passed at try {len(record['attempts'])}"))
        self._show(record)
        if record["verdict"] == "skipped":
            raise _skipped(record.get("reason") or "skipped")
        if record["verdict"] == WAIVED:
            pytest.xfail(record["reason"])
        if record["verdict"] not in PASSING:
            raise StepFailed("\n".join(_explanation(self.expected, result)))

    def _show(self, record: Record) -> None:
        """Add the output of the last try, which pytest shows below a failure, and with -rA for all tests."""
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


def _skipped(reason: str) -> BaseException:
    """A skip that is reported at the place of the step, not at this line."""
    return pytest.skip.Exception(reason, _use_item_location=True)


def _explanation(expected: Expected, result: RecipeResult) -> Iterator[str]:
    """Why a step did not pass: its verdict, reason, criteria, tries and instances, one line each."""
    record = result.steps[expected.instance, expected.host]
    yield f"{expected.instance} on {expected.host or 'the run'}: {record['verdict']}"
    yield from _indented(record.get("reason") or "gave no reason")
    for measured in record.get("measurements") or ():
        if "verdict" in measured:
            yield f"  {measured['verdict']}: {_criterion(measured)}"
    attempts = record.get("attempts") or ()
    for number, attempt in enumerate(attempts[:-1], 1):
        yield from _indented(f"try {number}: {attempt['verdict']}: {attempt.get('reason', '')}")
    for (name, host), instance in result.steps.items():
        if instance.get("parent") == expected.instance and host == expected.host and instance["verdict"] not in PASSING:
            yield from _instance(name, instance)
    yield f"{expected.place}, run {result.run_id}"


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
