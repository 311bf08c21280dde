# SPDX-License-Identifier: GPL-3.0-or-later

"""Conditions on values: whether they hold, how far a value is inside its limits, and both in words."""

from __future__ import annotations

import re

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import shortened
from ansible_collections.rack.recipes.plugins.module_utils.language.exact_numbers import (
    difference,
    distance_inside,
    distance_inside_percent,
    equality_key,
    is_number,
    quantile,
)
from ansible_collections.rack.recipes.plugins.module_utils.language.references import (
    hint,
    resolve,
    value_for_message,
    without_braces,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Optional

    from ansible_collections.rack.recipes.plugins.module_utils.language.exact_numbers import Number
    from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope

    Condition = dict[str, Any]
    Show = Callable[[Any], str]
    Held = tuple[bool, Optional[Number]]  # whether a limit holds, and the distance to it (None without)

PASSED, MARGINAL, FAILED = "passed", "marginal", "failed"
PATIENCE = 5.0  # seconds for a regular expression: some take years on a text of thirty characters


class UndecidedError(ValueError):
    """A regular expression has not come to its end in time: nobody knows whether the text matches."""


def judge(condition: Condition, value: object) -> tuple[str, str, Number | None]:
    """The verdict (`passed`, `marginal` or `failed`), what is wrong, and the distance to the nearest hard limit.

    What is wrong is empty where the verdict is `passed`. The limits under `warn` are not hard. The distance is in the
    unit of the value: positive inside, negative outside, None where there is none, as for texts. Raises ValueError for
    a value or a limit that cannot be compared.
    """
    return _judge(condition, _measured(condition, value))


def evaluate(condition: Condition, scope: Scope) -> dict[str, Any]:
    """The measurement of a criterion, as the journal holds it: name, value, unit, limits, distance and verdict.

    A criterion without a name is named after the value that it refers to. Raises ValueError as `judge` does, and for
    a reference that leads nowhere.
    """
    given = resolve(condition, scope)
    name = given.get("name") or _name(condition)
    return measurement(name if isinstance(name, str) else value_for_message(name), given["value"], given)


def measurement(name: str, value: object, condition: Condition) -> dict[str, Any]:
    """The measurement that `evaluate` returns, for a value that is known and a condition without references."""
    try:
        value = _measured(condition, value)
        verdict, _problem, distance = _judge(condition, value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    limits = {word: condition[word] for word in (*LIMITS, "warn") if word in condition}
    unit = condition.get("unit") or ""
    return {"name": name, "value": value, "unit": unit, "limits": limits, "distance": distance, "verdict": verdict}


def problem(measured: dict[str, Any]) -> str:
    """The name of a measurement of `evaluate` and what is wrong with it; empty where it passed."""
    if measured["verdict"] == PASSED:
        return ""
    return f"{measured['name']}: {_judge({**measured['limits'], 'unit': measured['unit']}, measured['value'])[1]}"


def holds(conditions: Iterable[Condition], scope: Scope) -> str:
    """Empty where all conditions hold, else what is wrong with the first that does not. Raises as `evaluate` does."""
    for condition in conditions:
        found = evaluate(condition, scope)
        if found["verdict"] == FAILED:
            return problem(found)
    return ""


def describe(condition: Condition) -> str:
    """A condition for people, in one line, with its references as they are written."""
    unit = condition.get("unit") or ""

    def show(value: object) -> str:
        return without_braces(value) if isinstance(value, str) and "${" in value else _with_unit(value, unit)

    given = ((word, criterion) for word, criterion in LIMITS.items() if word in condition)
    limits = (f"{word} {criterion.bound_in_words(condition[word], show)}" for word, criterion in given)
    return shortened(f"{without_braces(condition.get('name') or '') or _name(condition)} {', '.join(limits)}")


def _name(condition: Condition) -> str:
    value = condition["value"]
    name = without_braces(value) if isinstance(value, str) else value_for_message(value)
    return f"{name} (quantile {value_for_message(condition['quantile'])})" if "quantile" in condition else name


def _measured(condition: Condition, value: object) -> Any:
    """The value to judge: `value` itself, or with `quantile` that quantile of it.

    Raises ValueError for a quantile that is not from 0 to 1, and for a value that is no list of numbers.
    """
    if "quantile" not in condition:
        return value
    share = condition["quantile"]
    if not is_number(share) or not 0 <= share <= 1:
        raise ValueError(f"quantile: expected a number from 0 to 1, got {value_for_message(share)}")
    if not isinstance(value, list) or not value:
        raise ValueError(f"quantile needs a list of numbers, got {value_for_message(value)}")
    for index, item in enumerate(value):
        if not is_number(item):
            raise ValueError(f"quantile needs a list of numbers, its item {index} is {value_for_message(item)}")
    return quantile(value, share)


def _judge(condition: Condition, value: object) -> tuple[str, str, Number | None]:
    unit = condition.get("unit") or ""
    wrong, distance = _compare({word: bound for word, bound in condition.items() if word not in OTHERS}, value, unit)
    warn = condition.get("warn") or {}
    if not isinstance(warn, dict):
        raise ValueError(f"warn: expected limits, got {value_for_message(warn)}")
    warning = _compare(warn, value, unit)[0] if warn else ""
    if wrong:
        return FAILED, wrong, distance
    return (MARGINAL, f"warn: {warning}", distance) if warning else (PASSED, "", distance)


def _compare(limits: Condition, value: object, unit: str) -> tuple[str, Number | None]:
    """What is wrong by the first limit that fails, in the order of LIMITS, and the smallest distance."""
    if not limits or not limits.keys() <= LIMITS.keys():
        raise ValueError(_not_limits(limits))
    wrong, distances = "", []
    for word, criterion in LIMITS.items():
        if word in limits:
            held, distance = criterion.compare(value, limits[word])
            if distance is not None:
                distances.append(distance)
            if not held and not wrong:
                wrong = _words(word, value, limits[word], unit)
    return wrong, min(distances) if distances else None


def _not_limits(limits: Condition) -> str:
    for word in limits:
        if word not in LIMITS:
            return f"{word} is no limit{hint(word, LIMITS)}"
    return f"expected a limit: {', '.join(LIMITS)}"


def _words(word: str, value: object, bound: object, unit: str) -> str:
    def show(item: object) -> str:
        return _with_unit(item, unit)

    return f"{show(value)} {LIMITS[word].wrong} {LIMITS[word].bound_in_words(bound, show)}"


def _with_unit(value: object, unit: str) -> str:
    return f"{value_for_message(value)} {unit}" if unit and is_number(value) else value_for_message(value)


def _tolerance(bound: object, show: Show) -> str:
    if not isinstance(bound, dict):
        return show(bound)
    reach = show(bound["by"]) if "by" in bound else f"{value_for_message(bound.get('percent'))} %"
    return f"{reach} of {show(bound.get('of'))}"


def _choices(bound: object, show: Show) -> str:
    return ", ".join(map(show, bound)) or "nothing" if isinstance(bound, list) else show(bound)


def _pattern(bound: object, show: Show) -> str:
    return bound if isinstance(bound, str) else show(bound)


def _numbers(word: str, *values: Any) -> None:
    for value in values:
        if not is_number(value):
            raise ValueError(f"{word} needs a number, got {value_for_message(value)}")


def _eq(value: object, bound: object) -> Held:
    return equality_key(value) == equality_key(bound), _nearness(value, [bound])


def _ne(value: object, bound: object) -> Held:
    near = _nearness(value, [bound])
    return equality_key(value) != equality_key(bound), None if near is None else 0 - near


def _min(value: Any, bound: Any) -> Held:
    _numbers("min", value, bound)
    return value >= bound, difference(value, bound)


def _max(value: Any, bound: Any) -> Held:
    _numbers("max", value, bound)
    return value <= bound, difference(bound, value)


def _within(value: Any, bound: object) -> Held:
    if not isinstance(bound, dict) or sorted(bound) not in (["by", "of"], ["of", "percent"]):
        raise ValueError(f"within: expected of, and by or percent, got {value_for_message(bound)}")
    reach = bound["by"] if "by" in bound else bound["percent"]
    _numbers("within", value, bound["of"], reach)
    if reach < 0:
        raise ValueError(f"within: expected by or percent to be at least 0, got {value_for_message(reach)}")
    distance = (distance_inside if "by" in bound else distance_inside_percent)(value, bound["of"], reach)
    return distance >= 0, distance


def _one_of(value: object, bound: object) -> Held:
    if not isinstance(bound, list):
        raise ValueError(f"one_of needs a list, got {value_for_message(bound)}")
    return equality_key(value) in map(equality_key, bound), _nearness(value, bound)


def _nearness(value: Any, bounds: list[Any]) -> Number | None:
    """0 where the value is one of the bounds, else minus its distance to the nearest; None where there is no number."""
    if not is_number(value):
        return None
    return max((0 - abs(difference(value, bound)) for bound in bounds if is_number(bound)), default=None)


def _matches(value: Any, bound: Any) -> Held:
    for text in (value, bound):
        if not isinstance(text, str):
            raise ValueError(f"matches needs a text, got {value_for_message(text)}")
    from ansible_collections.rack.recipes.plugins.module_utils.time_limit import time_limit

    try:
        with time_limit(PATIENCE):
            return re.fullmatch(bound, value) is not None, None
    except TimeoutError as error:
        length = len(value)
        raise UndecidedError(f"matches: {bound} {error} on a text of {length} characters: say it simpler") from None
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"matches: {bound} is no regular expression: {error}") from None


class Criterion:
    """A word of a condition that judges its value. `LIMITS` describes every such word, and nothing else does.

    `compare(value, bound)` returns whether the value holds the bound, and its distance to it. It raises ValueError for
    what cannot be compared. `wrong` stands between value and bound in the message that the bound does not hold.
    `takes` is what the recipe gives as the bound: `any` value, a `number`, a `list`, a `text` without references, or a
    `mapping`. `bound_in_words(bound, show)` returns the bound for people; `show` writes each value in it. `room` is how
    the bound limits a number, from which margins are computed: `low` or `high` for one end of a range, `tolerance` for
    a distance from a number, empty where it does not. `expected` stands before the bound in the message that a
    parameter expects another value; it is empty for a word that may not stand beside a parameter.
    """

    def __init__(
        self,
        compare: Callable[[Any, Any], Held],
        wrong: str,
        takes: str,
        bound_in_words: Callable[[Any, Show], str] = lambda bound, show: show(bound),
        room: str = "",
        expected: str = "",
    ) -> None:
        self.compare = compare
        self.wrong = wrong
        self.takes = takes
        self.bound_in_words = bound_in_words
        self.room = room
        self.expected = expected


LIMITS = {
    "eq": Criterion(_eq, "is not", "any", expected="the value"),
    "ne": Criterion(_ne, "must not be", "any", expected="any other value than"),
    "min": Criterion(_min, "is below min", "number", room="low", expected="at least"),
    "max": Criterion(_max, "is above max", "number", room="high", expected="at most"),
    "within": Criterion(_within, "is not within", "mapping", _tolerance, room="tolerance"),
    "one_of": Criterion(_one_of, "is none of", "list", _choices, expected="one of"),
    "matches": Criterion(_matches, "does not match", "text", _pattern, expected="a text that matches"),
}
OTHERS = ("value", "name", "unit", "quantile", "warn")
