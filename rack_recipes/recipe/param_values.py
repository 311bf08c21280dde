# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of a recipe's parameters: types and limits, defaults, and references to parts that they do not have.

The values of parameters are known before anything runs, so nobody has to wait for the step.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import check_value
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import (
    LIMITS,
    PATIENCE,
    UndecidedError,
    judge,
)
from ansible_collections.rack.recipes.plugins.module_utils.language.references import (
    OPENINGS,
    follow_path,
    names_in,
    parse_reference,
)
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from rack_recipes.errors import RecipeErrors, UsageError
from rack_recipes.recipe.recipe_model import Condition, Param, Step
from rack_recipes.recipe.recipe_node import REFERENCE_FIELDS
from rack_recipes.recipe.steps_to_and_from_data import PARAM_LIMITS, to_data
from rack_recipes.recipe.substitution import REFERENCE, Budget, Substitution, SubstitutionError
from rack_recipes.recipe.values_in_messages import closest, listed, quoted, shown
from rack_recipes.recipe.yaml.reader import read_value
from rack_recipes.settings import TRUTHS

OF, TYPE = "of", "type"  # words of `Param.also` beside limits
MASK = "********"
TRY_MATCH = "import json, re, sys; re.fullmatch(*json.load(sys.stdin))"
NO_NAMES = SecretNames()
NUMBER = re.compile(r"[-+]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][-+]?[0-9]{1,4})?")
INTEGER = re.compile(r"[-+]?[0-9]{1,400}")


