# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the compiled plays to a run: its steps, its hosts, its folder, the first record of its journal."""

from __future__ import annotations

import getpass
import platform
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ansible.release
from ansible import context
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.masking.secret_names import SecretNames
from ansible_collections.rack.recipes.plugins.plugin_utils.context import context_file
from ansible_collections.rack.recipes.plugins.plugin_utils.context.merge_hooks import MergeHooks, load_hooks
from ansible_collections.rack.recipes.plugins.plugin_utils.context.merge_policies import to_record
from ansible_collections.rack.recipes.plugins.plugin_utils.context.run_context import Context
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.reader import JournalReader
from ansible_collections.rack.recipes.plugins.plugin_utils.private_files import make_private
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current_run import RECIPE, Run, RunInputs, RunStep
from ansible_collections.rack.recipes.plugins.plugin_utils.run.param_values import (
    all_secrets,
    masked,
    param_values,
    password_in,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.run.plan_options import RequestedPlan
from ansible_collections.rack.recipes.plugins.plugin_utils.run.recorder.ansible_api import AnsibleApi, Resolve
from ansible_collections.rack.recipes.plugins.plugin_utils.run.recorder.play_outline import PlayOutline, outline
from ansible_collections.rack.recipes.plugins.plugin_utils.run.reuse.reusable_results import ReusableResults
from ansible_collections.rack.recipes.plugins.plugin_utils.run.run_folders import hold
from ansible_collections.rack.recipes.plugins.plugin_utils.run.run_ids import chosen_run_id
from ansible_collections.rack.recipes.plugins.plugin_utils.run.secrets.secret_registry import SecretRegistry
from ansible_collections.rack.recipes.plugins.plugin_utils.settings import Settings
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.payload.pinned_code import Pins, pin
from ansible_collections.rack.recipes.plugins.plugin_utils.trust.check_trust import is_guarded
from ansible_collections.rack.recipes.plugins.plugin_utils.version import VERSION

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.reuse.earlier_run import EarlierRun

META = ("path", "digest", "test_id", "tester", "description")
TOLD = ("labels", "references", "time_box", "fail_fast")  # what the run's record says of the recipe beside these
ASKED = {"check": "check", "limit": "subset", "tags": "tags", "skip_tags": "skip_tags"}  # our word, Ansible's


def begin_run(plays: Sequence[Any], settings: Settings, means: AnsibleApi) -> Run:
    """Start the run of plays with stage tasks.

    Raises UsageError, and no run is begun, where no host or no step is left, a parameter is wrong, or the run to go on
    from cannot be; TrustError where the policy or the lock file does not allow it.
    """
    planned = outline(plays, means.resolve)
    _check(planned, plays)
    recipe = transform_to_native_types(dict(plays[0].vars.get(RECIPE) or {}))
    rules = merge_rules(recipe, settings)
    pin(_checked(plays, planned, recipe, rules, settings, means) if is_guarded(settings) else None)
    wanted = RequestedPlan.of(means.extra_vars)
    declared = recipe.get("params") or {}
    names = SecretNames(settings.secret_keys)
    values = param_values(declared, means.extra_vars, means.fill, names)
    vaulted, problem = means.vaulted(planned.hosts)
    secrets = all_secrets(declared, values, names, vaulted)
    earlier = _earlier(settings, wanted, recipe, planned)
    hooks = load_hooks(rules, [*map(Path, settings.scriptlets)])
    imported = context_file.read(wanted.context) if wanted.context else context_file.ExportedContext()
    given = RunInputs(
        recipe=recipe,
        params=values,
        secrets=secrets,
        mask=Mask([*secrets, *password_in(settings.db), *_known(vaulted, planned.hosts)]),
        warnings=(problem,) if problem else (),
        options={**recipe.get("options", {}), **_asked_of_ansible(), **_asked_of_us(wanted)},
        patterns=planned.patterns,
        canary=_canary(recipe.get("canary") or {}, tuple(planned.hosts), means.resolve),
        unknown_hosts=tuple(host for host in imported.hosts if host not in planned.hosts),
    )
    run = _new_run(settings, planned, given, ReusableResults(earlier))
    run.merges = MergeHooks(hooks)
    run.secret_registry.hide_of_absent(_known(vaulted, vaulted.keys() - planned.hosts))
    for host in planned.hosts:
        run.secret_registry.hide(host, vaulted.get(host, ()))
    merge = to_record(rules, {policy: hook.digest for policy, hook in hooks.items()})
    append(run.path, [{**_first_record(run), **({"merge": merge} if merge else {})}, *_imported(run, imported)])
    if wanted.context:
        run.catch_up()  # the first stage starts with it
    return run


def _checked(
    plays: Sequence[Any],
    planned: PlayOutline,
    recipe: Mapping[str, Any],
    rules: Sequence[tuple[str, str]],
    settings: Settings,
    means: AnsibleApi,
) -> Pins | None:
    """The files that a run may send that a policy or a lock file guards. Raises TrustError."""
    # a run without either does not pay for this import
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.recorder.check_compiled import Compiled, check_plays

    return check_plays(Compiled(plays, planned, recipe, rules), settings, means)


def _known(vaulted: Mapping[str, Sequence[str]], hosts: Iterable[str]) -> Iterator[str]:
    """What these hosts have in vaults."""
    return (text for host in hosts for text in vaulted.get(host, ()))


def _earlier(
    settings: Settings, wanted: RequestedPlan, recipe: Mapping[str, Any], planned: PlayOutline
) -> EarlierRun | None:
    """The run to go on from, if any. Raises UsageError."""
    if not wanted.resume and not wanted.resume_from:
        return None
    # only a run that goes on from one pays for this import
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.reuse.earlier_run import find_earlier

    return find_earlier(Path(settings.runs), wanted.resume, wanted.resume_from, recipe, planned.needs)


def merge_rules(recipe: Mapping[str, Any], settings: Settings) -> tuple[tuple[str, str], ...]:
    """Which policy holds for which keys: the recipe's rules come before those of the settings."""
    said = (recipe.get("context") or {}).get("merge") or {}
    return (*said.items(), *settings.merge)


def _imported(run: Run, imported: context_file.ExportedContext) -> list[dict[str, Any]]:
    """The context to start with, without secrets, as all that is in a journal; steps get what it really was."""
    names, found = SecretNames(run.settings.secret_keys), []
    for record in context_file.deltas(imported, run.hosts, now()):
        value = record["after"]
        texts: list[str] = []
        shown = run.inputs.mask.mask_value(names.mask_key(record["key"], value, texts))
        if shown != value:
            told = {"key": record["key"], "scope": record["scope"], "value": value, "shown": shown}
            run.secret_registry.add(record["host"], [told, *({"secret": text} for text in texts)])
        found.append({**record, "after": shown})
    return found


def _asked_of_us(wanted: RequestedPlan) -> dict[str, str]:
    return {"context": wanted.context} if wanted.context else {}


def _check(planned: PlayOutline, plays: Sequence[Any]) -> None:
    if not planned.hosts:
        said = (play.hosts if isinstance(play.hosts, list) else [play.hosts] for play in plays)
        listed = ", ".join(dict.fromkeys(repr(str(pattern)) for patterns in said for pattern in patterns))
        raise UsageError(f"no host matches {listed} here, see the inventory and --limit")
    if len(planned.left_out) == len(planned.steps):
        raise UsageError(f"no host of this run matches the hosts of any step: {', '.join(planned.left_out)}")


def _canary(said: Mapping[str, Any], hosts: tuple[str, ...], resolve: Resolve) -> tuple[str, ...]:
    """The hosts that go first, in the order of the run."""
    if "hosts" not in said:
        return hosts[: said.get("count", 1)] if said else ()
    named = frozenset(resolve(said["hosts"]))
    return tuple(host for host in hosts if host in named)


def _asked_of_ansible() -> dict[str, Any]:
    """The options of ansible-playbook that say what of a recipe is run, as far as they were given."""
    found = ((word, context.CLIARGS.get(option)) for word, option in ASKED.items())
    given = {word: list(value) if isinstance(value, tuple) else value for word, value in found if value}
    return {word: value for word, value in given.items() if value != ["all"]}


def _new_run(settings: Settings, planned: PlayOutline, given: RunInputs, reusable: ReusableResults) -> Run:
    run_id = chosen_run_id()
    folder = Path(settings.runs) / run_id
    make_private(folder)
    hold(folder)
    journal = JournalReader(folder / JOURNAL)
    hosts = tuple(planned.hosts)
    run = Run(run_id, folder, settings, hosts, planned.steps, Context(run_id), journal, given, reusable)
    run.stages = frozenset(planned.tasks)
    run.secret_registry = SecretRegistry(shared=True)  # before any worker is forked
    return run


def _first_record(run: Run) -> dict[str, Any]:
    recipe, earlier = run.inputs.recipe, run.reusable.earlier
    told = {
        "params": masked(recipe.get("params") or {}, run.inputs.params, run.inputs.mask),
        **{name: recipe.get(name) for name in TOLD},
        "canary": list(run.inputs.canary),
        "options": dict(run.inputs.options),
        "resumes": earlier.run_id if earlier else "",
    }
    return {
        "kind": "run",
        "run": run.run_id,
        "time": now(),
        "recipe": {name: recipe[name] for name in META if name in recipe},
        "hosts": list(run.hosts),
        "steps": [_step(step) for step in run.steps.values()],
        **{name: value for name, value in told.items() if value},
        "controller": socket.gethostname(),
        "user": getpass.getuser(),
        "versions": {
            "rack.recipes": VERSION,
            "ansible-core": ansible.release.__version__,
            "python": platform.python_version(),
        },
    }


def _step(step: RunStep) -> dict[str, Any]:
    names = ("name", "stage", "idx", "scope")
    more = {name: value for name in ("cache_key", "optional") if (value := getattr(step, name))}
    return {**{name: getattr(step, name) for name in names}, "hosts": list(step.hosts), **more}
