# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an include gives to the parameters of the recipe that it includes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.references import names_in
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RecipeError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe import build_model
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.param_values import (
    KINDS,
    OF,
    TYPE,
    DefaultError,
    WrongError,
    defaults,
    is_open,
    limited,
    value_of,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import Condition, Param, Path
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.rules.node import Node
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.substitution import (
    REFERENCE,
    Substitution,
    SubstitutionError,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.messages import closest, listed, quoted
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.node_positions import KEY
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.yaml.reader import Document

WANTED = "a reference to a secret parameter, such as ${params.password}"
OF_PARAMS = re.compile(r"\$\{params\.[^${}\s@]+\}")
WIDER = {("int", "float")}  # types of which the second takes all values of the first


class OuterParams:
    """The parameters of the recipe that is run, their defaults, and what included recipes ask of them."""

    def __init__(self, params: Mapping[str, Param]) -> None:
        self.params = params
        self.also: dict[str, dict[str, Condition]] = {}
        self._known = known_defaults(params)

    def source(self, value: Any) -> Param | None:
        """The parameter that a value is a reference to, and nothing else."""
        whole = REFERENCE.fullmatch(value) if isinstance(value, str) else None
        word, _dot, name = whole[1].partition(".") if whole else ("", "", "")
        return self.params.get(name) if word == "params" else None

    def give(self, source: Param, param: Param, inner: str) -> None:
        """A parameter's value to one of an included recipe, `inner`, whose limits it has to hold; raises WrongError."""
        value = quoted(f"${{params.{source.name}}}")
        if source.type != param.type and (source.type, param.type) not in WIDER:
            raise WrongError(KINDS[param.type], f"{value}, which is {KINDS[source.type]}")
        if not param.limits:
            return
        self.also.setdefault(source.name, {})[inner] = param.limits
        default = self._known.get(source.name)
        if default is not None and not is_open(default):
            try:
                limited(param.limits, default)
            except WrongError as error:
                raise WrongError(error.expected, f"{value}, which is {error.got} by default") from None

    def ask(self, value: Any, param: Param, inner: str) -> None:
        """What is made of parameters alone, for one of an included recipe: it is known when the run starts."""
        names = names_in(value, "params")
        if names and names <= self.params.keys() and not is_open(OF_PARAMS.sub("", json.dumps(value))):
            self.also.setdefault(min(names), {})[inner] = {OF: value, TYPE: param.type, **param.limits}


def known_defaults(params: Mapping[str, Param]) -> Mapping[str, Any]:
    """The defaults as far as they are known before other values are; one that is wrong may never be needed."""
    try:
        return defaults(params, {})
    except DefaultError:
        return {name: param.default for name, param in params.items()}


@dataclass(slots=True)
class IncludeValues:
    """The values of an included recipe's parameters, and what is wrong with them."""

    found: dict[str, Any]
    errors: list[RecipeError]


def values_of(
    include: Node, document: Document, filling: Substitution, outer: OuterParams, prefix: str
) -> IncludeValues:
    """What `include` gives to a recipe's parameters, references of its own file filled in.

    `prefix` is what the names of its steps begin with.
    """
    declared = build_model.params(document)
    given = include.data.get("params", {})
    values = IncludeValues({}, [*names_errors(include, declared, document.places.file)])
    for name in given:
        if name in declared:
            try:
                value = filling.fill(given[name], ("params", name))
                values.found[name] = taken(declared[name], value, outer, prefix + name)
            except SubstitutionError as error:
                values.errors.append(include.error(stands(include, error.path), error.expected, error.got))
            except WrongError as error:
                values.errors.append(include.error(("params", name), error.expected, error.got))
    if not values.errors:
        try:
            values.found |= taken_defaults(declared, values.found, filling, outer, prefix)
        except DefaultError as error:
            place = document.places["params", error.name, "default"]
            values.errors.append(RecipeError(place, error.expected, error.got))
    return values


def stands(part: Node, path: Path) -> Path:
    """A path of a part, or the nearest above it that stands in its file: what was filled in has no place there."""
    ends = (path[:end] for end in range(len(path), 0, -1))
    return next((end for end in ends if (*part.path, *end) in part.document.places), ())


def names_errors(include: Node, declared: Mapping[str, Param], file: str) -> Iterator[RecipeError]:
    """Parameters that the recipe does not have, and those that it must be given."""
    given = include.data.get("params", {})
    for name in given:
        if name not in declared:
            near = closest(name, tuple(declared))
            known = f" ({listed(declared) or 'it has none'})" if not near else ""
            yield include.error(("params", name, KEY), f"the name of a parameter of {file}{known}", quoted(name), near)
    missing = [name for name, param in declared.items() if param.required and name not in given]
    if missing:
        got = f"only {listed(given)}" if given else "none"
        path = ("params",) if "params" in include.data else ()
        yield include.error(path, f"values of the parameters of {file} without a default: {listed(missing)}", got)


def taken(param: Param, value: Any, outer: OuterParams, inner: str) -> Any:
    """A value as the parameter takes it; raises WrongError. What is known only later is held to its limits then."""
    source = outer.source(value)
    if param.secret and not (source and source.secret):
        raise WrongError(WANTED, "another value")
    if source:
        outer.give(source, param, inner)
    else:
        outer.ask(value, param, inner)
    return value if is_open(value) else value_of(param, value)


def taken_defaults(
    declared: Mapping[str, Param], given: Mapping[str, Any], filling: Substitution, outer: OuterParams, prefix: str
) -> dict[str, Any]:
    """The defaults of all other parameters; raises DefaultError. They may lead to what the include was given."""
    found = defaults(declared, given, filling.budget)
    for name, value in found.items():
        try:
            taken(declared[name], value, outer, prefix + name)
        except WrongError as error:
            raise DefaultError(name, error.expected, error.got) from None
    return found
