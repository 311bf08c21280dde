# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What authors of a recipe should know of it, although it can be run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.language.references import REFERENCE, parse
from rack_recipes.errors import Place
from rack_recipes.plan.check_plan import PlanProblem, located
from rack_recipes.plan.key_usage import CONTEXT
from rack_recipes.plan.plan_model import Plan, PlannedStep
from rack_recipes.recipe.param_values import is_open
from rack_recipes.recipe.recipe_model import Param, Step
from rack_recipes.recipe.recipe_model import Path as ValuePath
from rack_recipes.recipe.yaml.values_in_messages import shown

CHECKS_NOTHING = (
    "the criterion for {} checks nothing, since that is the same in each run: let it refer to a value, such as "
    "${{numbers.stats_v1.mean}}"
)
RUN_BY_SHELL = "the shell runs what {} holds, too, such as $(reboot): {}"
AS_WORD = "let ansible.builtin.command take it as a word of its argv"
QUOTED = "{}, or write {{{{ lookup('rack.recipes.context', '{}'){} | quote }}}} without quotes around it"
QUOTE_IT = "{}, or end the template with | quote, without quotes around it"

# The arguments that a shell gets as a text; of other modules only where they themselves call a shell with `-c`.
TEXTS = ("_raw_params", "cmd", "free_form")
SHELLS = {"shell": TEXTS, "raw": TEXTS, "script": TEXTS, "cron": ("job",)}
CALLS_SHELL = re.compile(r"(?:^|[\s/])(?:ba|da|a|k|z|c|tc)?sh\s+(?:-\S+\s+)*-\w*c\b")
TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
STATEMENT = re.compile(r"\{%.*?%\}", re.DOTALL)
IS_QUOTED = re.compile(r"\|\s*(?:ansible\.builtin\.)?quote\b")
OWN_NAMES = ("index", "step")  # words of a reference whose values the recipe itself gives
NUMBERS = ("bool", "float", "int")  # types of parameters that have nothing for a shell


class PlanNotice(NamedTuple):
    """A notice about what is at a place, such as a step."""

    place: Place
    text: str


def plan_notices(plan: Plan) -> Iterator[PlanNotice]:
    """The notices about a plan's steps, in the order in which these run."""
    found = [notice for planned in plan.steps for notice in _of_step(planned, plan.recipe.params)]
    yield from (PlanNotice(one.place, one.expected) for one in located(plan.recipe, found))


def _of_step(planned: PlannedStep, params: Mapping[str, Param]) -> Iterator[PlanProblem]:
    step = planned.step
    if planned.entry and planned.entry.deprecated:
        yield PlanProblem(step, (), f"{planned.uses} is deprecated: {planned.entry.deprecated}")
    for criterion in step.success.values:
        if not is_open(criterion["value"]):
            yield PlanProblem(step, (), CHECKS_NOTHING.format(shown(criterion["value"])))
    for path, text in _commands(step):
        for value, cure in (*_references(text, step, params), *_templates(text)):
            yield PlanProblem(step, path, RUN_BY_SHELL.format(value, cure))


def _commands(step: Step) -> Iterator[tuple[ValuePath, str]]:
    """The texts among a step's arguments that a shell runs, with their paths."""
    module = step.module.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
    given = {name: value for name, value in step.args.items() if isinstance(value, str)}
    names = SHELLS.get(module, ()) if step.type == "ansible" else ()
    for name, text in given.items():
        if name in names or (name in TEXTS and CALLS_SHELL.search(text)):
            yield ("args", name), text
    words = step.args.get("argv")
    if isinstance(words, (list, tuple)) and all(isinstance(word, str) for word in words):
        for place, word in enumerate(words[1:], start=1):
            if CALLS_SHELL.search(" ".join(words[:place])) and not CALLS_SHELL.search(" ".join(words[: place - 1])):
                yield ("args", "argv", place), word


def _references(text: str, step: Step, params: Mapping[str, Param]) -> Iterator[tuple[str, str]]:
    """The references in a command whose values may hold more than the recipe says, each with what to do."""
    for found in re.finditer(REFERENCE, text):
        word, path, host = parse(found) or ("step", [], "")
        if not _is_known(word, path, step, params):
            at = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path)
            is_key = not host and word not in ("item", "matrix", "params")
            yield found[0], QUOTED.format(AS_WORD, word, at) if is_key else AS_WORD


def _is_known(word: str, path: list[str], step: Step, params: Mapping[str, Param]) -> bool:
    """Whether the recipe itself says what a reference may become."""
    if word == "params":
        param = params.get(path[0])
        return param is not None and (param.type in NUMBERS or bool({"eq", "one_of"} & param.limits.keys()))
    loop: Any = {"item": step.loop, "matrix": [*step.matrix.values()]}.get(word)
    if word in ("item", "matrix"):
        return not isinstance(loop, str) and not is_open([*map(_as_list, loop or ())])
    return word in OWN_NAMES


def _as_list(value: Any) -> Any:
    return [*value] if isinstance(value, tuple) else value


def _templates(text: str) -> Iterator[tuple[str, str]]:
    """The templates in a command that take values of the context and do not quote them, each with what to do."""
    is_in_statement = any(CONTEXT.search(statement) for statement in STATEMENT.findall(text))
    for template in TEMPLATE.findall(text):
        if (is_in_statement or CONTEXT.search(template)) and not IS_QUOTED.search(template):
            yield template, QUOTE_IT.format(AS_WORD)
