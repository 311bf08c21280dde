# SPDX-License-Identifier: GPL-3.0-or-later

"""Begins a run: checks the compiled plays, makes the run's folder, and writes the first records of its journal."""

from __future__ import annotations

import platform
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ansible.release
from ansible import context
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from rack_recipes.context import initial_context_file
from rack_recipes.context.merge_hooks import MergeHooks, load_hooks
from rack_recipes.context.merge_policies import to_record
from rack_recipes.context.run_context import Context
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.compressed_journal import journal_exists
from rack_recipes.journal.reader import JournalReader
from rack_recipes.plan.compile.action_names import DELEGATES_LOOKUP, RECIPE_VARIABLE
from rack_recipes.private_files import make_private
from rack_recipes.recipe.recipe_names import PREFIX
from rack_recipes.run.current_run import ReusableResults, Run, RunInputs
from rack_recipes.run.delegates import group_problem
from rack_recipes.run.extra_vars import RequestedPlan, all_secrets, masked, param_values, password_in
from rack_recipes.run.host.module_answers import answer_rules
from rack_recipes.run.host.project_files import Pins, pin
from rack_recipes.run.processes import chosen_run_id, started_by
from rack_recipes.run.recorder.ansible_api import AnsibleApi, Resolve
from rack_recipes.run.recorder.cached_results_and_waivers import find_waivers
from rack_recipes.run.recorder.hosts_of_run import (
    check_canary,
    check_turns,
    host_attributes,
    steps_elsewhere,
    unmatched_patterns,
)
from rack_recipes.run.recorder.play_outline import PlayOutline, outline, stage_tasks
from rack_recipes.run.run_folders import hold_run_until_exit
from rack_recipes.run.run_secrets import SecretRegistry
from rack_recipes.run.trust.check_trust import is_guarded
from rack_recipes.run.unmatched_hosts import no_match
from rack_recipes.settings import WHERE_TO_NAME, Settings
from rack_recipes.version import VERSION

if TYPE_CHECKING:
    from ansible.playbook.play import Play

    from rack_recipes.run.earlier_run import EarlierRun
    from rack_recipes.run.group_meeting import Meeting
    from rack_recipes.run.recorder.group_membership import Membership

TEST_ID = "rack_recipes_test_id"
Join = Callable[[Run], "Meeting"]
"""Takes a place in the group for a run."""
META = ("path", "digest", "test_id", "tester", "description")
# Also in the run's record, where they are set.
OPTIONS_OF_RECIPE = ("labels", "references", "time_box", "fail_fast", "derived")
ANSIBLE_OPTIONS = {"check": "check", "limit": "subset", "tags": "tags", "skip_tags": "skip_tags"}  # our word, Ansible's


