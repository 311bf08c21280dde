# SPDX-License-Identifier: GPL-3.0-or-later

"""Prepares a run: reads the recipe and its plan, the parameters, and the earlier run that is resumed."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import stat
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MASKED, SecretNames
from rack_recipes import settings as project
from rack_recipes.cli.argument_parser import hint
from rack_recipes.cli.command_options import plan_options
from rack_recipes.cli.recipes.plan_notices_and_waivers import print_notices
from rack_recipes.cli.running.param_options import params_from_options
from rack_recipes.errors import UsageError
from rack_recipes.plan.compile.playbook_file import plan_of, plan_recipe
from rack_recipes.plan.plan_model import Plan, PlanOptions
from rack_recipes.recipe.param_values import missing_param_parts, unknown_params, values_of_params
from rack_recipes.recipe.recipe_model import Param, Recipe
from rack_recipes.recipe.recipe_names import resolve
from rack_recipes.recipe.steps_to_and_from_data import param_to_data
from rack_recipes.run.extra_vars import GIVEN, secrets_of
from rack_recipes.run.launcher.ansible_playbook import extra_vars, names_hosts
from rack_recipes.run.run_folders import find_here, journal_of, journals, resume_of_part, run_record
from rack_recipes.run.trust.check_trust import is_guarded
from rack_recipes.run.unknown_tags import unknown_tag
from rack_recipes.run_names import runs_back
from rack_recipes.settings import Settings

MOST_NAMED = 8  # steps that are left out
CHOICE = ("only", "skip")  # the options that choose steps


@dataclass(frozen=True, slots=True)
class ResumedRun:
    """An earlier run as it began; `options` are the options of its plan that were given."""

    run_id: str
    recipe: str
    params: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def earlier_run(runs: Path, start: str, recipe: str) -> ResumedRun:
    """Return the run whose id begins with `start`. Raises UsageError if there is none.

    For `last` or an empty `start` it is the newest run, of `recipe` if that is given; for `last~1` the one before it.
    """
    back = runs_back(start)
    if back is None:
        _refuse_group(runs, start)
        journal = journal_of(runs, start)
        found = _begun(journal)
        if found is None:
            raise UsageError(f"{journal}: no run was begun there, so there is nothing to go on with")
        return found
    newest = (found for journal in reversed(journals(runs)) if (found := _begun(journal)))
    found = next(islice((found for found in newest if recipe in ("", found.recipe)), back, None), None)
    if found is None:
        which = f"{f' {start}' if back else ''}{f' of {recipe}' if recipe else ''}"
        raise UsageError(
            f"there is no run{which} in {runs} to go on with: start one with "
            f"`rack-recipes run {recipe or 'RECIPE'}`; `--only STEP` runs a step with all that it needs"
        )
    return found


def _refuse_group(runs: Path, start: str) -> None:
    """Raise UsageError for the id of a group: each controller goes on with its own part."""
    found = find_here(runs, start)
    if found and found.is_group:
        names = ", ".join(journal.parent.name for journal in found.journals)
        newest = found.journals[-1].parent
        how = resume_of_part(newest).replace(newest.name, "PART") or f"--resume PART --group {found.run_id}"
        raise UsageError(
            f"{found.run_id} is a run in several parts, and each is resumed by itself: `{how}`; its parts here: {names}"
        )


def _begun(journal: Path) -> ResumedRun | None:
    record = run_record(journal)
    return _run_of_record(record) if record else None


def _run_of_record(record: Mapping[str, Any]) -> ResumedRun:
    return ResumedRun(
        record["run"], record["recipe"].get("path", ""), record.get("params") or {}, record.get("options") or {}
    )


def plan_resumed(
    recipe: str, settings: Settings, given: PlanOptions, earlier: Mapping[str, object], resume_from: str
) -> Plan:
    """Return the plan of `recipe`; options that are not `given` are those of the earlier run.

    Steps that this call names by --only run with all that they depend on, even if the earlier run left them out. With a
    step to resume from the earlier choice of steps does not count. Raises RecipeErrors, and UsageError if that step
    cannot run.
    """
    options = _inherited(
        given, {name: value for name, value in earlier.items() if not (resume_from and name in CHOICE)}
    )
    plan = plan_of(recipe, settings, options)
    if resume_from:
        names = [step.name for step in plan.recipe.steps]
        if resume_from not in names:
            raise UsageError(f"--resume-from: the recipe has no step {resume_from!r}{hint(resume_from, names)}")
        _check_given(plan.recipe, settings, given, resume_from)
    if not given.only or given.skip or not options.skip:
        return plan
    needed = _names(plan_recipe(plan.recipe, settings, PlanOptions(only=given.only)))
    options = replace(options, skip=tuple(name for name in options.skip if name not in needed))
    return plan if options == plan.options else plan_recipe(plan.recipe, settings, options)


def _inherited(given: PlanOptions, earlier: Mapping[str, Any]) -> PlanOptions:
    return replace(
        given,
        only=given.only or tuple(earlier.get("only", ())),
        skip=given.skip or tuple(earlier.get("skip", ())),
        seed=earlier.get("seed") if given.seed is None else given.seed,
        stepwise=given.stepwise or bool(earlier.get("stepwise")),
        parallel=given.parallel or bool(earlier.get("parallel")),
    )


def _check_given(recipe: Recipe, settings: Settings, given: PlanOptions, step: str) -> None:
    """Raise UsageError if this call's options leave out the step to resume from or a step that it depends on."""
    if given.only and step not in _names(plan_recipe(recipe, settings, PlanOptions(only=given.only))):
        raise UsageError(f"--resume-from {step}: --only leaves out this step")
    if step in given.skip:
        raise UsageError(f"--resume-from {step}: --skip leaves out this step")
    needed = _names(plan_recipe(recipe, settings, PlanOptions(only=(step,))))
    if skipped := [name for name in given.skip if name in needed]:
        raise UsageError(f"--resume-from {step}: --skip leaves out {', '.join(skipped)}, which {step} needs")


