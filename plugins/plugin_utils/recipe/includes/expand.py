# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe that includes others -> the steps of all of them, as if they stood in one file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place, RecipeError, RecipeErrors
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe import build_model
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.build_model import Whole
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.includes.find_file import (
    IncludedFile,
    NoFileError,
    content_of,
    find,
    project_of,
    real_path,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.includes.include_dependencies import (
    Entries,
    Steps,
    names_errors,
    released,
    waits_errors,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.includes.include_params import (
    OuterParams,
    stands,
    values_of,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.includes.inherited import within
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.includes.source_positions import AllPositions
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import Lock
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.node import Node
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.substitution import (
    Budget,
    Substitution,
    SubstitutionError,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.validate import check_included
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.messages import quoted, shown
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.node_positions import NodePositions
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import MOST, Document, read

DEEPEST = 10  # recipes inside each other
MOST_STEPS = 10_000  # that includes make: a few files could ask for more than memory holds
LONGEST = 100  # characters of a step's name
FILLED = frozenset(("args", "when", "loop", "matrix", "retry", "repeat", "success"))
OF_INCLUDE = ("when", "hosts", "tags", "depends_on")


@dataclass(frozen=True, slots=True)
class Reading:
    """One use of a recipe file: what its parameters are here, what its names begin with, and how it came in."""

    document: Document
    filling: Substitution
    prefix: str
    chain: tuple[IncludedFile, ...]


def expand(document: Document) -> Whole:
    """All steps of a checked recipe and of those that it includes; raises RecipeErrors, each error in its file."""
    expansion = Expansion(document)
    steps = expansion.steps(expansion.top)
    if expansion.errors:
        raise RecipeErrors(list(expansion.errors.values())[:MOST])
    locks = {name: lock for name, (lock, _place) in expansion.locks.items()}
    places = AllPositions(document.places, expansion.places)
    return Whole(steps, locks, places, expansion.contents, expansion.outer.also)


class Expansion:
    """Reads the files that a recipe includes, each once, and makes steps of them as often as they are included."""

    def __init__(self, document: Document) -> None:
        name = document.places.file
        self.project = project_of(name)
        self.budget = Budget()
        self.top = Reading(document, Substitution({}, self.budget), "", (IncludedFile(name, real_path(name)),))
        self.outer = OuterParams(build_model.params(document))
        self.files: dict[tuple[str, str], IncludedFile] = {}
        self.documents: dict[Path, Document | None] = {}
        self.contents: dict[str, bytes] = {}
        self.errors: dict[tuple[Place, str], RecipeError] = {}
        self.places: dict[str, tuple[NodePositions, int]] = {}
        self.locks: dict[str, tuple[Lock, Place]] = {}
        self.made = 0
        self._take_locks(document)

    def steps(self, reading: Reading) -> Steps:
        """The steps of a file with their whole names, in their order."""
        entries: Entries = []
        for index, idx, data in build_model.numbered(reading.document):
            part = Node(reading.document, ("steps", index), dict(data))
            made = self._included(reading, part, idx) if part.is_include else self._step(reading, part, idx)
            entries.append((part, made))
        groups = {reading.prefix + part.name: steps for part, steps in entries if part.is_include}
        if groups and not self.errors:
            self._report(names_errors(entries, reading.prefix))
            self._report(islice(waits_errors(entries, reading.prefix), MOST))
        return released(build_model.in_order(step for _part, steps in entries for step in steps), groups)

    def _step(self, reading: Reading, part: Node, idx: int) -> Steps:
        """One step that stands in a file itself."""
        if not reading.prefix:
            return (build_model.step_of(part.data, idx, part.place()),)
        self._count(part)
        step = build_model.step_of(self._filled(reading, part), idx, part.place())
        name = reading.prefix + step.name
        needs = tuple(replace(need, step=reading.prefix + need.step) for need in step.depends_on)
        hosts = None if step.scope == "run" else step.hosts or reading.document.data.get("hosts")
        self.places[name] = (reading.document.places, int(part.path[-1]))
        return (replace(step, name=name, depends_on=needs, hosts=hosts),)

    def _included(self, reading: Reading, part: Node, idx: int) -> Steps:
        """The steps that an include stands for, none where something is wrong with it."""
        self._count(part)
        inner = self._opened(reading, part)
        if inner is None:
            return ()
        steps = self.steps(inner)
        longest = max((step.name for step in steps), key=len, default="")
        if len(longest) > LONGEST:
            expected = f"a name with which those of its steps have at most {LONGEST} characters"
            self._report([part.error(("name",), expected, f"{len(longest)} in {quoted(longest)}")])
        filled = self._filled(reading, part)
        outer = build_model.converted({key: filled[key] for key in OF_INCLUDE if key in filled})
        needs = (replace(need, step=reading.prefix + need.step) for need in outer.get("depends_on", ()))
        return tuple(within(steps, {**outer, "idx": idx, "depends_on": tuple(needs)}))

    def _opened(self, reading: Reading, part: Node) -> Reading | None:
        """The recipe that an include names, with the values of its parameters; None where something is wrong."""
        try:
            file = self._file(part.data["include"], reading.chain)
            document = self._document(file, part.data["include"])
        except NoFileError as error:
            self._report([part.error(("include",), error.expected, error.got, error.near)])
            return None
        if document is None:
            return None
        prefix = f"{reading.prefix}{part.name}."
        values = values_of(part, document, reading.filling, self.outer, prefix)
        self._report(values.errors)
        chain = (*reading.chain, file)
        filling = Substitution(values.found, self.budget)
        return None if values.errors else Reading(document, filling, prefix, chain)

    def _file(self, path: str, chain: tuple[IncludedFile, ...]) -> IncludedFile:
        """The file at a path; raises NoFileError, also for one that is being read already."""
        key = (path, chain[-1].name)
        if key not in self.files:
            self.files[key] = find(path, chain[-1].name, self.project)
        file, reals = self.files[key], [other.real for other in chain]
        if file.real in reals:
            names = [other.name for other in chain[reals.index(file.real) :]]
            raise NoFileError(" -> ".join([*names, file.name]), expected="a recipe that does not include itself")
        if len(chain) > DEEPEST:
            raise NoFileError("one more", expected=f"at most {DEEPEST} recipes inside each other")
        return file

    def _document(self, file: IncludedFile, path: str) -> Document | None:
        """The checked data of a file, None where it is wrong; raises NoFileError where it cannot be read."""
        if file.real not in self.documents:
            content = content_of(file, path)
            self.documents[file.real] = None
            try:
                document = read(content, file.name)
                check_included(document)
            except RecipeErrors as errors:
                self._report(errors.errors)
                return None
            self.contents[file.name] = content
            self.documents[file.real] = document
            self._take_locks(document)
        return self.documents[file.real]

    def _take_locks(self, document: Document) -> None:
        """The locks of a file; one that another file has too must be the same."""
        for name, lock in build_model.locks(document.data).items():
            place = document.places["locks", name]
            known, first = self.locks.setdefault(name, (lock, place))
            if known != lock:
                expected = f"the lock {quoted(name)} as it is in {first}"
                self._report([RecipeError(place, expected, "another capacity, of or settle_sec")])

    def _filled(self, reading: Reading, part: Node) -> dict[str, Any]:
        """A step or an include with the values of parameters in place of their references."""
        data = dict(part.data)
        for key in data.keys() & FILLED:
            try:
                data[key] = reading.filling.fill(data[key], (key,))
            except SubstitutionError as error:
                self._report([part.error(stands(part, error.path), error.expected, error.got)])
        self._report(list_errors(part, data))
        return data

    def _count(self, part: Node) -> None:
        """Give up where a few files would make more steps than anybody has a use for."""
        self.made += 1
        if self.made > MOST_STEPS:
            self._report([part.error((), f"at most {MOST_STEPS} steps by includes", "more")])
            raise RecipeErrors(list(self.errors.values())[-MOST:])

    def _report(self, errors: Iterable[RecipeError]) -> None:
        for error in errors:
            self.errors[error.place, error.expected] = error


def list_errors(part: Node, data: dict[str, Any]) -> Iterable[RecipeError]:
    """Values of parameters that a step cannot loop over."""
    lists: dict[tuple[str, ...], Any] = {("loop",): data["loop"]} if "loop" in data else {}
    lists |= {("matrix", name): values for name, values in data.get("matrix", {}).items()}
    for path, value in lists.items():
        if not isinstance(value, list) and not (isinstance(value, str) and value.startswith(("${", "{{"))):
            yield part.error(path, "a list, or a reference to one", shown(value))
