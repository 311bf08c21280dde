# SPDX-License-Identifier: GPL-3.0-or-later

"""What the command hands to a run as extra vars.

The values of the recipe's parameters, with the secrets among them, and the options of its plan.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MASKED, SecretNames, secrets_in, texts_of
from rack_recipes.errors import UsageError
from rack_recipes.recipe.steps_to_and_from_data import param_from_data
from rack_recipes.run.run_secrets import secrets_shown_in
from rack_recipes.settings import NAMES, NUMBER, TEXT, TRUTH, converted

if TYPE_CHECKING:
    from rack_recipes.plan.plan_model import PlanOptions
GIVEN = "rack_recipes_params"
NO_NAMES = SecretNames()
URL_PASSWORD = re.compile(r"[a-z0-9+]+://[^/@:]*:(.+)@", re.IGNORECASE)
Declared = Mapping[str, Mapping[str, Any]]


def param_values(
    declared: Declared, extra_vars: Mapping[str, object], fill: Callable[[Any], Any], names: SecretNames = NO_NAMES
) -> dict[str, Any]:
    """The value of each parameter: from `rack_recipes_params`, else from an extra var of its name, else its default.

    A value is data: no template in it is filled in. `fill`, which fills in Ansible's templates, makes plain values of
    those that are encrypted. Raises UsageError with all mistakes; it shows no value with one of the `names` of secrets.
    """
    given = extra_vars.get(GIVEN) or {}
    if not isinstance(given, Mapping):
        raise UsageError(f"{GIVEN} (values of the recipe's parameters): expected a mapping, got {kind_of(given)}")
    if not declared and not given:
        return {}
    # the command must not load Ansible, which runs in a process of its own
    from ansible.utils.unsafe_proxy import wrap_var
    from ansible.utils.vars import transform_to_native_types

    from rack_recipes.recipe.param_values import values_of_params  # 20 ms

    named = {name: extra_vars[name] for name in declared if name in extra_vars}
    filled = transform_to_native_types(fill(wrap_var({**named, **given}))) if named or given else {}
    params = {name: param_from_data(name, data) for name, data in declared.items()}
    return values_of_params(params, filled, texts=True, names=names)


def kind_of(given: object) -> str:
    """The kind of a value that is no mapping. The value itself is not shown, since it may be secret."""
    return "a text" if isinstance(given, str) else "a list" if isinstance(given, Sequence) else "a single value"


def masked(declared: Declared, values: Mapping[str, object], mask: Mask) -> dict[str, Any]:
    """The values with secrets masked, to be shown and stored. A value that contains a secret is masked in part."""
    return {name: MASKED if declared[name].get("secret") else mask.mask_value(value) for name, value in values.items()}


def all_secrets(
    declared: Declared, values: Mapping[str, object], names: SecretNames, vaulted: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The texts that every host has to hide: secrets among the parameters, and values of vaults that these contain."""
    shown = secrets_shown_in({each for found in vaulted.values() for each in found}, values)
    return tuple(sorted({*secrets_of(declared, values, names), *shown}))


def password_in(url: str) -> list[str]:
    """The password in the URL of a database, as it is written and decoded. No host ever needs it."""
    found = URL_PASSWORD.match(url)
    return [] if found is None else [*dict.fromkeys((found.group(1), unquote(found.group(1))))]


def secrets_of(declared: Declared, values: Mapping[str, object], names: SecretNames = NO_NAMES) -> tuple[str, ...]:
    """The secret texts: those of secret parameters, and values with the name of a secret, at any depth."""
    found = {text for name, value in values.items() if declared[name].get("secret") for text in texts_of(value)}
    return tuple(sorted(filter(None, found.union(secrets_in(None, values, names)))))


PLAN = {
    "only": (NAMES, "the steps to run, with all that they need"),
    "skip": (NAMES, "the steps to leave out"),
    "stepwise": (TRUTH, "whether each step is a stage of its own"),
    "parallel": (TRUTH, "whether steps run beside each other wherever they can"),
    "seed": (NUMBER, "the order of independent steps"),
}
REUSE = {
    "resume": (TEXT, "the run to go on from"),
    "resume_from": (TEXT, "STEP: it and all that stands after it in the file runs anew, all before it is reused"),
    "context": (TEXT, "the file with the context to start with"),
}


@dataclass(frozen=True, slots=True)
class RequestedPlan:
    """The run to continue, the step from which all steps run anew, and the file with the context to start with.

    Each is empty where the user has not set it.
    """

    resume: str = ""
    resume_from: str = ""
    context: str = ""

    @classmethod
    def of(cls, variables: Mapping[str, object]) -> RequestedPlan:
        """Read from extra vars. Raises UsageError."""
        return cls(**converted(REUSE, variables))


def plan_options(variables: Mapping[str, object]) -> PlanOptions:
    """The plan's options, which have the same names on the command line. Raises UsageError."""
    from rack_recipes.plan.plan_model import PlanOptions  # 5 ms, which no run needs

    return PlanOptions(**converted(PLAN, variables))