def _names(plan: Plan) -> set[str]:
    return {step.name for step in plan.steps}


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
    is_choice_inherited: bool = False

    def left_out(self) -> dict[str, Any]:
        """The steps of the recipe that --only leaves out, and whose choice it was; empty where it leaves out none.

        `words` says both to people. A run that goes on has the choice of the earlier one, which nobody may remember.
        """
        planned, only = _names(self.plan), self.plan.options.only
        steps = [step.name for step in self.plan.recipe.steps if step.name not in planned]
        if not (steps and only):
            return {}
        choice = f"--only {','.join(only)}"
        run_id = self.earlier.run_id if self.earlier and self.is_choice_inherited else ""
        whose = f"left out as in run {run_id} ({choice})" if run_id else f"left out by {choice}"
        words = f"{whose}: {first_few(steps, MOST_NAMED)}"
        return {"steps": steps, "only": list(only), "of_run": run_id, "words": words}


def prepare_run(options: argparse.Namespace) -> PreparedRun:
    """Read and check all options of `run`. Raises RackError, with exit code 2 in the command."""
    _check_ansible_settings()
    variables = extra_vars(options.extra_vars)
    settings = _settings(variables, options)
    _check_group_options(options, settings)
    _check_notify(options, settings)
    options.recipe = resolve(options.recipe)
    earlier = _run_to_resume(options, settings)
    recipe = options.recipe or (earlier.recipe if earlier else "")
    if not recipe:
        raise UsageError("rack-recipes run: expected RECIPE or --resume RUN; see rack-recipes run --help")
    resume_from = options.resume_from or ""
    chosen = plan_options(options)
    plan = _plan(recipe, settings, chosen, earlier, resume_from)
    print_notices(plan)
    if (folder := project.other_project_of(recipe)) and not options.inventory:
        sys.stderr.write(f"{recipe}: inventory and settings of its project do not count here: `cd {folder}` first\n")
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
    _check_limit(options.limit)
    _check_tags(options, plan)
    limit = options.limit or (earlier.options.get("limit") if earlier else None)
    return PreparedRun(settings, plan, params, earlier, resume_from, limit, is_choice_inherited=not chosen.only)


def _check_ansible_settings() -> None:
    """Raise UsageError where Ansible would ignore the project's ansible.cfg, and the inventory that it names."""
    here = Path.cwd()
    if "ANSIBLE_CONFIG" not in os.environ and Path("ansible.cfg").exists() and here.stat().st_mode & stat.S_IWOTH:
        mend = f"chmod o-w {shlex.quote(str(here))}"
        raise UsageError(f"{here}: everyone may write here, so Ansible ignores the ansible.cfg in it: {mend}")


def _check_limit(limit: str | None) -> None:
    """Raise UsageError for a pattern that names no host."""
    if limit is not None and not names_hosts(limit):
        raise UsageError(f"--limit: expected hosts or groups of the inventory, got {limit!r}")


def _check_tags(options: argparse.Namespace, plan: Plan) -> None:
    """Raise UsageError for a word that is no tag or name of a step: Ansible would silently test less, or nothing."""
    steps = plan.recipe.steps
    known = [*dict.fromkeys([*(step.name for step in steps), *(tag for step in steps for tag in step.tags)])]
    for option in ("tags", "skip_tags"):
        words = (word.strip() for word in (getattr(options, option) or "").split(","))
        if problem := unknown_tag(option, words, known):
            raise UsageError(problem)


def _settings(variables: Mapping[str, object], options: argparse.Namespace) -> Settings:
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


def _run_to_resume(options: argparse.Namespace, settings: Settings) -> ResumedRun | None:
    if options.resume is None and options.resume_from is None:
        return None
    return earlier_run(Path(settings.runs), options.resume or "", options.recipe)


def _plan(recipe: str, settings: Settings, given: PlanOptions, earlier: ResumedRun | None, resume_from: str) -> Plan:
    if earlier is None:
        return plan_of(recipe, settings, given)
    # a run that goes on from none does not pay for this import

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


def _params_of_extra_vars(variables: Mapping[str, object]) -> dict[str, Any]:
    """Return the parameters in the extra variable `rack_recipes_params`, which the command would replace otherwise."""
    given = variables.get(GIVEN)
    return dict(given) if isinstance(given, Mapping) else {}


def _known_params(
    declared: Mapping[str, Param],
    given: Mapping[str, object],
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


def _check_param_parts(plan: Plan, known: Mapping[str, object], names: SecretNames) -> None:
    """Raise UsageError where a step refers to a part that a parameter does not have. It shows no secret."""
    declared = plan.recipe.params
    mask = Mask(secrets_of({name: param_to_data(declared[name]) for name in known}, known, names))
    steps = (step for step in plan.steps if not step.skip)
    if missing := [*missing_param_parts(steps, declared, known, mask)]:
        raise UsageError("\n".join(missing))