class EmptyPartError(UsageError):
    """No host matches in this part of a group. Its journal says so, and `run` is what has it stored."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"no host matches in this part of the group {run.inputs.group['id']}, which is noted there")
        self.run = run


def begin_run(plays: Sequence[Play], settings: Settings, ansible_api: AnsibleApi) -> Run:
    """Start the run of plays with stage tasks.

    Raises UsageError where no host or no step is left, a parameter is wrong, the run to continue cannot be used, hosts
    take turns that stages need together, or the recipe cannot be run in parts, as this run's group asks. Raises
    EmptyPartError for a part without hosts, and TrustError where the policy or the lock file does not allow the run. In
    all cases no run is begun.
    """
    play_outline = outline(plays, ansible_api.resolve)
    group, join = _group(plays, play_outline, settings, ansible_api)
    if group and not play_outline.hosts:
        raise EmptyPartError(_empty_part(plays, play_outline, settings, group, join))
    _check(plays, play_outline, settings, ansible_api)
    canary = (plays[0].vars.get(RECIPE_VARIABLE) or {}).get("canary") or {}
    if "hosts" in canary and not group:  # of a group one part alone has it
        check_canary(canary["hosts"], plays, ansible_api.resolve_whole, ansible_api.groups)
    recipe = _recipe_of(plays, settings, ansible_api)
    rules = merge_rules(recipe, settings)
    pin(_pins(plays, play_outline, recipe, rules, settings, ansible_api) if is_guarded(settings) else None)
    wanted = RequestedPlan.of(ansible_api.extra_vars)
    vaulted, problem = ansible_api.vaulted(play_outline.hosts)
    given = _inputs(plays, play_outline, settings, ansible_api, recipe, vaulted)
    earlier = _earlier(settings, wanted, recipe, play_outline)
    hooks = load_hooks(rules, [*map(Path, settings.scriptlets)])
    imported = initial_context_file.ExportedContext()
    if wanted.context:
        imported = initial_context_file.read_initial_context(wanted.context)
    given = replace(
        given,
        warnings=(*filter(None, [problem]), *given.warnings),
        options={**given.options, **({"context": wanted.context} if wanted.context else {})},
        unknown_hosts=tuple(host for host in imported.hosts if host not in play_outline.hosts),
        group=group,
    )
    run = _new_run(settings, play_outline, given, ReusableResults(earlier))
    if join:
        run.meeting = join(run)
        if not run.meeting.has_canary:
            run.inputs = replace(given, canary=())
    run.merges = MergeHooks(hooks)
    _hide(run, vaulted)
    merge = to_record(rules, {policy: hook.digest for policy, hook in hooks.items()})
    append(run.path, [{**_first_record(run), **({"merge": merge} if merge else {})}, *_imported(run, imported)])
    if wanted.context:
        run.catch_up()  # the first stage starts with it
    return run


def _recipe_of(plays: Sequence[Play], settings: Settings, ansible_api: AnsibleApi) -> dict[str, Any]:
    """What the plays say of the recipe; its test has the name of -e, plays, settings or roles where it says none."""
    recipe = transform_to_native_types(dict(plays[0].vars.get(RECIPE_VARIABLE) or {}))
    named = "" if TEST_ID in ansible_api.extra_vars else _named_by_plays(plays, ansible_api)
    name = recipe.get("test_id") or named or settings.test_id or _roles(plays)
    return {**recipe, **({"test_id": name} if name else {})}


def _named_by_plays(plays: Sequence[Play], ansible_api: AnsibleApi) -> str:
    """The name that plays give their test under `vars`. Raises UsageError for two: all plays are one run."""
    given = [ansible_api.fill(play.vars[TEST_ID]) for play in plays if play.vars.get(TEST_ID)]
    names = [*dict.fromkeys(str(name) for name in given)]
    if len(names) > 1:
        raise UsageError(f"{TEST_ID}: a playbook is one run with one name, and its plays give {' and '.join(names)}")
    return names[0] if names else ""


def unnamed(plays: Sequence[Play], recipe: Mapping[str, object]) -> list[str]:
    """A warning where roles would have named the test, if the playbook had no stage of its own beside them."""
    if recipe.get("test_id") or not any(task._role for play in plays for task in stage_tasks(play)):
        return []
    what = "beside its roles this playbook has stages of its own, so its test has no name, no history and no baseline"
    return [f"{what}: set {TEST_ID} {WHERE_TO_NAME}"]


def _inputs(
    plays: Sequence[Play],
    play_outline: PlayOutline,
    settings: Settings,
    ansible_api: AnsibleApi,
    recipe: dict[str, Any],
    vaulted: Mapping[str, Sequence[str]],
) -> RunInputs:
    """What the run is given: parameters, secrets and their mask, attributes of hosts, waivers, options, the canary."""
    declared, names = recipe.get("params") or {}, SecretNames(settings.secret_keys)
    values = param_values(declared, ansible_api.extra_vars, ansible_api.fill, names)
    secrets = all_secrets(declared, values, names, vaulted)
    own = [*password_in(settings.db), *filter(None, [settings.summary_key, settings.server_token])]  # no host gets them
    mask = Mask([*secrets, *own, *_vault_values(vaulted, play_outline.hosts)])
    attributes = host_attributes(play_outline.hosts, settings, ansible_api, mask)
    waivers, uncounted = find_waivers(settings, recipe, play_outline, ansible_api.resolve, attributes)
    chosen = _ansible_options()
    whole, groups = ansible_api.resolve_whole, ansible_api.groups
    unmatched = [*unmatched_patterns(plays, str(chosen.get("limit", "")), whole, groups)]
    if not settings.group:  # the inventory of a part has its own hosts alone
        unmatched += steps_elsewhere(plays, whole, groups)
    compiled = plays[0].vars.get(RECIPE_VARIABLE) or {}  # as Ansible trusts it
    return RunInputs(
        recipe=recipe,
        params=values,
        role_variables=role_variables(plays, ansible_api.extra_vars, names, mask),
        secrets=secrets,
        mask=mask,
        warnings=(*filter(None, [uncounted]), *unmatched, *unnamed(plays, recipe)),
        waivers=waivers,
        options={**recipe.get("options", {}), **chosen},
        patterns=play_outline.patterns,
        canary=_canary(compiled.get("canary") or {}, tuple(play_outline.hosts), ansible_api.resolve),
        attributes=attributes,
        inventory=tuple(_inventories()),
    )


def _hide(run: Run, vaulted: Mapping[str, Sequence[str]]) -> None:
    """Hide what is in vaults: from each host its own values, from all those of hosts that are not in the run."""
    run.secret_registry.hide_of_absent(_vault_values(vaulted, vaulted.keys() - {*run.hosts}))
    for host in run.hosts:
        run.secret_registry.hide(host, vaulted.get(host, ()))


def role_variables(
    plays: Sequence[Play], extra_vars: Mapping[str, object], names: SecretNames, mask: Mask
) -> dict[str, Any]:
    """The variables of our roles that the plays or -e set, for the record: what was tested depends on them.

    A template stays one, and what the inventory sets belongs to its hosts. Secrets are masked, as in parameters.
    """
    found: dict[str, Any] = {}
    for play in plays:
        for task in stage_tasks(play):
            if (role := task._role) and role.get_name().startswith(PREFIX):
                given = {**play.get_vars(), **role.get_vars(), **task.get_vars(), **extra_vars}
                found.update((name, given[name]) for name in role.get_default_vars() if name in given)
    plain: dict[str, Any] = mask.mask_value(names.mask_named(transform_to_native_types(found), []))
    return plain


def _group(
    plays: Sequence[Play], play_outline: PlayOutline, settings: Settings, ansible_api: AnsibleApi
) -> tuple[dict[str, Any], Join | None]:
    """What the journal says of the group that this run is a part of, empty for none, and how to meet the other parts.

    A recipe that does not need them meets nobody. Raises UsageError.
    """
    # only a part of a group pays for these imports
    if not settings.group and "awx_workflow_job_id" not in ansible_api.extra_vars:
        return {}, None
    from rack_recipes.run.recorder import group_membership
    from rack_recipes.store.writing.record_to_rows import pack_plan

    member = group_membership.find_membership(settings, ansible_api.extra_vars)
    if member is None:
        return {}, None
    whole = outline(plays, ansible_api.resolve_whole)
    recipe = plays[0].vars.get(RECIPE_VARIABLE) or {}
    join = None
    group_membership.check_between(whole.steps.values(), member.group)
    if settings.server:
        join = _join(plays, play_outline, settings, member)
    else:
        group_membership.check_alone(plays, whole, recipe, member.group)
    info: dict[str, Any] = {"parts": member.parts} if member.parts else {}
    if whole.hosts.keys() != play_outline.hosts.keys():
        info["whole"] = pack_plan({"steps": [step.to_record() for step in whole.steps.values()]})
    return {"id": member.group, "part": member.part, "info": info}, join


def _join(plays: Sequence[Play], play_outline: PlayOutline, settings: Settings, member: Membership) -> Join | None:
    """How to meet the other parts; None where they are needed for nothing."""
    # only a part that has a server pays for this import
    from rack_recipes.run.recorder import group_membership

    recipe = plays[0].vars.get(RECIPE_VARIABLE) or {}
    places = group_membership.meeting_places(plays, recipe)
    if places is None:
        return None
    chosen = {name: value for name, value in _ansible_options().items() if name != "limit"}
    about = (str(recipe.get("digest")), chosen)
    return lambda run: group_membership.join_group(
        settings, member, member.part or run.run_id, play_outline, places, run.inputs.canary, about
    )


def _empty_part(
    plays: Sequence[Play], play_outline: PlayOutline, settings: Settings, group: Mapping[str, object], join: Join | None
) -> Run:
    """The run of a part without hosts, which has ended: nobody shall wait for it. Raises UsageError."""
    recipe = transform_to_native_types(dict(plays[0].vars.get(RECIPE_VARIABLE) or {}))
    given = RunInputs(recipe=recipe, options=_ansible_options(), group=group)
    run = _new_run(settings, play_outline, given, ReusableResults(None))
    end = {"kind": "end", "time": now(), "status": "failed", "exit_code": UsageError.exit_code, "counts": {}}
    if join:
        join(run).abandon()
    append(run.path, [_first_record(run), end])
    return run


def _pins(
    plays: Sequence[Play],
    play_outline: PlayOutline,
    recipe: Mapping[str, object],
    rules: Sequence[tuple[str, str]],
    settings: Settings,
    ansible_api: AnsibleApi,
) -> Pins | None:
    """The digests of the files that a run with a policy or a lock file may send. Raises TrustError."""
    # a run without either does not pay for this import
    from rack_recipes.run.recorder.check_lock_and_policy import Compiled, check_plays

    return check_plays(Compiled(plays, play_outline, recipe, rules), settings, ansible_api)


def _vault_values(vaulted: Mapping[str, Sequence[str]], hosts: Iterable[str]) -> Iterator[str]:
    """The values that these hosts have in vaults."""
    return (text for host in hosts for text in vaulted.get(host, ()))


def _earlier(
    settings: Settings, wanted: RequestedPlan, recipe: Mapping[str, object], play_outline: PlayOutline
) -> EarlierRun | None:
    """The run to continue, if there is one. Raises UsageError."""
    if not wanted.resume and not wanted.resume_from:
        return None
    # only a run that continues another one pays for this import
    from rack_recipes.run.earlier_run import find_earlier

    return find_earlier(Path(settings.runs), wanted.resume, wanted.resume_from, recipe, play_outline.steps.values())


def merge_rules(recipe: Mapping[str, Any], settings: Settings) -> tuple[tuple[str, str], ...]:
    """The merge policies with their patterns of keys. Those of the recipe come before those of the settings."""
    rules = (recipe.get("context") or {}).get("merge") or {}
    return (*rules.items(), *settings.merge)


def _imported(run: Run, imported: initial_context_file.ExportedContext) -> list[dict[str, Any]]:
    """The records of the imported context, with secrets masked. The secret registry gives steps the real values."""
    names, found = SecretNames(run.settings.secret_keys), []
    for record in initial_context_file.initial_deltas(imported, run.hosts, now()):
        value = record["after"]
        texts: list[str] = []
        shown = run.inputs.mask.mask_value(names.mask_key(record["key"], value, texts))
        if shown != value:
            entry = {"key": record["key"], "scope": record["scope"], "value": value, "shown": shown}
            run.secret_registry.add(record["host"], [entry, *({"secret": text} for text in texts)])
        found.append({**record, "after": shown})
    return found


def _check(plays: Sequence[Play], play_outline: PlayOutline, settings: Settings, ansible_api: AnsibleApi) -> None:
    """Raise UsageError for what is wrong with the plays: hosts, delegates, turns, the answers of modules.

    What the template of a delegate comes out as is checked by each stage.
    """
    if not play_outline.hosts:
        written = (play.hosts if isinstance(play.hosts, list) else [play.hosts] for play in plays)
        patterns = dict.fromkeys(str(pattern) for patterns in written for pattern in patterns)
        listed = ", ".join(repr(pattern) for pattern in patterns if DELEGATES_LOOKUP not in pattern)
        raise UsageError(no_match(listed, ansible_api.resolve_whole("all"), ansible_api.groups))
    if len(play_outline.left_out) == len(play_outline.steps):
        raise UsageError(f"no host of this run matches the hosts of any step: {', '.join(play_outline.left_out)}")
    for task in (task for play in plays for task in stage_tasks(play)):
        if task.delegate_to and ansible_api.is_only_group(str(task.delegate_to)):
            names = ", ".join(str(step["name"]) for step in task.args["steps"])
            raise UsageError(f"{names}: {group_problem(str(task.delegate_to))}")
    check_turns(plays, play_outline, ansible_api)
    if settings.module_errors:
        answer_rules(settings.module_errors)  # what is wrong with the file is known before anything is run


def _canary(canary: Mapping[str, Any], hosts: tuple[str, ...], resolve: Resolve) -> tuple[str, ...]:
    """The hosts that run first, in the order of the run."""
    if "hosts" not in canary:
        return hosts[: canary.get("count", 1)] if canary else ()
    named = frozenset(resolve(canary["hosts"]))  # a text of our own would be no template to Ansible
    return tuple(host for host in hosts if host in named)


def _ansible_options() -> dict[str, Any]:
    """The options of ansible-playbook that choose what is run, as far as the user has set them."""
    found = ((word, context.CLIARGS.get(option)) for word, option in ANSIBLE_OPTIONS.items())
    given = {word: list(value) if isinstance(value, tuple) else value for word, value in found if value}
    return {word: value for word, value in given.items() if value != ["all"]}


def _inventories() -> list[str]:
    """Where the hosts are from, as the user would name it: files of the working folder without the path to it."""
    here = Path.cwd()
    given = [str(source) for source in context.CLIARGS.get("inventory") or ()]
    return [str(Path(name).relative_to(here)) if Path(name).is_relative_to(here) else name for name in given]


def _new_run(settings: Settings, play_outline: PlayOutline, given: RunInputs, reusable: ReusableResults) -> Run:
    run_id = chosen_run_id()
    folder = Path(settings.runs) / run_id
    make_private(folder)
    hold_run_until_exit(folder)
    if journal_exists(folder / JOURNAL):
        raise UsageError(f"there is a run {run_id} already, to which nothing is added: start this one without an id")
    journal = JournalReader(folder / JOURNAL)
    hosts = tuple(play_outline.hosts)
    run = Run(run_id, folder, settings, hosts, play_outline.steps, Context(run_id), journal, given, reusable)
    run.stages, run.judged = frozenset(play_outline.tasks), play_outline.judged
    run.secret_registry = SecretRegistry(shared=True)  # before any worker is forked
    return run


def _roles(plays: Sequence[Play]) -> str:
    """The names of the roles that all stages come from; empty where one stands in a play itself."""
    roles = {task._role and task._role.get_name() for play in plays for task in stage_tasks(play)}
    return "" if None in roles else " + ".join(sorted(roles))


def _first_record(run: Run) -> dict[str, Any]:
    recipe, earlier = run.inputs.recipe, run.reusable.earlier
    persist = [*((recipe.get("context") or {}).get("persist") or run.settings.persist)]
    optional = {
        "params": {
            **run.inputs.role_variables,
            **masked(recipe.get("params") or {}, run.inputs.params, run.inputs.mask),
        },
        **{name: recipe.get(name) for name in OPTIONS_OF_RECIPE},
        "canary": list(run.inputs.canary),
        "attributes": run.inputs.attributes,
        "options": {**run.inputs.options, **({"persist": persist} if persist else {})},
        "inventory": _inventories(),
        "resumes": earlier.run_id if earlier else "",
        "waivers": run.inputs.waivers.to_record(),
        "group": {**run.inputs.group, "part": run.inputs.group["part"] or run.run_id} if run.inputs.group else {},
    }
    return {
        "kind": "run",
        "run": run.run_id,
        "time": now(),
        "recipe": {name: recipe[name] for name in META if name in recipe},
        "hosts": list(run.hosts),
        "steps": [step.to_record() for step in run.steps.values()],
        **{name: value for name, value in optional.items() if value},
        "controller": socket.gethostname(),
        "user": started_by(),
        "versions": {
            "rack.recipes": VERSION,
            "ansible-core": ansible.release.__version__,
            "python": platform.python_version(),
        },
    }
