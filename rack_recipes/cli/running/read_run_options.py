# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prepares a run: reads the recipe and its plan, the parameters, and the earlier run that is resumed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MASKED, SecretNames
from rack_recipes import settings as project
from rack_recipes.cli.recipes.print_notices import print_notices
from rack_recipes.cli.running.param_options import params_from_options
from rack_recipes.cli.running.resumed_run import ResumedRun, earlier_run
from rack_recipes.cli.shared_options import plan_options
from rack_recipes.errors import UsageError
from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.plan.plan_model import Plan, PlanOptions
from rack_recipes.recipe.param_values import missing_param_parts, unknown_params, values_of_params
from rack_recipes.recipe.recipe_model import Param
from rack_recipes.recipe.steps_to_and_from_data import param_to_data
from rack_recipes.run.extra_vars import GIVEN, secrets_of
from rack_recipes.run.launcher.ansible_playbook import extra_vars
from rack_recipes.run.trust.check_trust import is_guarded
from rack_recipes.settings import Settings


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run that is ready to start.

    `params` are the given parameters, converted to their types. `limit` is the pattern of --limit.
    """

    settings: Settings
    plan: Plan
    params: Mapping[str, Any]
    earlier: ResumedRun | None = None
    resume_from: str = ""
    limit: str | None = None


def prepare(options: argparse.Namespace) -> PreparedRun:
    """Read and check all options of `run`. Raises RackError, with exit code 2 in the command."""
    variables = extra_vars(options.extra_vars)
    settings = _settings(variables, options)
    _check_group_options(options, settings)
    _check_notify(options, settings)
    earlier = _earlier(options, settings)
    recipe = options.recipe or (earlier.recipe if earlier else "")
    if not recipe:
        raise UsageError("rack-recipes run: expected RECIPE or --resume RUN; see rack-recipes run --help")
    resume_from = options.resume_from or ""
    plan = _plan(recipe, settings, plan_options(options), earlier, resume_from)
    print_notices(plan)
    _check_trust(plan, settings)
    declared = plan.recipe.params
    from_options = params_from_options(options.param_file, options.param)
    anew = {**_params_of_extra_vars(variables), **from_options.values}
    given = {**_recorded_params(earlier, declared, anew), **anew}
    names = SecretNames(settings.secret_keys)
    known = _known_params(declared, given, options, names, from_options.place)
    _check_param_parts(plan, known, names)
    params = {name: known[name] for name in given}
    if options.context:  # problems in the file are reported before anything runs
        from rack_recipes.context.initial_context_file import read_initial_context

        read_initial_context(options.context)
    limit = options.limit or (earlier.options.get("limit") if earlier else None)
    return PreparedRun(settings, plan, params, earlier, resume_from, limit)


def _settings(variables: Mapping[str, Any], options: argparse.Namespace) -> Settings:
    settings = project.load(variables)
    return replace(settings, locked=settings.locked or options.locked)


def _check_group_options(options: argparse.Namespace, settings: Settings) -> None:
    """Raise UsageError for options that mean nothing without a group: the whole could not be what the user expects."""
    given = "--parts" if options.parts else "--server" if options.server else ""
    if given and not (options.group or settings.group):
        raise UsageError(f"{given}: expected --group ID beside it, the group that this run is a part of")


def _check_notify(options: argparse.Namespace, settings: Settings) -> None:
    """Raise UsageError where --notify cannot be followed at the end: hours later that helps nobody."""
    if options.notify:
        from rack_recipes.integrations.monitoring.signed_post import target_of

        try:
            target_of(replace(settings, notify_url=options.notify))
        except UsageError as error:
            raise UsageError(f"--notify: {error}") from None


def _check_trust(plan: Plan, settings: Settings) -> None:
    """Raise TrustError if the plan is not allowed. The run itself checks again what is really run, with its hosts."""
    if is_guarded(settings):
        from rack_recipes.run.trust.check_trust import check_run
        from rack_recipes.run.trust.trust_request import request_of_plan

        check_run(request_of_plan(plan, settings), settings)


def _earlier(options: argparse.Namespace, settings: Settings) -> ResumedRun | None:
    if options.resume is None and options.resume_from is None:
        return None
    return earlier_run(Path(settings.runs), options.resume or "", options.recipe)


def _plan(recipe: str, settings: Settings, given: PlanOptions, earlier: ResumedRun | None, resume_from: str) -> Plan:
    if earlier is None:
        return plan_of(recipe, settings, given)
    # a run that goes on from none does not pay for this import
    from rack_recipes.cli.running.plan_resumed import plan_resumed

    return plan_resumed(recipe, settings, given, earlier.options, resume_from)


def _recorded_params(
    earlier: ResumedRun | None, declared: Mapping[str, Param], anew: Collection[str]
) -> dict[str, Any]:
    """Return the earlier run's parameters, without those that are given again and without secrets.

    Raises UsageError for a parameter whose value is masked in the record: its default would be another value.
    """
    held = {name: value for name, value in (earlier.params if earlier else {}).items() if name not in anew}
    kept = {name: value for name, value in held.items() if name in declared and not declared[name].secret}
    if hidden := [name for name, value in kept.items() if MASKED in json.dumps(value)]:
        raise UsageError(f"--resume: no record holds the secret in {', '.join(hidden)}: give it again by --param-file")
    return kept


def _params_of_extra_vars(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters in the extra variable `rack_recipes_params`, which the command would replace otherwise."""
    given = variables.get(GIVEN)
    return dict(given) if isinstance(given, Mapping) else {}


def _known_params(
    declared: Mapping[str, Param],
    given: Mapping[str, Any],
    options: argparse.Namespace,
    names: SecretNames,
    where: Callable[[str], str],
) -> dict[str, Any]:
    """Return the given values, converted to their types, and the defaults of the others. Raises UsageError.

    Extra variables of Ansible may hold parameters that are missing here, so then the others are left out, and only the
    run reports what is missing. `where` says where a value was given, as the beginning of a message.
    """
    may_be_elsewhere = options.extra_vars or any(word.startswith(("-e", "--extra-vars")) for word in options.ansible)
    if not may_be_elsewhere:
        return values_of_params(declared, given, texts=True, names=names, where=where)
    if problems := [*unknown_params(declared, given, where)]:
        raise UsageError("\n".join(problems))
    return values_of_params({name: declared[name] for name in given}, given, texts=True, names=names, where=where)


def _check_param_parts(plan: Plan, known: Mapping[str, Any], names: SecretNames) -> None:
    """Raise UsageError where a step refers to a part that a parameter does not have. It shows no secret."""
    declared = plan.recipe.params
    mask = Mask(secrets_of({name: param_to_data(declared[name]) for name in known}, known, names))
    steps = (one.step for one in plan.steps if not one.skip)
    if missing := [*missing_param_parts(steps, declared, known, mask)]:
        raise UsageError("\n".join(missing))
