# SPDX-License-Identifier: GPL-3.0-or-later

"""Compiles a plan to a playbook, with its three kinds of plays: run, close and verdict; a stage is one task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from operator import attrgetter
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS as CRITERIA
from rack_recipes.plan.compile.action_names import CONTROLLER, DELEGATES_LOOKUP, FLUSH, RECIPE_VARIABLE, STAGE, VERDICT
from rack_recipes.plan.compile.yaml_text import TEMPLATE, to_yaml, verbatim
from rack_recipes.plan.plan_model import Plan, PlannedHook, Stage
from rack_recipes.recipe.recipe_model import BETWEEN, Condition, Recipe, Step
from rack_recipes.recipe.steps_to_and_from_data import COMPILED_ORDER, number, param_to_data, to_data


def compiled_step(step: Step) -> dict[str, Any]:
    """A step as a stage's task holds it."""
    data = to_data(step)
    return {name: data[name] for name in COMPILED_ORDER if name in data}


def compiled_recipe(plan: Plan) -> dict[str, Any]:
    """What holds for all steps."""
    recipe = plan.recipe
    pairs = (
        ("params", {param.name: param_to_data(param) for param in recipe.params.values()} or None),
        ("hooks", _hooks(plan.hooks) or None),
        ("locks", {lock.name: to_data(lock) for lock in recipe.locks.values()} or None),
        ("canary", recipe.canary and to_data(recipe.canary)),
        ("serial", (recipe.serial[0] if len(recipe.serial) == 1 else recipe.serial) or None),
        ("time_box", number(recipe.time_box)),
        ("priority", _highest_priority(plan) if recipe.time_box is not None else None),
        ("fail_fast", recipe.fail_fast or None),
        ("limits", [*recipe.limits] or None),
        ("context", _of_context(recipe) or None),
        ("options", to_data(plan.options) or None),
        ("order", _order_in_file(plan)),
    )
    return {name: value for name, value in pairs if value is not None}


def _order_in_file(plan: Plan) -> list[str] | None:
    """The steps as they stand in the file, where neither their idx nor the order in which they run tells it."""
    planned = {step.name for step in plan.steps}
    order = [step.name for step in plan.recipe.steps if step.name in planned]
    return None if order == [step.name for step in sorted(plan.steps, key=attrgetter("idx"))] else order


def _of_context(recipe: Recipe) -> dict[str, Any]:
    fields: dict[str, Any] = {"merge": dict(recipe.merge), "persist": [*recipe.persist]}
    return {name: value for name, value in fields.items() if value}


def _highest_priority(plan: Plan) -> int | None:
    """The priority of the steps that a time box spares; None where all have the same, and it spares none."""
    found = {planned.priority for planned in plan.steps if not planned.always}
    return max(found) if len(found) > 1 else None


