# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets that a host has to hide in a stage, and the real values of masked keys that its steps read.

Secret for a host are

- the recipe's secret parameters, and what steps of any host have registered by now,
- the values of its variables that came out of a vault, and its passwords for Ansible's connection,
- variables, arguments and keys with the name of a secret (the setting `secret_keys`),
- the values of no_log options, and all arguments where the task itself has no_log,
- those secrets of other hosts that its arguments show.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.masking.secret_names import (
    SecretNames,
    long_texts_of,
    secrets_in,
)
from rack_recipes.plan.compile.action_names import RECIPE_VARIABLE
from rack_recipes.run.secrets.search_known_secrets import secrets_shown_in
from rack_recipes.run.secrets.secrets_in_step_arguments import LOOPS, literal, literal_secrets_of
from rack_recipes.run.secrets.vault_values import VaultValues, own_variables
from rack_recipes.run.stage.request.request import scriptlet_of
from rack_recipes.run.stage.request.step_message import ANSIBLE
from rack_recipes.run.worker.digest_salt import salt_beside

if TYPE_CHECKING:
    from rack_recipes.run.worker.host_stage_request import HostStage

PASSWORDS = ("password", "become_pass")  # as Ansible's own options name them


def add_secrets(stage: HostStage, message: dict[str, Any]) -> None:
    """Add the secrets and the salt of digests to the message for a host; put in the real values of masked keys."""
    registry, names = stage.run.secret_registry, SecretNames(stage.run.settings.secret_keys)
    hooks = [hook for found in (message.get("hooks") or {}).values() for hook in found]
    literals = [
        secret
        for each in (*message["steps"], *hooks)
        for secret in literal_secrets_of(each, each.get("options"), names)
    ]
    registry.hide(stage.host, [*_of_host(stage, names), *literals])
    registry.hide(stage.host, _of_others(stage, hooks))
    found = {*stage.run.inputs.secrets, *registry.secrets_for(stage.host, _declared(stage)), *_of_task(stage)}
    found.update(_revealed(stage, message["context"]))
    message["secrets"] = sorted(found)
    message["secret_keys"] = list(stage.run.settings.secret_keys)
    if found:
        message["salt"] = salt_beside(Path(stage.run.settings.runs))


def _declared(stage: HostStage) -> Iterator[str]:
    """The keys that the scriptlets of a stage declare to write: everybody can read them in their files."""
    folders = tuple(map(Path, stage.run.settings.scriptlets))
    for step in stage.steps:
        if step.get("type") != ANSIBLE:
            yield from scriptlet_of(step, folders).writes


def has_secrets(stage: HostStage) -> bool:
    """Whether a module that runs as this stage must log nothing."""
    names = SecretNames(stage.run.settings.secret_keys)
    values = {"steps": [{word: step.get(word) for word in ("args", *LOOPS)} for step in stage.steps]}
    known = stage.run.inputs.secrets or stage.run.secret_registry.secrets_for(stage.host) or _of_others(stage)
    return bool([*secrets_in(None, values, names)] or known or [*_of_host(stage, names)] or stage.action._task.no_log)


def _of_host(stage: HostStage, names: SecretNames) -> Iterator[str]:
    """The secrets among the host's variables and passwords, and vault values in its arguments, also of other hosts."""
    variables = own_variables(stage.task_vars)
    yield from VaultValues(stage.action._loader).values_in([variables, stage.steps])
    variables.pop(RECIPE_VARIABLE, None)  # its declarations of parameters have such names, but no values
    yield from literal(secrets_in(None, variables, names))
    yield from literal(_passwords(stage.action))


def _of_others(stage: HostStage, hooks: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """The secrets of other hosts that a template has brought into this host's arguments."""
    return secrets_shown_in(stage.run.secret_registry.others_of(stage.host), [*stage.steps, *hooks])


def _passwords(action: Any) -> Iterator[str]:
    """The passwords with which Ansible logs in and becomes another user, wherever it has them from."""
    connection = action._connection
    plugins: tuple[Any, ...] = (connection, getattr(connection, "become", None))
    for plugin, name in zip(plugins, PASSWORDS, strict=True):
        try:
            yield from long_texts_of(plugin.get_option(name))
        except (AttributeError, KeyError):  # it has no such option
            continue
    context = action._play_context
    yield from long_texts_of([getattr(context, name, None) for name in PASSWORDS])


def _of_task(stage: HostStage) -> list[str]:
    """The arguments of the stage, if its task has no_log."""
    if not stage.action._task.no_log:
        return []
    return [*literal(text for step in stage.steps for text in long_texts_of(step.get("args") or {}))]


def _revealed(stage: HostStage, context: Mapping[str, Any]) -> Iterator[str]:
    """Put the real values of masked keys into `context`; returns secrets of other hosts that come with their keys."""
    registry = stage.run.secret_registry
    registry.reveal(stage.host, context["own"])
    registry.reveal("", context["run"])
    for host, held in context["hosts"].items():
        if registry.reveal(host, held):
            text = json.dumps(held)
            yield from (secret for secret in registry.secrets_for(host) if json.dumps(secret)[1:-1] in text)
