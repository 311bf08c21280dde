# SPDX-License-Identifier: GPL-3.0-or-later

"""Expands includes: the steps of a recipe and of all that it includes, as if they were in one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path as FilePath
from typing import Any

from rack_recipes.errors import Place, RecipeError, RecipeErrors
from rack_recipes.recipe import check_and_build
from rack_recipes.recipe.check_and_build import Whole, check_included
from rack_recipes.recipe.includes.include_params import OuterParams, existing_path, include_values
from rack_recipes.recipe.includes.included_files import (
    IncludedFile,
    NoFileError,
    content_of,
    find_included,
    project_of,
    real_path,
)
from rack_recipes.recipe.recipe_model import Condition, Dependency, Lock, Path, Step
from rack_recipes.recipe.recipe_node import REFERENCE_FIELDS, Node
from rack_recipes.recipe.rules.steps import MAX_COMPARED, hosts_of_dependency, not_on_closing_step, unknown_step
from rack_recipes.recipe.steps_to_and_from_data import fields_from_data
from rack_recipes.recipe.substitution import Budget, Substitution, SubstitutionError
from rack_recipes.recipe.values_in_messages import quoted, shown
from rack_recipes.recipe.yaml.reader import MAX_ERRORS, Document, read
from rack_recipes.recipe.yaml.values_and_positions import NodePositions

type Steps = tuple[Step, ...]
type Entries = list[tuple[Node, Steps]]  # the steps and includes of a file, each with the steps that it makes
type Includes = Mapping[str, Steps]  # the steps of each include by its name
type Resolved = dict[tuple[Dependency, bool], tuple[Dependency, ...]]


def duplicate_names(entries: Entries, prefix: str) -> Iterator[RecipeError]:
    """Steps of includes with the name of another step or of an include."""
    first: dict[str, Node] = {}
    for entry, steps in entries:
        names = {*((prefix + entry.name,) if entry.name else ()), *(step.name for step in steps)}
        for name in sorted(names & first.keys()):
            got = f"{quoted(name)} again (first by line {first[name].place(*place_of_name(first[name])).line})"
            yield entry.error(place_of_name(entry), "each step name once", got)
        first |= dict.fromkeys(names - first.keys(), entry)


def place_of_name(entry: Node) -> tuple[str]:
    """Where in an entry of `steps` its name stands; of an include without one, its file."""
    return ("name",) if entry.name else ("include",)


def dependency_errors(entries: Entries, prefix: str) -> Iterator[RecipeError]:
    """What is wrong with dependencies on steps of includes."""
    known: dict[str, Node] = {}
    for entry, steps in entries:
        if entry.is_include:
            ends = bool(steps) and all(step.always for step in steps)
            if entry.name:
                known[entry.name] = Node(entry.document, entry.path, {"always": ends})
            known |= {step.name.removeprefix(prefix): as_node(step, entry) for step in steps}
    own = {entry.name for entry, _steps in entries if not entry.is_include}
    needs = [
        (entry, path, name) for entry, _steps in entries for path, name in entry.dependency_names() if name not in own
    ]
    for entry, path, name in needs:
        if name in known:
            yield from not_on_closing_step(entry, path, name, known)
            yield from hosts_of_dependency(entry, path, name, known)
    unknown = [need for need in needs if need[2] not in known]
    for number, (entry, path, name) in enumerate(unknown):
        yield unknown_step(entry, path, name, (*own, *known), compared=number < MAX_COMPARED)


def as_node(step: Step, include: Node) -> Node:
    """A step of an include as the rules see one, at the place of its include."""
    return Node(include.document, include.path, {"always": step.always, "scope": step.scope})


def resolve_dependencies(steps: Steps, includes: Includes) -> Steps:
    """The steps with dependencies on the steps of includes in place of those on includes."""
    known: Resolved = {}
    return tuple(
        replace(step, depends_on=resolved_dependencies(step, includes, known))
        if any(need.step in includes for need in step.depends_on)
        else step
        for step in steps
    )


def resolved_dependencies(step: Step, includes: Includes, known: Resolved) -> tuple[Dependency, ...]:
    """The dependencies of one step. `known` has those that steps with the same dependency share."""
    parts = []
    for need in step.depends_on:
        if need.step in includes and (need, step.always) not in known:
            known[need, step.always] = tuple(on_each_step(need, includes[need.step], step.always))
        parts.append(known[need, step.always] if need.step in includes else (need,))
    return parts[0] if len(parts) == 1 else tuple(dict.fromkeys(need for part in parts for need in part))


def on_each_step(need: Dependency, steps: Steps, always: bool) -> Iterator[Dependency]:
    """A dependency on each step of an include. Only closing steps can depend on closing ones."""
    for step in steps:
        if always or not step.always:
            yield Dependency(step.name) if step.scope == "run" else replace(need, step=step.name)


MAX_DEPTH = 10  # recipes that include each other
MAX_STEPS = 10_000  # steps that includes make: a few files could ask for more than memory holds
MAX_NAME_LENGTH = 100  # characters of a step's name, as in the schema
INHERITED = ("when", "hosts", "tags", "depends_on")  # fields of an include that its steps get
type When = bool | str | tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class RecipeUse:
    """One use of a recipe file, as the recipe that is run or by one include.

    `substitution` has the values of its parameters. The names of its steps begin with `prefix`; it is empty where no
    include on the way has a name. `chain` has the files that led to it: the recipe that is run first, its own last.
    """

    document: Document
    substitution: Substitution
    prefix: str
    chain: tuple[IncludedFile, ...]


@dataclass(frozen=True, slots=True)
class IncludedPositions(Mapping[Path, Place]):
    """The places in a recipe with includes.

    `own` has those of its file. Values of an included step are at `("included", NAME, ...)`; `steps` has for each such
    step the places of its file and its index there.
    """

    own: NodePositions
    steps: Mapping[str, tuple[NodePositions, int]]

    def __getitem__(self, path: Path) -> Place:
        match path:
            case ("included", str() as name, *rest) if name in self.steps:
                places, index = self.steps[name]
                return places["steps", index, *rest]
        return self.own[path]

    def __iter__(self) -> Iterator[Path]:
        yield from self.own
        for name, (places, index) in self.steps.items():
            yield from places.paths(places.spot(("steps", index)), ("included", name))

    def __len__(self) -> int:
        return sum(1 for _path in self)


def expand(document: Document) -> Whole:
    """The steps of a checked recipe and of all that it includes. Raises RecipeErrors with errors of any file."""
    expansion = Expansion(document)
    steps = expansion.steps(expansion.top)
    if expansion.errors:
        raise RecipeErrors(list(expansion.errors.values())[:MAX_ERRORS])
    locks = {name: lock for name, (lock, _place) in expansion.locks.items()}
    places = IncludedPositions(document.places, expansion.places)
    return Whole(steps, locks, places, expansion.contents, expansion.outer.also)


class Expansion:
    """Reads each included file once, and makes its steps as often as it is included."""

    def __init__(self, document: Document) -> None:
        name = document.places.file
        self.project = project_of(name)
        self.budget = Budget()
        self.top = RecipeUse(document, Substitution({}, self.budget), "", (IncludedFile(name, real_path(name)),))
        self.outer = OuterParams(check_and_build.build_params(document))
        self.files: dict[tuple[str, str], IncludedFile] = {}
        self.documents: dict[FilePath, Document | None] = {}
        self.contents: dict[str, bytes] = {}
        self.errors: dict[tuple[Place, str], RecipeError] = {}
        self.places: dict[str, tuple[NodePositions, int]] = {}
        self.locks: dict[str, tuple[Lock, Place]] = {}
        self.made = 0
        self._add_locks(document)

    def steps(self, use: RecipeUse) -> Steps:
        """The steps of a file in their order, with the names that they have in the whole recipe."""
        entries: Entries = []
        for index, idx, data in check_and_build.numbered(use.document):
            node = Node(use.document, ("steps", index), dict(data))
            made = self._included_steps(use, node, idx) if node.is_include else self._own_step(use, node, idx)
            entries.append((node, made))
        groups = {use.prefix + node.name: steps for node, steps in entries if node.is_include and node.name}
        if any(node.is_include for node, _steps in entries) and not self.errors:
            self._report(duplicate_names(entries, use.prefix))
            self._report(islice(dependency_errors(entries, use.prefix), MAX_ERRORS))
        return resolve_dependencies(
            check_and_build.in_order(step for _part, steps in entries for step in steps), groups
        )

    def _own_step(self, use: RecipeUse, node: Node, idx: int) -> Steps:
        """The step of an entry that is no include."""
        if len(use.chain) == 1:
            return (check_and_build.build_step(node.data, idx, node.place()),)
        self._count_step(node)
        step = check_and_build.build_step(self._substituted(use, node), idx, node.place())
        name = use.prefix + step.name
        needs = tuple(replace(need, step=use.prefix + need.step) for need in step.depends_on)
        hosts = None if step.scope == "run" else step.hosts or use.document.data.get("hosts")
        self.places[name] = (use.document.places, int(node.path[-1]))
        return (replace(step, name=name, depends_on=needs, hosts=hosts),)

    def _included_steps(self, use: RecipeUse, node: Node, idx: int) -> Steps:
        """The steps of an include; none where something is wrong with it."""
        self._count_step(node)
        inner = self._open(use, node)
        if inner is None:
            return ()
        steps = self.steps(inner)
        longest = max((step.name for step in steps), key=len, default="")
        if len(longest) > MAX_NAME_LENGTH:
            expected = f"a name with which those of its steps have at most {MAX_NAME_LENGTH} characters"
            self._report([node.error(place_of_name(node), expected, f"{len(longest)} in {quoted(longest)}")])
        data = self._substituted(use, node)
        outer = fields_from_data(Step, {key: data[key] for key in INHERITED if key in data})
        needs = (replace(need, step=use.prefix + need.step) for need in outer.get("depends_on", ()))
        return tuple(inherit(steps, {**outer, "idx": idx, "depends_on": tuple(needs)}))

    def _open(self, use: RecipeUse, node: Node) -> RecipeUse | None:
        """The recipe that an include names, with the values of its parameters. None where something is wrong."""
        try:
            file = self._find_file(node.data["include"], use.chain)
            document = self._read(file, node.data["include"])
        except NoFileError as error:
            self._report([node.error(("include",), error.expected, error.got, error.near)])
            return None
        if document is None:
            return None
        prefix = f"{use.prefix}{node.name}." if node.name else use.prefix
        of_params = prefix if node.name else f"{use.prefix}{FilePath(file.name).stem}."
        values, errors = include_values(node, document, use.substitution, self.outer, of_params)
        self._report(errors)
        chain = (*use.chain, file)
        substitution = Substitution(values, self.budget)
        return None if errors else RecipeUse(document, substitution, prefix, chain)

    def _find_file(self, path: str, chain: tuple[IncludedFile, ...]) -> IncludedFile:
        """The file at the path of an include. Raises NoFileError, also for a file that includes itself."""
        key = (path, chain[-1].name)
        if key not in self.files:
            self.files[key] = find_included(path, chain[-1].name, self.project)
        file, reals = self.files[key], [other.real for other in chain]
        if file.real in reals:
            names = [other.name for other in chain[reals.index(file.real) :]]
            raise NoFileError(" -> ".join([*names, file.name]), expected="a recipe that does not include itself")
        if len(chain) > MAX_DEPTH:
            raise NoFileError("one more", expected=f"at most {MAX_DEPTH} recipes inside each other")
        return file

    def _read(self, file: IncludedFile, path: str) -> Document | None:
        """The checked data of a file. None where it is wrong; raises NoFileError where it cannot be read."""
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
            self._add_locks(document)
        return self.documents[file.real]

    def _add_locks(self, document: Document) -> None:
        """Add the locks of a file. A lock that two files declare has to be the same in both."""
        for name, lock in check_and_build.build_locks(document.data).items():
            place = document.places["locks", name]
            known, first = self.locks.setdefault(name, (lock, place))
            if known != lock:
                expected = f"the lock {quoted(name)} as it is in {first}"
                self._report([RecipeError(place, expected, "another capacity, of or settle_sec")])

    def _substituted(self, use: RecipeUse, node: Node) -> dict[str, Any]:
        """The data of a step or an include, its references to parameters replaced by their values."""
        data = dict(node.data)
        for key in data.keys() & {*REFERENCE_FIELDS}:
            try:
                data[key] = use.substitution.fill(data[key], (key,))
            except SubstitutionError as error:
                self._report([node.error(existing_path(node, error.path), error.expected, error.got)])
        self._report(list_errors(node, data))
        return data

    def _count_step(self, node: Node) -> None:
        """Count a step that an include makes. Raises RecipeErrors where there are too many."""
        self.made += 1
        if self.made > MAX_STEPS:
            self._report([node.error((), f"at most {MAX_STEPS} steps by includes", "more")])
            raise RecipeErrors(list(self.errors.values())[-MAX_ERRORS:])

    def _report(self, errors: Iterable[RecipeError]) -> None:
        for error in errors:
            self.errors[error.place, error.expected] = error


def list_errors(node: Node, data: dict[str, Any]) -> Iterable[RecipeError]:
    """What is wrong with values of parameters that a step loops over."""
    lists: dict[tuple[str, ...], Any] = {("loop",): data["loop"]} if "loop" in data else {}
    lists |= {("matrix", name): values for name, values in data.get("matrix", {}).items()}
    for path, value in lists.items():
        if not isinstance(value, list) and not (isinstance(value, str) and value.startswith(("${", "{{"))):
            yield node.error(path, "a list, or a reference to one", shown(value))


def inherit(steps: Steps, include: Mapping[str, Any]) -> Iterator[Step]:
    """The steps of an include with what it says for all of them: idx, hosts, tags, condition and dependencies.

    Its hosts replace those of a step. Its dependencies go to the steps that have none of their own.
    """
    for step in steps:
        yield replace(
            step,
            idx=include["idx"],
            depends_on=step.depends_on or include["depends_on"],
            hosts=None if step.scope == "run" else include.get("hosts", step.hosts),
            tags=tuple(dict.fromkeys((*include.get("tags", ()), *step.tags))),
            when=both(include.get("when", True), step.when),
        )


def both(outer: When, inner: When) -> When:
    """The condition that holds where two conditions hold."""
    if outer is True or inner is False:
        return inner
    if inner is True or outer is False:
        return outer
    return (*as_conditions(outer), *as_conditions(inner))


def as_conditions(when: When) -> tuple[Condition, ...]:
    """Conditions as they are; a Jinja expression as one of them."""
    return when if isinstance(when, tuple) else ({"value": when, "eq": True},)