def _hooks(hooks: Iterable[PlannedHook]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for planned in hooks:
        found.setdefault(planned.when, []).append(to_data(planned.hook))
    return found


ON_CONTROLLER = {"run_once": True, "delegate_to": CONTROLLER}
ONCE: Mapping[str, Mapping[str, Any]] = {"run": ON_CONTROLLER, **{scope: {"run_once": True} for scope in BETWEEN}}
TITLE_LENGTH = 100
RESERVED = ("all", "always", "never", "tagged", "untagged")
# Words of a condition whose text is never a template.
LITERAL = ("name", "unit", *(word for word, criterion in CRITERIA.items() if criterion.takes == "text"))


def to_task(recipe: Recipe, stage: Stage) -> dict[str, Any]:
    """The task that runs a stage."""
    names = [planned.name for planned in stage.steps]
    locks = {name: to_data(recipe.locks[name]) for name in stage.locks}
    return {
        "name": _title(stage.number, names),
        STAGE: {
            "number": stage.number,
            **({"locks": locks} if locks else {}),
            "steps": [*map(_step, stage.steps)],
        },
        **(ONCE.get(stage.scope, {})),
        **({"delegate_to": stage.delegate_to} if stage.delegate_to else {}),
        **_become(stage.become),
        "tags": _tags(stage),
    }


def _title(number: int, names: list[str]) -> str:
    title = f"Stage {number}, {', '.join(names)}"
    if len(title) <= TITLE_LENGTH:
        return title
    return f"Stage {number}, {len(names)} steps from {names[0]} to {names[-1]}"


def _become(user: str) -> dict[str, Any]:
    if not user:
        return {}
    return {"become": True} if user == "root" else {"become": True, "become_user": user}


def _tags(stage: Stage) -> list[str]:
    """The names of the steps and their tags, without the tags that have a meaning of their own in Ansible."""
    tags = dict.fromkeys(tag for planned in stage.steps for tag in (planned.name, *planned.tags))
    return [tag for tag in tags if tag not in RESERVED]


def _step(planned: Step) -> dict[str, Any]:
    """A compiled step. Text that must not be taken for a template is marked."""
    data = compiled_step(planned)
    return {name: VERBATIM_TEXTS[name](value) if name in VERBATIM_TEXTS else value for name, value in data.items()}


def _conditions(value: object) -> Any:
    """Conditions with their plain texts marked. Anything else, such as a template for them, stays as it is."""
    return [*map(_condition, value)] if isinstance(value, (list, tuple)) else value


def _condition(condition: Condition) -> dict[str, Any]:
    return {word: _limits(word, value) for word, value in condition.items()}


def _limits(word: str, value: Any) -> Any:
    if word == "warn":
        return _condition(value)
    return verbatim(value) if word in LITERAL else value


def _in(part: str) -> Callable[[Any], Any]:
    """Marks the texts of the conditions under one key of a mapping."""

    def mark(value: object) -> Any:
        if not isinstance(value, Mapping) or part not in value:
            return value
        return {**value, part: _conditions(value[part])}

    return mark


VERBATIM_TEXTS: Mapping[str, Callable[[Any], Any]] = {
    "when": _conditions,
    "retry": _in("until"),
    "repeat": _in("until"),
    "success": _in("values"),
    "cache_key": verbatim,
}
Play = dict[str, Any]
_HEAD = """\
# Compiled by rack-recipes: change the recipe, not this file.
# {}
---
"""
# Ansible must not stop at a failure: the plan decides what a failed step blocks.
KEEP_GOING = {"ignore_errors": True, "ignore_unreachable": True}
ALL_HOSTS, BATCHES, DELEGATES = "all hosts", "batches", "delegates"  # kinds of plays that run stages


def to_playbook(plan: Plan) -> str:
    """The playbook's text. The same recipe and scriptlets give the same bytes."""
    return _HEAD.format(_comment(plan.recipe.path)) + "\n".join(to_yaml([play]) for play in to_plays(plan))


def to_plays(plan: Plan) -> tuple[Play, ...]:
    """The playbook as data: the plays that run the stages, the play that closes the run, and the verdict."""
    variables = {"vars": {RECIPE_VARIABLE: _recipe_variable(plan)}}
    return (*_runs(plan, variables), _close(plan, variables), _verdict(plan.recipe))


def _comment(path: str) -> str:
    return path if path.isprintable() else ascii(path)


def _runs(plan: Plan, variables: Play) -> Iterator[Play]:
    """The plays that run the stages.

    Stages that wait for other hosts cannot run in batches: they get separate plays. A stage that delegates run for many
    hosts at once has a play of its own, too.
    """
    recipe = plan.recipe
    batched = bool(recipe.serial or recipe.canary)
    running = (stage for stage in plan.stages if not stage.always)
    for kind, stretch in groupby(running, key=lambda stage: _kind_of_play(stage, batched=batched)):
        stages = [*stretch]
        if kind == BATCHES:
            yield from _batches(recipe, stages, variables)
        elif kind == DELEGATES:
            yield from (_delegated(recipe, stage, variables) for stage in stages)
        else:
            yield _run(recipe, stages, variables, which="all hosts" if batched else "")


def _kind_of_play(stage: Stage, *, batched: bool) -> str:
    if batched:
        return BATCHES if stage.scope == "host" and not stage.wide else ALL_HOSTS
    return DELEGATES if stage.is_grouped else ALL_HOSTS


def _delegated(recipe: Recipe, stage: Stage, variables: Play) -> Play:
    """The play of a stage that delegates run. Its hosts are one for each delegate; the task runs the stage for all."""
    hosts = f"{{{{ query('{DELEGATES_LOOKUP}', {stage.number}, {_pattern_without_run(recipe.hosts)}) }}}}"
    return {**_run(recipe, [stage], variables, which="a host for each delegate"), "hosts": hosts}


def _batches(recipe: Recipe, stages: Sequence[Stage], variables: Play) -> Iterator[Play]:
    """The plays for stages in batches: the canary first, then the others, in the sizes that the recipe gives."""
    canary = recipe.canary
    if canary is None:
        yield _run(recipe, stages, {**_serial(recipe.serial), **variables}, which="in batches")
    elif canary.hosts:
        for mark, which in (("&", "canary"), ("!", "other hosts")):
            play = _run(recipe, stages, {**_serial(recipe.serial), **variables}, which)
            yield {**play, "hosts": _combined(recipe.hosts, mark + canary.hosts)}
    else:
        batches = (canary.count or 1, *(recipe.serial or ("100%",)))
        yield _run(recipe, stages, {**_serial(batches), **variables}, which="canary first")


def _serial(batches: Sequence[int | str]) -> Play:
    return {"serial": batches[0] if len(batches) == 1 else batches} if batches else {}


def _combined(hosts: str, pattern: str) -> str | list[str]:
    """The hosts pattern with another one added; a list where a `:` between them could be misread."""
    if "{{" in hosts or "::" in hosts:
        return [hosts, pattern]
    return f"{hosts}{',' if ',' in hosts else ':'}{pattern}"


def _run(recipe: Recipe, stages: Sequence[Stage], keywords: Play, which: str) -> Play:
    first, last = stages[0].number, stages[-1].number
    numbers = f"stage {first}" if first == last else f"stages {first} to {last}"
    play = _play("Run", recipe, f"{numbers}, {which}" if which else "")
    return {**play, **KEEP_GOING, **keywords, "tasks": [to_task(recipe, stage) for stage in stages]}


def _close(plan: Plan, variables: Play) -> Play:
    closing = [to_task(plan.recipe, stage) for stage in plan.stages if stage.always]
    flush = {"name": "Bring the results into the store", FLUSH: {}, **ON_CONTROLLER, "tags": ["always"]}
    report = {
        "name": "Write the report",
        "ansible.builtin.include_role": {"name": "rack.recipes.report", "apply": {"tags": ["always"]}},
        "run_once": True,
        "when": "rack_recipes_report | default(false) | bool",
        "tags": ["always"],
    }
    needed = variables if closing else {}
    return {**_play("Close", plan.recipe), **KEEP_GOING, **needed, "tasks": [*closing, flush, report]}


def _verdict(recipe: Recipe) -> Play:
    """The play that fails the hosts that did not pass, and no others: each task starts a process for each host."""
    fail = {"name": "Fail the host for its reasons", VERDICT: {}, "tags": ["always"]}
    hosts = f"{{{{ query('rack.recipes.not_passed', {_pattern_without_run(recipe.hosts)}) }}}}"
    return {**_play("Verdict", recipe, "hosts that did not pass"), "hosts": hosts, "tasks": [fail]}


def _pattern_without_run(hosts: str) -> str:
    """The pattern that a lookup answers where there is no run, as in a syntax check.

    A template or a quote cannot be written inside of another template: Ansible doubles each backslash there.
    """
    return "'all'" if any(sign in hosts for sign in "{'\\") else f"'{hosts}'"


def _play(what: str, recipe: Recipe, which: str = "") -> Play:
    """A play with a name. Braces in it are broken up: linters reject a name that is marked `!unsafe`."""
    name = ", ".join(filter(None, (f"{what} {recipe.test_meta.test_id}", which)))
    return {"name": TEMPLATE.sub("{ ", name), "hosts": recipe.hosts, "gather_facts": False}


def _recipe_variable(plan: Plan) -> dict[str, Any]:
    """What the run has to know of the recipe beside its steps. Hooks and the canary's hosts may hold templates."""
    data = compiled_recipe(plan)
    templates = {name: data.pop(name) for name in ("hooks", "canary") if name in data}
    return {**verbatim({**_meta(plan.recipe), **data}), **templates}


def _meta(recipe: Recipe) -> dict[str, Any]:
    meta = recipe.test_meta
    pairs = (
        ("path", recipe.path),
        ("digest", recipe.digest),
        ("test_id", meta.test_id),
        ("tester", meta.tester),
        ("description", meta.description),
        ("labels", meta.labels),
        ("references", meta.references),
        ("derived", {name: asdict(derived) for name, derived in recipe.derived.items()}),
    )
    return {name: value for name, value in pairs if value}
