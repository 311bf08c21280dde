# SPDX-License-Identifier: GPL-3.0-or-later

"""The survey of a job template of AWX: a question for each parameter of a recipe.

What AWX takes is in its source: awx/api/views/__init__.py (JobTemplateSurveySpec), awx/main/models/mixins.py
(SurveyJobTemplateMixin) and awx/main/constants.py, release 24.6.1. Questions know texts, whole numbers, numbers, one of
several texts, and passwords; limits are whole numbers. All else is said in the question's description, and is
checked where it always is: when the recipe is compiled for a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from rack_recipes.errors import Place, RecipeError, RecipeErrors
from rack_recipes.recipe.param_values import KINDS, NO_NAMES, OF, in_words, is_open
from rack_recipes.recipe.recipe_model import Param, Recipe
from rack_recipes.recipe.steps_to_and_from_data import PARAM_LIMITS
from rack_recipes.recipe.substitution import as_text

Question = dict[str, Any]

TEXT, TEXTAREA, PASSWORD, CHOICE = "text", "textarea", "password", "multiplechoice"
QUESTIONS = {"str": TEXT, "int": "integer", "float": "float", "bool": CHOICE, "list": TEXTAREA, "dict": TEXTAREA}
WITH_BOUNDS = ("integer", "float")
TRUTHS = ("true", "false")
TAKEN = ("awx_", "tower_")  # AWX sets variables of its own that begin so: awx/main/constants.py
WRITTEN = {"list": "as YAML or JSON, such as [a, b]", "dict": "as YAML or JSON, such as {a: 1}"}


def survey_of(recipe: Recipe, names: SecretNames = NO_NAMES) -> dict[str, Any] | None:
    """The survey of a recipe; None where it has no parameters, since AWX takes no survey without questions.

    Parameters with one of the `names` of secrets are asked for as passwords, too. Raises RecipeErrors for names that
    AWX uses itself.
    """
    if wrong := [*_refused_names(recipe)]:
        raise RecipeErrors(wrong)
    params = (replace(param, secret=param.secret or names.match(name)) for name, param in recipe.params.items())
    questions = [question_of(param) for param in params]
    return {"name": "", "description": "", "spec": questions} if questions else None


def _refused_names(recipe: Recipe) -> Iterator[RecipeError]:
    for name in recipe.params:
        if name.lower().startswith(TAKEN):
            place = recipe.places.get(("params", name, -1), Place(recipe.path))
            yield RecipeError(
                place,
                f"a name that begins neither with {' nor with '.join(TAKEN)}",
                f"{name!r}: AWX gives such variables to every job",
            )


def question_of(param: Param) -> Question:
    """The question of a parameter, with its default and those limits that AWX knows."""
    limits = [*_limits_of(param)]
    choices = _choices(param, limits)
    kind = PASSWORD if param.secret else CHOICE if choices else _kind(param)
    bounds = _bounds(limits) if kind in WITH_BOUNDS else {}
    unsaid = [
        in_words(word, bound) for word, bound in limits if word not in bounds and not (choices and word == "one_of")
    ]
    default = _default(param, kind, choices)
    return {
        "type": kind,
        "question_name": param.description or param.name,
        "question_description": _about(param, unsaid),
        "variable": param.name,
        "required": param.required,
        **({"choices": choices} if kind == CHOICE else {}),
        **bounds,
        **({} if default is None else {"default": default}),
    }


def _limits_of(param: Param) -> Iterator[tuple[str, Any]]:
    """The limits of a parameter, and those of the included recipes that get its whole value."""
    for condition in (param.limits, *(wanted for wanted in param.also.values() if OF not in wanted)):
        yield from ((word, bound) for word, bound in condition.items() if word in PARAM_LIMITS)


def _kind(param: Param) -> str:
    is_long = isinstance(param.default, str) and "\n" in param.default
    kind = QUESTIONS[param.type]
    return TEXTAREA if is_long else TEXT if kind == CHOICE else kind


def _choices(param: Param, limits: list[tuple[str, object]]) -> list[str]:
    """The texts to choose from; empty where there are none, or where AWX could not hold one of them."""
    if param.secret:
        return []
    if param.type == "bool":
        return [*TRUTHS]
    values = next((bound for word, bound in limits if word == "one_of" and isinstance(bound, list)), [])
    texts = [*map(as_text, values)]
    return texts if all(map(_is_choice, texts)) else []


def _is_choice(text: str) -> bool:
    """Whether AWX keeps a text as it is: it splits choices at the ends of lines, and drops blank ones."""
    return bool(text) and text == text.strip() and len(text.splitlines()) == 1


def _bounds(limits: list[tuple[str, Any]]) -> dict[str, int]:
    """The bounds of a number that are whole: AWX takes no others."""
    found: dict[str, int] = {}
    for word, narrower in (("min", max), ("max", min)):
        bounds = [bound for own, bound in limits if own == word]
        if bounds and all(_is_whole(bound) for bound in bounds):
            found[word] = int(narrower(bounds))
    return found


def _is_whole(bound: object) -> bool:
    return isinstance(bound, (int, float)) and not isinstance(bound, bool) and bound == bound // 1


def _default(param: Param, kind: str, choices: list[str]) -> Any:
    """The answer that a question begins with; None for none. AWX takes an empty text for none."""
    if param.required or param.secret or is_open(param.default) or param.default == "":
        return None
    default = param.default if kind in WITH_BOUNDS else as_text(param.default)
    return None if choices and default not in choices else default


def _about(param: Param, unsaid: list[str]) -> str:
    """What a question's fields do not say: the parameter's name and type, further limits, an open default."""
    kind = KINDS[param.type] + (f" {WRITTEN[param.type]}" if param.type in WRITTEN else "")
    parts = [f"{param.name}: {kind}", *dict.fromkeys(unsaid)]
    if not param.required and is_open(param.default):
        parts.append(f"without an answer {as_text(param.default)}")
    return "; ".join(parts)
