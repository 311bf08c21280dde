# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold in a recipe and no schema can say.

Every rule takes the steps as they are in the file, some of them broken, and looks only at what it understands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place, RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.places import KEY
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.reader import Document
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.words import closest, listed, quoted, shown

LISTS = ("depends_on", "reads", "writes")
COMPARED = 20  # unknown names for which a near one is looked up: among a thousand steps that takes a while


@dataclass(frozen=True, slots=True)
class Written:
    """A step as it is written."""

    document: Document
    index: int
    step: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name, empty where it has none."""
        return text(self.step.get("name"))

    def texts(self, key: str) -> list[tuple[int, str]]:
        """The texts in one of its lists, each with its index."""
        values = self.step.get(key)
        return [(n, value) for n, value in enumerate(values) if text(value)] if isinstance(values, list) else []

    def place(self, *path: str | int) -> Place:
        """Where something of it stands."""
        return self.document.places["steps", self.index, *path]


def rule_errors(document: Document) -> Iterator[RecipeError]:
    """What breaks a rule."""
    steps = document.data.get("steps")
    numbered = enumerate(steps if isinstance(steps, list) else ())
    written = [Written(document, index, step) for index, step in numbered if isinstance(step, dict)]
    for rule in RULES:
        yield from rule(written)


def text(value: object) -> str:
    """A value that is text, otherwise an empty one."""
    return value if isinstance(value, str) else ""


def names_once(steps: list[Written]) -> Iterator[RecipeError]:
    """Two steps of one name could not be told apart."""
    first: dict[str, Written] = {}
    for step in steps:
        if step.name and first.setdefault(step.name, step) is not step:
            got = f"{quoted(step.name)} again (first in line {first[step.name].place('name').line})"
            yield RecipeError(step.place("name"), "each step name once", got)


def known_steps(steps: list[Written]) -> Iterator[RecipeError]:
    """A step can wait only for a step that exists. Where one lacks its name, that has to be put right first."""
    names = dict.fromkeys(step.name for step in steps)
    wanted = ((step, index, name) for step in steps for index, name in step.texts("depends_on"))
    unknown = [] if "" in names else [entry for entry in wanted if entry[2] not in names]
    for number, (step, index, name) in enumerate(unknown):
        others = tuple(known for known in names if known != step.name)
        near = closest(name, others) if number < COMPARED else ""
        expected = "the name of another step" + (f" ({listed(others)})" if others and not near else "")
        yield RecipeError(step.place("depends_on", index), expected, quoted(name), near)


def not_itself(steps: list[Written]) -> Iterator[RecipeError]:
    """A step that waits for itself never starts."""
    for step in steps:
        for index, name in step.texts("depends_on"):
            if name == step.name:
                place = step.place("depends_on", index)
                yield RecipeError(place, "the name of another step", f"{quoted(name)}, this step itself")


def listed_once(steps: list[Written]) -> Iterator[RecipeError]:
    """A name that stands twice in a list: another one was probably meant."""
    for step in steps:
        for key in LISTS:
            first: dict[str, int] = {}
            for index, value in step.texts(key):
                if first.setdefault(value, index) != index:
                    got = f"{quoted(value)} again (first in line {step.place(key, first[value]).line})"
                    yield RecipeError(step.place(key, index), f"each name in {key} once", got)


def function_of_python(steps: list[Written]) -> Iterator[RecipeError]:
    """Only Python files hold classes."""
    for step in steps:
        if "function" in step.step and step.step.get("type", "python") in ("shell", "native"):
            expected = f"no 'function' in a step of type {step.step['type']}: only Python has classes"
            yield RecipeError(step.place("function", KEY), expected, shown(step.step["function"]))


def no_hosts_for_run(steps: list[Written]) -> Iterator[RecipeError]:
    """A step of scope `run` runs once, on the controller: hosts of its own would say something else."""
    for step in steps:
        if "hosts" in step.step and step.step.get("scope") == "run":
            expected = "no 'hosts' in a step of scope run: it runs once, on the controller"
            yield RecipeError(step.place("hosts", KEY), expected, shown(step.step["hosts"]))


RULES: tuple[Callable[[list[Written]], Iterator[RecipeError]], ...] = (
    names_once,
    known_steps,
    not_itself,
    listed_once,
    function_of_python,
    no_hosts_for_run,
)
