# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Describes a step of a plan in a few words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import shortened
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import describe
from ansible_collections.rack.recipes.plugins.module_utils.language.references import plain, shown
from rack_recipes.plan.plan_model import PlannedStep, Stage
from rack_recipes.recipe.recipe_model import Condition, Repeat, Retry, Sandbox, Step, Success
from rack_recipes.recipe.steps_to_and_from_data import number, to_data

NO_RETRY = Retry()
MOST = 8  # items of a list that are shown

Fact = tuple[str, str]


def marks(planned: PlannedStep) -> Iterator[str]:
    """What is special about a step, a word each."""
    step = planned.step
    words = (
        ("parallel", step.parallel),
        ("always", step.always),
        ("continue on fail", step.continue_on_fail),
        (f"skipped: {planned.skip}", planned.skip),
    )
    return (word for word, holds in words if holds)


def turns(step: Step) -> Iterator[str]:
    """The fields that decide whether and how often a step runs, a word each."""
    words = (
        ("when", step.when is not True),
        ("loop", step.loop is not None or step.matrix),
        ("retry", step.retry != NO_RETRY),
        ("repeat", step.repeat),
        ("cache", step.cache_key),
    )
    return (word for word, holds in words if holds)


def stage_marks(stage: Stage) -> Iterator[str]:
    """The host that runs a stage for others, the user that it runs as, and the locks that it holds."""
    if stage.delegate_to:
        yield f"through {_one_line(stage.delegate_to)}"
    if stage.become:
        yield f"as {stage.become}"
    if stage.locks:
        yield f"holds {', '.join(stage.locks)}"


def facts(planned: PlannedStep) -> Iterator[Fact]:
    """The properties of a step as name and text, the most important ones first."""
    step = planned.step
    words = (
        ("hosts", step.hosts or ""),
        ("depends on", ", ".join(need.label for need in planned.depends_on)),
        ("after", ", ".join(planned.after)),
        ("reads", ", ".join(planned.reads)),
        ("writes", ", ".join(planned.writes)),
        ("when", _when(step.when)),
        ("loop", _loop(step)),
        ("retry", _retry(step.retry)),
        ("repeat", _repeat(step.repeat)),
        *(("checks", text) for text in _checks(step.success)),
        ("locks", ", ".join(step.locks)),
        ("limits", _pairs(to_data(step.limits))),
        ("sandbox", _sandbox(step.sandbox)),
        ("cache", _cache(step)),
        ("priority", str(step.priority or "")),
        ("tags", ", ".join(step.tags)),
    )
    return ((name, _one_line(text)) for name, text in words if text)


def _one_line(text: str) -> str:
    """Text of a recipe on one line, without characters that control a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def conditions(these: Iterable[Condition]) -> str:
    """Conditions in words, joined by `and`."""
    return " and ".join(describe(dict(condition)) for condition in these)


def seconds(value: float) -> str:
    """A time in seconds, as text."""
    return f"{number(value)} s"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _when(when: bool | str | tuple[Condition, ...]) -> str:
    if isinstance(when, str):
        return when
    return ("" if when else "never") if isinstance(when, bool) else conditions(when)


def _loop(step: Step) -> str:
    if step.loop is not None:
        return _items(step.loop)
    return "; ".join(f"{name}: {_items(values)}" for name, values in step.matrix.items())


def _items(values: Iterable[Any] | str) -> str:
    """The first few items of a list; of a reference its name."""
    if isinstance(values, str):
        return plain(values)
    items = [item if isinstance(item, str) else shortened(shown(item)) for item in values]
    more = [f"... {len(items)} in all"] if len(items) > MOST else []
    return ", ".join([*items[:MOST], *more]) or "nothing"


def _retry(retry: Retry) -> str:
    return _listed(
        (f"{retry.max} tries", retry.max not in (None, 1)),
        (f"{seconds(retry.delay_sec)} apart", retry.delay_sec),
        (f"each pause {number(retry.backoff)} times as long", retry.backoff != 1),
        (f"on {' and '.join(retry.on)}", retry.on != NO_RETRY.on),
        (f"until {conditions(retry.until)}", retry.until),
        (f"for {seconds(retry.deadline_sec or 0)}", retry.deadline_sec),
    )


def _repeat(repeat: Repeat | None) -> str:
    if repeat is None:
        return ""
    return _listed(
        (f"{repeat.count} rounds", repeat.count),
        (f"for {seconds(repeat.for_sec or 0)}", repeat.for_sec),
        (f"{seconds(repeat.delay_sec)} apart", repeat.delay_sec),
        (f"until {conditions(repeat.until)}", repeat.until),
    )


def _checks(success: Success) -> Iterator[str]:
    yield "nothing" if success.none else ", ".join(success.ctx_has_keys)
    yield from (describe(dict(condition)) for condition in success.values)


def _sandbox(sandbox: Sandbox | None) -> str:
    if sandbox is None:
        return ""
    allowed = _listed(("the network", sandbox.network), (f"writing {', '.join(sandbox.write)}", sandbox.write))
    return f"allows {allowed}" if allowed else "strict"


def _cache(step: Step) -> str:
    if step.cache_key is None:
        return ""
    expires = step.cache_key.expires_sec
    return step.cache_key.key + (f", for {seconds(expires)}" if expires is not None else "")


def _listed(*phrases: tuple[str, object]) -> str:
    return ", ".join(text for text, holds in phrases if holds)