class WrongError(ValueError):
    """A value that a parameter does not accept: what was expected, and what was found."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got


class DefaultError(WrongError):
    """A default that is wrong once its references are filled in; has the name of the parameter."""

    def __init__(self, name: str, expected: str, got: str) -> None:
        super().__init__(expected, got)
        self.name = name


def values_of_params(
    declared: Mapping[str, Param],
    given: Mapping[str, object],
    *,
    texts: bool,
    names: SecretNames = NO_NAMES,
    where: Callable[[str], str] = lambda _name: "",
) -> dict[str, Any]:
    """The value of every declared parameter: the given one, or the default with references to others filled in.

    With `texts`, a text is converted to the parameter's type, as values of a command line are: `12` to a number, YAML
    or JSON to a list or a mapping. Raises UsageError with all mistakes: unknown names, and values that are missing, of
    another type, or outside of their limits. It shows no values of secret parameters, nor of those that have one of
    the `names` of secrets. `where` is asked what to write before a message about a name that was given.
    """
    declared = {name: replace(param, secret=param.secret or names.match(name)) for name, param in declared.items()}
    problems = [*unknown_params(declared, given, where)]
    found: dict[str, Any] = {}
    for param in declared.values():
        if param.name not in given:
            missing = f"parameter {param.name!r}: expected {KINDS[param.type]}, got no value, and it has no default"
            missing += f" (--param {param.name}=...)"
            problems += [missing] if param.required else []
            continue
        try:
            found[param.name] = value_of(param, given[param.name], texts=texts)
        except WrongError as error:
            problems.append(f"{where(param.name)}parameter {param.name!r}: {error}")
    if problems:
        raise UsageError("\n".join(problems))
    try:
        filled = defaults(declared, found)
        every = {**found, **{name: _known_default(declared[name], value) for name, value in filled.items()}}
    except DefaultError as error:
        raise UsageError(f"parameter {error.name!r}, by its default: {error}") from None
    whole = {name: every[name] for name in declared}
    if beyond := [*beyond_includes(declared, whole)]:
        raise UsageError("\n".join(beyond))
    return whole


def beyond_includes(declared: Mapping[str, Param], found: Mapping[str, object]) -> Iterator[str]:
    """What included recipes would refuse of the values that they get."""
    for name in found:
        for place, wanted in declared[name].also.items():
            text = wanted.get(OF, f"${{params.{name}}}")
            if names_in(text, "params") - found.keys():  # the others are given elsewhere
                continue
            try:
                _check_limits(wanted, Substitution(found).fill(text))
            except (SubstitutionError, WrongError) as error:
                include, _dot, inner = place.rpartition(".")
                is_secret = any(each not in declared or declared[each].secret for each in names_in(text, "params"))
                part = "which" if OF not in wanted else f"of which {quoted(text)}"
                what = f"parameter {name!r}, {part} is {inner!r} of the include {include!r}"
                yield f"{what}: expected {error.expected}, got {MASK if is_secret else error.got}"


def _check_limits(wanted: Condition, value: object) -> None:
    """Raise WrongError for a value that an included recipe would refuse."""
    limits = {word: bound for word, bound in wanted.items() if word in PARAM_LIMITS}
    if TYPE in wanted:
        convert_value(wanted[TYPE], limits, value, texts=True)
    else:
        within_limits(limits, value)


def unknown_params(
    declared: Mapping[str, Param], given: Mapping[str, object], where: Callable[[str], str] = lambda _name: ""
) -> Iterator[str]:
    """The names of parameters that the recipe does not have, as messages; `where` as in `values`."""
    for name in map(str, given):
        if name not in declared:
            near = closest(name, tuple(declared))
            known = f" (did you mean {near!r}?)" if near else f" ({listed(declared) or 'it has none'})"
            yield f"{where(name)}expected the name of a parameter of the recipe, got {quoted(name)}{known}"


def value_of(param: Param, value: object, *, texts: bool = False) -> Any:
    """A value converted for a parameter. Raises WrongError, which does not show the value of a secret."""
    try:
        return convert_value(param.type, param.limits, value, texts=texts)
    except WrongError as error:
        raise WrongError(error.expected, MASK if param.secret else error.got) from None


def convert_value(kind: str, limits: Mapping[str, object], value: object, *, texts: bool) -> Any:
    """A value of a type, within limits; with `texts`, a text is converted first. Raises WrongError."""
    read = READERS[kind](value) if texts and isinstance(value, str) else value
    return within_limits(limits, typed(kind, read))


def typed(kind: str, value: object) -> Any:
    """A copy of a value as plain data of a type. Raises WrongError where it is of another type."""
    if value is None or not FITS[kind](value):
        raise WrongError(KINDS[kind], shown(value) if isinstance(value, PLAIN) else f"a {type(value).__name__}")
    try:
        plain = check_value(value)
    except ValueError as error:
        raise WrongError(KINDS[kind], str(error)) from None
    return int(plain) if kind == "int" else plain


def within_limits(limits: Mapping[str, object], value: object) -> Any:
    """The value. Raises WrongError with the first limit that it does not meet."""
    for word, bound in limits.items():
        try:
            if word == "matches":
                _await_match(bound, value)
            verdict = judge({word: bound}, value)[0]
        except UndecidedError as error:
            raise WrongError(in_words(word, bound), f"{shown(value)}, of which nobody can tell: {error}") from None
        except ValueError:  # such a limit cannot be applied to such a value; the check of the declaration reports it
            continue
        if verdict != "passed":
            raise WrongError(in_words(word, bound), shown(value))
    return value


def _await_match(pattern: object, value: object) -> None:
    """Raise UndecidedError where this thread cannot be interrupted, as in a server, and the match takes too long.

    Python's `re` would also hold up all other threads meanwhile, so another process tries it.
    """
    is_here = threading.current_thread() is threading.main_thread()
    if not is_here and isinstance(pattern, str) and isinstance(value, str):
        _try_match(pattern, value)


@lru_cache(maxsize=1024)
def _try_match(pattern: str, value: str) -> None:
    import subprocess  # only a server pays for this import

    command = [sys.executable, "-I", "-S", "-c", TRY_MATCH]
    try:
        given = json.dumps([pattern, value])
        subprocess.run(command, input=given, text=True, timeout=PATIENCE, check=False, capture_output=True)
    except subprocess.TimeoutExpired:
        raise UndecidedError(f"matches: {pattern} took more than {PATIENCE:g} s: say it simpler") from None


def in_words(word: str, bound: object) -> str:
    """What a limit expects, for an error message."""
    is_pattern = LIMITS[word].takes == "text"
    words = listed(map(shown, bound)) if isinstance(bound, list) else bound if is_pattern else plain_shown(bound)
    return f"{LIMITS[word].expected} {words}"


def plain_shown(value: object) -> str:
    """A number or a text, for an error message."""
    return shown(value).removeprefix("the number ")


def defaults(
    declared: Mapping[str, Param], given: Mapping[str, object], budget: Budget | None = None
) -> dict[str, Any]:
    """The defaults of the parameters that are not given, with references to other parameters filled in.

    Raises DefaultError where a default is then of the wrong type or outside of its limits.
    """
    found: dict[str, Any] = {}
    waiting = {name: param.default for name, param in declared.items() if name not in given and not param.required}
    while ready := [name for name, value in waiting.items() if not names_in(value, "params") & waiting.keys()]:
        filling = Substitution({**given, **found}, budget or Budget())
        found |= {name: default_of(declared[name], waiting.pop(name), filling) for name in ready}
    return found


def default_of(param: Param, default: object, filling: Substitution) -> Any:
    """A default with its references to parameters filled in. Raises DefaultError."""
    try:
        value = filling.fill(default)
        return value if is_open(value) else value_of(param, value)
    except (SubstitutionError, WrongError) as error:
        raise DefaultError(param.name, error.expected, error.got) from None


def _known_default(param: Param, value: object) -> Any:
    """A default all of whose parameters have values: what looks like a reference in one of these is data."""
    try:
        return value_of(param, value)
    except WrongError as error:
        raise DefaultError(param.name, error.expected, error.got) from None


def is_open(value: object) -> bool:
    """Whether a value becomes known only later, since it holds a reference or a Jinja expression."""
    if isinstance(value, str):
        return any(sign in value for sign in OPENINGS)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(is_open, items))


def whole_number(text: str) -> Any:
    """A whole number, or the text where it is none."""
    return int(text) if INTEGER.fullmatch(text.strip()) else text


def number(text: str) -> Any:
    """A number, or the text where it is none."""
    return whole_number(text) if not NUMBER.fullmatch(text.strip()) or INTEGER.fullmatch(text.strip()) else float(text)


def truth(text: str) -> Any:
    """True or false, or the text where it is neither."""
    return TRUTHS.get(text.strip().casefold(), text)


def structure(text: str) -> Any:
    """The value that a text is as YAML, or the text where it is no YAML."""
    try:
        return read_value(text)
    except RecipeErrors:
        return text


PLAIN = (str, int, float, list, dict, type(None))
KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}
FITS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1,
    "float": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "bool": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "dict": lambda value: isinstance(value, dict),
}
READERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": whole_number,
    "float": number,
    "bool": truth,
    "list": structure,
    "dict": structure,
}


def missing_param_parts(
    steps: Iterable[Step], declared: Mapping[str, Param], values: Mapping[str, object], mask: Mask
) -> Iterator[str]:
    """A message for each reference of `steps` to a part that these values of parameters do not have.

    The messages show of values what `mask` lets through. A step with `when` is left out: its condition may be what
    keeps it from running without that part.
    """
    nested = {name: value for name, value in values.items() if isinstance(value, dict | list)}
    for step in steps if nested else ():
        if step.when is True:
            data = to_data(step)
            fields = {name: data[name] for name in REFERENCE_FIELDS if name in data}
            told = (one for text in texts_in(fields) for one in _missing(text, declared, nested, mask))
            yield from (f"{step.place}: step {step.name!r}: {one}" for one in told)


def texts_in(value: object) -> Iterator[str]:
    """Each text in a value, names of mappings apart."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts_in(part)


def _missing(text: str, declared: Mapping[str, Param], values: Mapping[str, object], mask: Mask) -> Iterator[str]:
    for match in REFERENCE.finditer(text):
        word, path, _host = parse_reference(match) or ("", [], "")
        if word != "params" or not path or path[0] not in values:
            continue
        name, *rest = path
        if _why_not(name, values[name], rest):
            shown = "" if declared[name].secret else _why_not(name, mask.mask_value(values[name]), rest)
            yield f"{match[0]}: {shown or 'it has no such part'}"


def _why_not(name: str, value: object, path: list[str]) -> str:
    """Why a parameter has no such part, empty where it has."""
    try:
        follow_path(f"params.{name}", value, path)
    except ValueError as error:
        return str(error)
    return ""
