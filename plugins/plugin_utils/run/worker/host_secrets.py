# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has to hide in a stage, and what only memory knows of the context that its steps read.

Secret for a host are: the recipe's secret parameters, what steps of any host have registered by now, the values of its
variables that came out of a vault, its passwords for Ansible's connection, variables, arguments and keys with the name
of a secret (the setting `secret_keys`), what no_log options hold, and all arguments where the task itself has no_log;
and of what is secret for other hosts, what its arguments show.
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
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current_run import RECIPE
from ansible_collections.rack.recipes.plugins.plugin_utils.run.secrets.digest_salt import salt_beside
from ansible_collections.rack.recipes.plugins.plugin_utils.run.secrets.literal_secrets import (
    LOOPS,
    literal,
    literal_secrets_of,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.run.secrets.secret_scan import secrets_shown_in
from ansible_collections.rack.recipes.plugins.plugin_utils.run.secrets.vault_values import VaultValues, own_variables

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.host_stage import HostStage

PASSWORDS = ("password", "become_pass")  # as Ansible's own options name them


def add_secrets(part: HostStage, message: dict[str, Any]) -> None:
    """Put into the message what its host must hide, what it needs for that, and what the context really holds."""
    concealed, names = part.run.secret_registry, SecretNames(part.run.settings.secret_keys)
    hooks = [hook for found in (message.get("hooks") or {}).values() for hook in found]
    said = [
        secret
        for each in (*message["steps"], *hooks)
        for secret in literal_secrets_of(each, each.get("options"), names)
    ]
    concealed.hide(part.host, [*_of_host(part, names), *said])
    concealed.hide(part.host, _of_others(part, hooks))
    found = {*part.run.inputs.secrets, *concealed.secrets_for(part.host), *_of_task(part)}
    found.update(_revealed(part, message["context"]))
    message["secrets"] = sorted(found)
    message["secret_keys"] = list(part.run.settings.secret_keys)
    if found:
        message["salt"] = salt_beside(Path(part.run.settings.runs))


def has_secrets(part: HostStage) -> bool:
    """Whether a module that runs as this part must log nothing."""
    names = SecretNames(part.run.settings.secret_keys)
    said = {"steps": [{word: step.get(word) for word in ("args", *LOOPS)} for step in part.steps]}
    known = part.run.inputs.secrets or part.run.secret_registry.secrets_for(part.host) or _of_others(part)
    return bool([*secrets_in(None, said, names)] or known or [*_of_host(part, names)] or part.action._task.no_log)


def _of_host(part: HostStage, names: SecretNames) -> Iterator[str]:
    """What Ansible knows of the host and nobody may see; its arguments may show values of other hosts' vaults."""
    variables = own_variables(part.task_vars)
    yield from VaultValues(part.action._loader).values_in([variables, part.steps])
    variables.pop(RECIPE, None)  # it says of a parameter with such a name what it is for
    yield from literal(secrets_in(None, variables, names))
    yield from literal(_passwords(part.action))


def _of_others(part: HostStage, hooks: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """The secrets of other hosts that a template has brought into what this one is given."""
    return secrets_shown_in(part.run.secret_registry.others_of(part.host), [*part.steps, *hooks])


def _passwords(action: Any) -> Iterator[str]:
    """Those that Ansible logs in and becomes another user with, asked for or set, wherever it has them from."""
    connection = action._connection
    plugins: tuple[Any, ...] = (connection, getattr(connection, "become", None))
    for plugin, name in zip(plugins, PASSWORDS, strict=True):
        try:
            yield from long_texts_of(plugin.get_option(name))
        except (AttributeError, KeyError):  # it has no such option
            continue
    context = action._play_context
    yield from long_texts_of([getattr(context, name, None) for name in PASSWORDS])


def _of_task(part: HostStage) -> list[str]:
    """With no_log all arguments are secret, in this stage."""
    if not part.action._task.no_log:
        return []
    return [*literal(text for step in part.steps for text in long_texts_of(step.get("args") or {}))]


def _revealed(part: HostStage, context: Mapping[str, Any]) -> Iterator[str]:
    """Put in what is written masked; the secrets of other hosts that come with their keys."""
    concealed = part.run.secret_registry
    concealed.reveal(part.host, context["own"])
    concealed.reveal("", context["run"])
    for host, held in context["hosts"].items():
        if concealed.reveal(host, held):
            text = json.dumps(held)
            yield from (secret for secret in concealed.secrets_for(host) if json.dumps(secret)[1:-1] in text)
