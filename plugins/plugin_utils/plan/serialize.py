# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan in the recipe's own words, as plain data: only what differs from the default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.plan.plan_model import Plan, PlannedHook, PlannedStep
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import (
    CacheKey,
    Dependency,
    Limits,
    Lock,
    Param,
    Retry,
    Step,
    Success,
)

Pairs = Iterable[tuple[str, Any]]

NO_RETRY, NO_LIMITS, NO_SUCCESS = Retry(), Limits(), Success()


def of_step(planned: PlannedStep) -> dict[str, Any]:
    """A step as a compiled stage has it."""
    step = planned.step
    return _there(
        (
            ("name", step.name),
            ("idx", step.idx),
            ("type", None if step.type == "python" else step.type),
            ("module", step.module),
            ("function", step.function or None),
            ("args", step.args or None),
            ("hosts", step.hosts),
            ("scope", None if step.scope == "host" else step.scope),
            ("depends_on", [*map(of_dependency, planned.depends_on)] or None),
            ("after", planned.after or None),
            ("reads", step.reads or None),
            ("writes", step.writes or None),
            *_of_turns(step),
            ("timeout", number(step.timeout)),
            ("parallel", step.parallel or None),
            ("continue_on_fail", step.continue_on_fail or None),
            ("always", step.always or None),
            ("priority", step.priority or None),
            ("tags", step.tags or None),
            ("locks", step.locks or None),
            ("limits", None if step.limits == NO_LIMITS else differing(step.limits)),
            ("sandbox", step.sandbox and (differing(step.sandbox) or True)),
            ("cache_key", _of_cache_key(step.cache_key)),
            ("success", None if step.success == NO_SUCCESS else _of_success(step.success)),
            ("skip", planned.skip or None),
        )
    )


def of_recipe(plan: Plan) -> dict[str, Any]:
    """What holds for all steps."""
    recipe = plan.recipe
    pairs = (
        ("params", {param.name: _of_param(param) for param in recipe.params.values()} or None),
        ("hooks", _of_hooks(plan.hooks) or None),
        ("locks", {lock.name: of_lock(lock) for lock in recipe.locks.values()} or None),
        ("canary", recipe.canary and differing(recipe.canary)),
        ("serial", (recipe.serial[0] if len(recipe.serial) == 1 else recipe.serial) or None),
        ("time_box", number(recipe.time_box)),
        ("priority", _highest(plan) if recipe.time_box is not None else None),
        ("fail_fast", recipe.fail_fast or None),
        ("context", {"merge": dict(recipe.merge)} if recipe.merge else None),
        ("options", differing(plan.options) or None),
    )
    return _there(pairs)


def of_dependency(dependency: Dependency) -> str | dict[str, Any]:
    """A step that is needed: its name, where nothing more is said."""
    return {"step": dependency.step, **differing(dependency)} if dependency.is_wide else dependency.step


def of_lock(lock: Lock) -> dict[str, Any]:
    """How many may hold a lock, and of what there is one."""
    return {"capacity": lock.capacity, "of": lock.of, **differing(lock)}


def where(dependency: Dependency) -> str:
    """On which hosts a step is needed, in words; empty where it is this one."""
    if not dependency.is_wide:
        return ""
    hosts = "all hosts" if dependency.hosts in ("", "all") else dependency.hosts
    return hosts if dependency.quorum is None else f"{dependency.quorum} of {hosts}"


def label(dependency: Dependency) -> str:
    """A step that is needed, in words: `wire`, `wire on all hosts`, `wire on 80% of all hosts`."""
    hosts = where(dependency)
    return f"{dependency.step} on {hosts}" if hosts else dependency.step


def differing(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that have a default and differ from it."""
    pairs = ((name, getattr(value, name), default) for name, default in _defaults(value.__class__))
    return {name: number(there) for name, there, default in pairs if there != default}


def number(value: Any) -> Any:
    """A whole number without its `.0`; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@cache
def _defaults(kind: type) -> tuple[tuple[str, Any], ...]:
    return tuple((part.name, part.default) for part in fields(kind) if part.default is not MISSING)


def _there(pairs: Pairs) -> dict[str, Any]:
    return {name: value for name, value in pairs if value is not None}


def _highest(plan: Plan) -> int | None:
    """The priority of the steps that a time box spares; None where all have the same, and it spares none."""
    found = {planned.step.priority for planned in plan.steps if not planned.step.always}
    return max(found) if len(found) > 1 else None


def _of_turns(step: Step) -> Pairs:
    """Whether, with what, and how often it runs."""
    retry = None if step.retry == NO_RETRY else {"max": step.retry.max, **differing(step.retry)}
    return (
        ("when", None if step.when is True else step.when),
        ("loop", step.loop),
        ("matrix", step.matrix or None),
        ("retry", retry),
        ("repeat", step.repeat and differing(step.repeat)),
    )


def _of_cache_key(cache_key: CacheKey | None) -> str | dict[str, Any] | None:
    if cache_key is None:
        return None
    if cache_key.expires_sec is None:
        return cache_key.key
    return {"key": cache_key.key, "expires_sec": number(cache_key.expires_sec)}


def _of_success(success: Success) -> str | dict[str, Any]:
    return "none" if success.none else differing(success)


def _of_param(param: Param) -> dict[str, Any]:
    default = {} if param.required else {"default": param.default}
    told = _there(
        (("secret", param.secret or None), ("description", param.description or None), ("also", param.also or None))
    )
    return {"type": param.type, **default, **told, **param.limits}


def _of_hooks(hooks: Iterable[PlannedHook]) -> Mapping[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {}
    for planned in hooks:
        hook = planned.hook
        options = {name: value for name, value in (("function", hook.function), ("args", hook.args)) if value}
        kind = {} if hook.type == "python" else {"type": hook.type}
        told.setdefault(planned.when, []).append({"module": hook.module, **kind, **options})
    return told
