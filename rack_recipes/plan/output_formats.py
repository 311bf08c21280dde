# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats in which a plan is shown: tree, JSON, Graphviz, Mermaid."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import shortened
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import describe
from ansible_collections.rack.recipes.plugins.module_utils.language.references import value_for_message, without_braces
from rack_recipes.plan.compile.playbook import compiled_recipe, compiled_step
from rack_recipes.plan.members.isolate_faults import MISSED_BY_PAIRS
from rack_recipes.plan.plan_model import Plan, Stage
from rack_recipes.recipe.recipe_model import (
    BETWEEN,
    Canary,
    Condition,
    Lock,
    Param,
    Repeat,
    Retry,
    Sandbox,
    Step,
    Success,
)
from rack_recipes.recipe.steps_to_and_from_data import number, to_data

NO_RETRY = Retry()
MOST = 8  # items of a list that are shown
Fact = tuple[str, str]


def marks(step: Step) -> Iterator[str]:
    """What is special about a step, a word each."""
    words = (
        ("parallel", step.parallel),
        ("always", step.always),
        ("continue on fail", step.continue_on_fail),
        (f"skipped: {step.skip}", step.skip),
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


def facts(step: Step) -> Iterator[Fact]:
    """The properties of a step as name and text, the most important ones first."""
    words = (
        ("hosts", step.hosts or ""),
        *_between(step),
        ("depends on", ", ".join(need.label for need in step.depends_on)),
        ("after", ", ".join(step.after)),
        ("reads", ", ".join(sorted(step.keys.reads))),
        ("writes", ", ".join(sorted(step.keys.writes))),
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


def _between(step: Step) -> Iterator[Fact]:
    if step.scope in BETWEEN:
        isolate = f"who is to blame{f', by {step.isolate.by}' if step.isolate.by else ''}" if step.isolate else ""
        isolate += f"; {MISSED_BY_PAIRS}" if step.isolate and step.scope == "pair" else ""
        said = to_data(step.members) or {}
        yield "members", "" if isolate else said if isinstance(said, str) else _pairs(said)
        yield "looks for", isolate
        yield "serves", step.serve.module if step.serve else ""


def _one_line(text: str) -> str:
    """Text of a recipe on one line, without characters that control a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def conditions(these: Iterable[Condition]) -> str:
    """Conditions in words, joined by `and`."""
    return " and ".join(describe(dict(condition)) for condition in these)


def seconds(value: float) -> str:
    """A time in seconds, as text."""
    return f"{number(value)} s"


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _when(when: bool | str | tuple[Condition, ...]) -> str:
    if isinstance(when, str):
        return when
    return ("" if when else "never") if isinstance(when, bool) else conditions(when)


def _loop(step: Step) -> str:
    if step.loop is not None:
        return _items(step.loop)
    return "; ".join(f"{name}: {_items(values)}" for name, values in step.matrix.items())


def _items(values: Iterable[object] | str) -> str:
    """The first few items of a list; of a reference its name."""
    if isinstance(values, str):
        return without_braces(values)
    items = [item if isinstance(item, str) else shortened(value_for_message(item)) for item in values]
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


Branch = tuple[str, Iterable[Any]]  # a line, and the branches below it


def to_tree(plan: Plan) -> str:
    """The plan as a tree of text."""
    recipe = plan.recipe
    about = ": ".join(filter(None, (recipe.test_meta.test_id, " ".join(recipe.test_meta.description.split()))))
    branches = (*_recipe_branches(plan), *(_stage_branch(plan, stage) for stage in plan.stages))
    return "".join(f"{line}\n" for line in (f"{recipe.path}  {about}", *_lines(branches)))


def _recipe_branches(plan: Plan) -> Iterator[Branch]:
    recipe = plan.recipe
    properties = (
        ("parameters", ", ".join(map(_param, recipe.params.values()))),
        ("canary", _canary(recipe.canary)),
        ("serial", ", then ".join(map(str, recipe.serial))),
        ("time box", seconds(recipe.time_box) if recipe.time_box is not None else ""),
        ("fail fast", "the first step that does not pass ends the run" if recipe.fail_fast else ""),
        ("limits", f"{len(recipe.limits)} out of a file" if recipe.limits else ""),
        ("merge", ", ".join(f"{keys} {policy}" for keys, policy in recipe.merge.items())),
        ("persist", ", ".join(recipe.persist)),
        *((f"lock {lock.name}", _lock(lock)) for lock in recipe.locks.values()),
        *((HOOKS[planned.when], planned.entry.name) for planned in plan.hooks),
    )
    return ((f"{name}: {text}", ()) for name, text in properties if text)


def _param(param: Param) -> str:
    if param.secret:
        return f"{param.name} (secret)"
    return (
        f"{param.name} (required)"
        if param.required
        else f"{param.name} = {shortened(value_for_message(param.default))}"
    )


def _canary(canary: Canary | None) -> str:
    if canary is None:
        return ""
    return f"hosts {canary.hosts}" if canary.hosts else f"{canary.count} host{'' if canary.count == 1 else 's'}"


def _lock(lock: Lock) -> str:
    settle = f", {seconds(lock.settle_sec)} to settle" if lock.settle_sec else ""
    where = {"run": "", "host": " on each host"}.get(lock.of, f" for each {lock.of}")
    return f"{lock.capacity} at once{where}{settle}"


def _stage_branch(plan: Plan, stage: Stage) -> Branch:
    once = "once for the run" if stage.delegate_to else "once for the run, on the controller"
    between = f"between {stage.steps[0].hosts or plan.recipe.hosts}, {stage.scope} by {stage.scope}"
    where = {"run": once, "host": f"hosts {plan.recipe.hosts}"}.get(stage.scope, between)
    why = "" if stage.number == 1 else f"(a new stage: its first step {stage.why})"
    title = "  ".join(filter(None, (f"stage {stage.number}", where, *stage_marks(stage), why)))
    return title, map(_step_branch, stage.steps)


def _step_branch(step: Step) -> Branch:
    title = "  ".join((step.name, f"[{step.type}] {step.uses}", *marks(step)))
    return title, ((f"{name}: {text}", ()) for name, text in facts(step))


def _lines(branches: Iterable[Branch]) -> Iterator[str]:
    whole = list(branches)
    for place, (title, below) in enumerate(whole, start=1):
        last = place == len(whole)
        yield ("└── " if last else "├── ") + title
        for line in _lines(below):
            yield ("    " if last else "│   ") + line


HOOKS = {"pre_step": "before each try", "post_step": "after each try"}
Edge = tuple[str, str, bool, str]  # from, to, whether a failure blocks, and on which hosts where not on this one


def to_dot(plan: Plan) -> str:
    """The plan as a Graphviz graph, a cluster a stage."""
    lines = [f"digraph {_quoted(plan.recipe.test_meta.test_id)} {{", "  rankdir=LR;", "  node [shape=box];"]
    for stage in plan.stages:
        lines += [f"  subgraph cluster_{stage.number} {{", f"    label={_quoted(_title(stage))};"]
        lines += [f"    {_dot_node(step)};" for step in stage.steps] + ["  }"]
    lines += [
        f"  {_quoted(before)} -> {_quoted(after)}{_style(blocks, on)};" for before, after, blocks, on in _edges(plan)
    ]
    return "\n".join([*lines, "}", ""])


def _dot_node(step: Step) -> str:
    features = ", ".join((*marks(step), *turns(step)))
    return _quoted(step.name) + (f" [label={_quoted(step.name, features)}]" if features else "")


def _style(blocks: bool, on: str) -> str:
    if not blocks:
        return " [style=dashed]"
    return f" [label={_quoted(on)}]" if on else ""


def to_mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flowchart, a subgraph a stage."""
    number = {step.name: f"s{index}" for index, step in enumerate(plan.steps, start=1)}
    lines = ["flowchart LR"]
    for stage in plan.stages:
        lines.append(f'  subgraph stage{stage.number}["{_escaped(_title(stage))}"]')
        lines += [f"    {number[step.name]}{_mermaid_node(step)}" for step in stage.steps] + ["  end"]
    for before, after, blocks, on in _edges(plan):
        arrow = ("-->" if blocks else "-.->") + (f'|"{_escaped(on)}"|' if on else "")
        lines.append(f"  {number[before]} {arrow} {number[after]}")
    return "\n".join([*lines, ""])


def _mermaid_node(step: Step) -> str:
    features = ", ".join((*marks(step), *turns(step)))
    return f'["{step.name}{f"<br>{_escaped(features)}" if features else ""}"]'


def _title(stage: Stage) -> str:
    return ", ".join((f"stage {stage.number}", *stage_marks(stage)))


def _edges(plan: Plan) -> Iterator[Edge]:
    for step in plan.steps:
        name = step.name
        yield from ((need.step, name, True, need.where) for need in step.depends_on)
        yield from ((before, name, False, "") for before in step.after)


def _quoted(*lines: str) -> str:
    return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'


def _escaped(text: str) -> str:
    """Text inside a quoted label of Mermaid's, which takes it for Markdown and HTML."""
    return "".join(letter if letter.isalnum() or letter in " ,.:-" else f"#{ord(letter)};" for letter in text)


# Fields of a compiled step that the plan names in another way, or leaves out: arguments may be long, or secret.
LEFT_OUT = frozenset(("module", "function", "args"))


def plan_to_data(plan: Plan) -> dict[str, Any]:
    """The plan as JSON data."""
    recipe = plan.recipe
    return {
        "recipe": recipe.path,
        "digest": recipe.digest,
        "test_id": recipe.test_meta.test_id,
        "hosts": recipe.hosts,
        **compiled_recipe(plan),
        "stages": [*map(_stage_data, plan.stages)],
    }


def _stage_data(stage: Stage) -> dict[str, Any]:
    return {
        "number": stage.number,
        "scope": stage.scope,
        "why": stage.why,
        "become": stage.become,
        "delegate_to": stage.delegate_to,
        "locks": list(stage.locks),
        "kind": stage.kind,
        "always": stage.always,
        "wide": stage.wide,
        "steps": [*map(_step_data, stage.steps)],
    }


def _step_data(step: Step) -> dict[str, Any]:
    data = {
        "name": step.name,
        "idx": step.idx,
        "type": step.type,
        "scriptlet": step.uses,
        "source": step.entry.source if step.entry else "ansible",
        "hosts": step.hosts,
        "scope": step.scope,
        "depends_on": [*map(to_data, step.depends_on)],
        "after": list(step.after),
        "reads": sorted(step.keys.reads),
        "writes": sorted(step.keys.writes),
        "timeout": step.timeout,
        "tries": step.retry.max,
        "parallel": step.parallel,
        "checks": list(step.success.ctx_has_keys),
    }
    more = compiled_step(step).items()
    return {**data, **{name: value for name, value in more if name not in data and name not in LEFT_OUT}}


def to_json(plan: Plan) -> str:
    """The plan as JSON text."""
    return json.dumps(plan_to_data(plan), ensure_ascii=False, indent=2) + "\n"


FORMATS: dict[str, Callable[[Plan], str]] = {"tree": to_tree, "json": to_json, "dot": to_dot, "mermaid": to_mermaid}
