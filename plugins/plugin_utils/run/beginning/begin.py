# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the compiled plays to a run: its steps, its hosts, its folder, the first record of its journal."""

from __future__ import annotations

import getpass
import platform
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ansible.release
from ansible import context
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.language.masks import Mask
from ansible_collections.rack.recipes.plugins.module_utils.view import now
from ansible_collections.rack.recipes.plugins.plugin_utils.context.context import Context
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append, make_private
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.follow import Follower
from ansible_collections.rack.recipes.plugins.plugin_utils.run.beginning.means import Means, Resolve
from ansible_collections.rack.recipes.plugins.plugin_utils.run.beginning.options import Wanted
from ansible_collections.rack.recipes.plugins.plugin_utils.run.beginning.params import masked, param_values, secrets_of
from ansible_collections.rack.recipes.plugins.plugin_utils.run.beginning.plays import Outline, outline
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import RECIPE, Given, Planned, Run
from ansible_collections.rack.recipes.plugins.plugin_utils.run.folders import hold
from ansible_collections.rack.recipes.plugins.plugin_utils.run.ids import chosen_run_id
from ansible_collections.rack.recipes.plugins.plugin_utils.run.reusing.earlier import find_earlier
from ansible_collections.rack.recipes.plugins.plugin_utils.run.reusing.offers import Reusable
from ansible_collections.rack.recipes.plugins.plugin_utils.settings import Settings
from ansible_collections.rack.recipes.plugins.plugin_utils.version import VERSION

META = ("path", "digest", "test_id", "tester", "description")
TOLD = ("labels", "references", "time_box", "fail_fast")  # what the run's record says of the recipe beside these
ASKED = {"check": "check", "limit": "subset", "tags": "tags", "skip_tags": "skip_tags"}  # our word, Ansible's


def begin(plays: Sequence[Any], settings: Settings, means: Means) -> Run:
    """Start the run of plays with stage tasks.

    Raises UsageError, and no run is begun, where no host or no step is left, a parameter is wrong, or the run to go on
    from cannot be.
    """
    planned = outline(plays, means.resolve)
    _check(planned, plays)
    recipe = transform_to_native_types(dict(plays[0].vars.get(RECIPE) or {}))
    wanted = Wanted.of(means.extra_vars)
    declared = recipe.get("params") or {}
    values = param_values(declared, means.extra_vars, means.fill)
    secrets = secrets_of(declared, values)
    earlier = find_earlier(Path(settings.runs), wanted.resume, wanted.resume_from, recipe, planned.needs)
    given = Given(
        recipe=recipe,
        params=values,
        secrets=secrets,
        mask=Mask(secrets),
        options={**recipe.get("options", {}), **_asked_of_ansible()},
        patterns=planned.patterns,
        canary=_canary(recipe.get("canary") or {}, tuple(planned.hosts), means.resolve),
    )
    run = _new_run(settings, planned, given, Reusable(earlier))
    append(run.path, [_first_record(run)])
    return run


def _check(planned: Outline, plays: Sequence[Any]) -> None:
    if not planned.hosts:
        patterns = ", ".join(dict.fromkeys(repr(play.hosts) for play in plays))
        raise UsageError(f"no host matches {patterns} here, see the inventory and --limit")
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


def _new_run(settings: Settings, planned: Outline, given: Given, reusable: Reusable) -> Run:
    run_id = chosen_run_id()
    folder = Path(settings.runs) / run_id
    make_private(folder)
    hold(folder)
    journal = Follower(folder / "journal.jsonl")
    hosts = tuple(planned.hosts)
    return Run(run_id, folder, settings, hosts, planned.steps, Context(run_id), journal, given, reusable)


def _first_record(run: Run) -> dict[str, Any]:
    recipe, earlier = run.given.recipe, run.reusable.earlier
    told = {
        "params": masked(recipe.get("params") or {}, run.given.params, run.given.mask),
        **{name: recipe.get(name) for name in TOLD},
        "canary": list(run.given.canary),
        "options": dict(run.given.options),
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


def _step(step: Planned) -> dict[str, Any]:
    names = ("name", "stage", "idx", "scope")
    cache = {"cache_key": step.cache_key} if step.cache_key else {}
    return {**{name: getattr(step, name) for name in names}, "hosts": list(step.hosts), **cache}
