# SPDX-License-Identifier: GPL-3.0-or-later

"""The values that an include gives to the parameters of the included recipe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.references import names_in
from rack_recipes.errors import RecipeError
from rack_recipes.recipe import check_and_build
from rack_recipes.recipe.param_values import (
    KINDS,
    OF,
    TYPE,
    DefaultError,
    WrongError,
    defaults,
    is_open,
    value_of,
    within_limits,
)
from rack_recipes.recipe.recipe_model import Condition, Param, Path
from rack_recipes.recipe.recipe_node import Node
from rack_recipes.recipe.substitution import REFERENCE, Substitution, SubstitutionError
from rack_recipes.recipe.values_in_messages import closest, listed, quoted
from rack_recipes.recipe.yaml.reader import Document
from rack_recipes.recipe.yaml.values_and_positions import KEY

EXPECTED_REFERENCE = "a reference to a secret parameter, such as ${params.password}"
OF_PARAMS = re.compile(r"\$\{params\.[^${}\s@]+\}")
WIDER = {("int", "float")}  # pairs of types: the second one takes all values of the first


class OuterParams:
    """The parameters of the recipe that is run, and the limits that included recipes set for them."""

    def __init__(self, params: Mapping[str, Param]) -> None:
        self.params = params
        self.also: dict[str, dict[str, Condition]] = {}
        self._known = known_defaults(params)

    def referenced(self, value: object) -> Param | None:
        """The parameter that a value refers to; None where the value is more than such a reference."""
        whole = REFERENCE.fullmatch(value) if isinstance(value, str) else None
        word, _dot, name = whole[1].partition(".") if whole else ("", "", "")
        return self.params.get(name) if word == "params" else None

    def pass_on(self, source: Param, param: Param, inner: str) -> None:
        """Pass the value of parameter `source` on to `param` of an included recipe, whose name is `inner`.

        It has to keep the limits of both. Raises WrongError where type or default do not suit.
        """
        value = quoted(f"${{params.{source.name}}}")
        if source.type != param.type and (source.type, param.type) not in WIDER:
            raise WrongError(KINDS[param.type], f"{value}, which is {KINDS[source.type]}")
        if not param.limits:
            return
        self.also.setdefault(source.name, {})[inner] = param.limits
        default = self._known.get(source.name)
        if default is not None and not is_open(default):
            try:
                within_limits(param.limits, default)
            except WrongError as error:
                raise WrongError(error.expected, f"{value}, which is {error.got} by default") from None

    def require(self, value: object, param: Param, inner: str) -> None:
        """Note that a value made of parameters goes to `param`. It is checked when the run starts and it is known."""
        names = names_in(value, "params")
        if names and names <= self.params.keys() and not is_open(OF_PARAMS.sub("", json.dumps(value))):
            self.also.setdefault(min(names), {})[inner] = {OF: value, TYPE: param.type, **param.limits}


def known_defaults(params: Mapping[str, Param]) -> Mapping[str, Any]:
    """The defaults that are known already. One that is wrong is no error here, since it may never be needed."""
    try:
        return defaults(params, {})
    except DefaultError:
        return {name: param.default for name, param in params.items()}


def include_values(
    include: Node, document: Document, substitution: Substitution, outer: OuterParams, prefix: str
) -> tuple[dict[str, Any], list[RecipeError]]:
    """The values for the parameters of the recipe in `document` by name, and what is wrong with them.

    `substitution` has the parameters of the file in which `include` is. The names of the included steps begin with
    `prefix`.
    """
    declared = check_and_build.build_params(document)
    given = include.data.get("params", {})
    found: dict[str, Any] = {}
    errors = [*name_errors(include, declared, document.places.file)]
    for name in given:
        if name in declared:
            try:
                value = substitution.fill(given[name], ("params", name))
                found[name] = accepted(declared[name], value, outer, prefix + name)
            except SubstitutionError as error:
                errors.append(include.error(existing_path(include, error.path), error.expected, error.got))
            except WrongError as error:
                errors.append(include.error(("params", name), error.expected, error.got))
    if not errors:
        try:
            found |= accepted_defaults(declared, found, substitution, outer, prefix)
        except DefaultError as error:
            place = document.places["params", error.name, "default"]
            errors.append(RecipeError(place, error.expected, error.got))
    return found, errors


def existing_path(node: Node, path: Path) -> Path:
    """The path, or the nearest one above it that exists in the file: a substituted value has no place there."""
    ends = (path[:end] for end in range(len(path), 0, -1))
    return next((end for end in ends if (*node.path, *end) in node.document.places), ())


def name_errors(include: Node, declared: Mapping[str, Param], file: str) -> Iterator[RecipeError]:
    """Parameters that the recipe does not have, and values that are missing."""
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


def accepted(param: Param, value: object, outer: OuterParams, inner: str) -> Any:
    """The value as the parameter takes it. Raises WrongError. A value that is not known yet is checked when it is."""
    source = outer.referenced(value)
    if param.secret and not (source and source.secret):
        raise WrongError(EXPECTED_REFERENCE, "another value")
    if source:
        outer.pass_on(source, param, inner)
    else:
        outer.require(value, param, inner)
    return value if is_open(value) else value_of(param, value)


def accepted_defaults(
    declared: Mapping[str, Param],
    given: Mapping[str, object],
    substitution: Substitution,
    outer: OuterParams,
    prefix: str,
) -> dict[str, Any]:
    """The defaults of all other parameters, which may refer to given values. Raises DefaultError."""
    found = defaults(declared, given, substitution.budget)
    for name, value in found.items():
        try:
            accepted(declared[name], value, outer, prefix + name)
        except WrongError as error:
            raise DefaultError(name, error.expected, error.got) from None
    return found
