# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says of its hosts when it begins.

Their attributes out of the inventory, names that it does not know, two names of one host, and hosts that take turns
although a stage needs them together.

An analysis looks there for what hosts that failed together have in common.

Ansible warns of them in its output, which few see, and runs on the others: a run over them alone looks good.

Compiled recipes have plays of their own for such stages. A role stands in anyone's play.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible.inventory.manager import split_host_pattern
from ansible.utils.helpers import pct_to_int
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.language.limits_of_measurements import is_where
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from rack_recipes.errors import MOST_NAMED, UsageError, nearest
from rack_recipes.recipe.steps_to_and_from_data import dependencies
from rack_recipes.run.current_run import Run
from rack_recipes.run.host.bypass_ansible_templating import TEMPLATE_MARKS
from rack_recipes.run.recorder.ansible_api import AnsibleApi, InventoryVariables, Resolve
from rack_recipes.run.recorder.play_outline import PlayOutline, stage_tasks
from rack_recipes.run.unmatched_hosts import NOT_CHOSEN, hosts_left_out, no_canary
from rack_recipes.settings import Settings

if TYPE_CHECKING:
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

GROUPS = "groups"  # the attribute with the names of the host's groups
LONGEST_TEXT = 200  # characters: a longer one is no name of a place or a part
LONGEST_LIST = 64
NO_NAMES = SecretNames()
LOOKUP = re.compile(r"\b(lookup|query|q)\s*\(")  # could take long or change something, and nobody has asked for it
Attributes = dict[str, dict[str, Any]]
NO_SECRETS = "no vault secrets found"  # what Ansible says
ASK = ": name the file with the vault's password, by vault_password_file in ansible.cfg or ANSIBLE_VAULT_PASSWORD_FILE"


def host_attributes(hosts: Iterable[str], settings: Settings, api: AnsibleApi, mask: Mask) -> Attributes:
    """By host, the variables of the setting `host_attributes` that it has, and its groups.

    Left out are secrets, templates that cannot be filled in from the inventory alone, and all that is no short text, no
    number, no boolean and no short list of these. Hosts without any are left out, too.
    """
    inventory, secret = api.inventory, SecretNames(settings.secret_keys)
    if inventory is None or not settings.host_attributes:
        return {}
    names = [name for name in settings.host_attributes if not secret.match(name)]
    found: Attributes = {}
    for host in hosts:
        variables = variables_of(inventory, host)
        own = {name: variables[name] for name in names if name in variables}
        kept = _kept({GROUPS: inventory.groups(host), **_filled(api, own, variables)}, mask)
        if kept:
            found[host] = kept
    return found


def variables_of(inventory: InventoryVariables, host: str) -> Mapping[str, Any]:
    """The variables of a host. Raises UsageError for a file that cannot be read: Ansible would end there, later."""
    try:
        return inventory.of(host)
    except AnsibleError as error:
        said = str(error).rstrip(".")
        raise UsageError(f"the variables of {host}: {said}{ASK if NO_SECRETS in said else ''}") from error


def _filled(api: AnsibleApi, own: Mapping[str, object], variables: Mapping[str, object]) -> dict[str, Any]:
    """The values with their templates filled in, without those that came out of a vault."""
    filled = {}
    for name, value in own.items():
        if not api.is_vaulted(value) and not LOOKUP.search(_template(value)):
            try:
                filled[name] = api.fill(value, variables) if _template(value) else value
            except AnsibleError:  # it needs what only a play or a fact tells
                continue
    return {name: value for name, value in filled.items() if not api.is_vaulted(value)}


def _template(value: object) -> str:
    """The template in a value, or in the values of a list; empty where there is none."""
    if isinstance(value, list):
        return " ".join(filter(None, map(_template, value)))
    return value if isinstance(value, str) and any(mark in value for mark in TEMPLATE_MARKS) else ""


def _kept(values: Mapping[str, object], mask: Mask) -> dict[str, Any]:
    """The values that are plain and have no secret in them: a masked value would look the same on many hosts."""
    plain = {name: value for name, value in values.items() if _is_plain(value)}
    native: dict[str, Any] = transform_to_native_types(plain)
    return {
        name: value
        for name, value in native.items()
        if mask.mask_value(value) == value and NO_NAMES.mask_named(value, []) is value
    }


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return 0 < len(value) <= LONGEST_LIST and all(map(_is_scalar, value))
    return _is_scalar(value)


def _is_scalar(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= LONGEST_TEXT
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def unmatched_patterns(
    plays: Iterable[Play], limit: str, resolve_whole: Resolve, groups: Sequence[str] = ()
) -> Iterator[str]:
    """A warning for the hosts of the plays, and one for --limit, where a part of a pattern matches no host.

    `resolve_whole` finds hosts in the whole inventory, which has these `groups`.
    """
    patterns = [play.hosts for play in plays if "{{" not in str(play.hosts)]
    for where, parts in (("the recipe's hosts", split_host_pattern(patterns)), ("--limit", split_host_pattern(limit))):
        names = (name for name in dict.fromkeys(parts) if not name.startswith(NOT_CHOSEN))
        lost = [name for name in names if not resolve_whole(name)]
        if lost:
            near = nearest(lost[0], [*groups, *resolve_whole("all")]) if len(lost) == 1 else ""
            hint = f" (did you mean {near!r}?)" if near else ""
            yield f"{where}: no host or group of the inventory is {first_few(lost, MOST_NAMED)}{hint}"


def steps_elsewhere(plays: Sequence[Play], resolve_whole: Resolve, groups: Sequence[str]) -> Iterable[str]:
    """A warning for each step whose `hosts` name some that no play has, whatever --limit says.

    The hosts of a play may be a template, which only that play can fill in.
    """
    staged = [(play, task) for play in plays for task in stage_tasks(play)]
    steps = {str(step["name"]): str(step.get("hosts") or "") for _play, task in staged for step in task.args["steps"]}
    named = {name: split_host_pattern(text) for name, text in steps.items() if text and "{{" not in text}
    if not named or any("{{" in str(play.hosts) for play, _task in staged):
        return ()
    return hosts_left_out(named, _hosts_of(plays, resolve_whole), resolve_whole, groups).values()


def check_canary(pattern: str, plays: Sequence[Play], resolve_whole: Resolve, groups: Sequence[str]) -> None:
    """Raise UsageError for a canary that is no host of the plays, whatever --limit says."""
    if why := no_canary(pattern, resolve_whole(pattern), _hosts_of(plays, resolve_whole), groups):
        raise UsageError(why)


def _hosts_of(plays: Sequence[Play], resolve_whole: Resolve) -> set[str]:
    return {host for play in plays if stage_tasks(play) for host in resolve_whole(play.hosts)}


ADDRESS = ("ansible_host", "ansible_ssh_host")
PORT = ("ansible_port", "ansible_ssh_port", "ansible_httpapi_port")


def start_warnings(run: Run, hosts: Iterable[object]) -> Iterator[str]:
    """The warnings, a line each; `hosts` are Ansible's hosts of the run."""
    yield from run.inputs.warnings
    if names := [step.name for step in run.steps.values() if not step.hosts]:
        yield f"left out, as no host of this run is theirs: {first_few(names, MOST_NAMED)}"
    if run.inputs.unknown_hosts:
        yield f"the given context has keys of hosts not in this run: {first_few(run.inputs.unknown_hosts, MOST_NAMED)}"
    if run.inputs.recipe.get("canary") and not (run.inputs.canary or run.meeting):
        yield "no host of this run is its canary, so none goes first"
    if limits := run.inputs.recipe.get("limits"):
        places = [*{json.dumps(limit.get("where") or {}): limit.get("where") or {} for limit in limits}.values()]
        of = run.inputs.attributes
        if bare := [host for host in run.hosts if not any(is_where(place, of.get(host, {})) for place in places)]:
            yield f"none of the recipe's limits is for {first_few(bare, MOST_NAMED)}: see where in its file of limits"
    if over := run.inputs.waivers.over:
        named = ", ".join(f"{waiver.step} ({waiver.until})" for waiver in over)
        yield f"waivers of this recipe are over and change nothing: {named}"
    for address, same in aliases_of_one_host(hosts):
        yield f"{first_few(same, MOST_NAMED)} are one host, {address}: their steps run beside each other"


def aliases_of_one_host(hosts: Iterable[Any]) -> Iterator[tuple[str, list[str]]]:
    """Each address (`address` or `address:port`) that several of these hosts have, with their names.

    Only the inventory's own variables of a host count. Variables of groups, in files of `host_vars`, and templates are
    not looked up, which would take milliseconds a host.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for host in hosts:
        address, port = _variable(host, ADDRESS) or host.name, _variable(host, PORT)
        if "{{" not in address + port and host.vars.get("ansible_connection") != "local":
            found.setdefault((address, port), []).append(host.name)
    for (address, port), names in found.items():
        if len(names) > 1:
            yield f"{address}:{port}" if port else address, names


def _variable(host: Any, names: tuple[str, ...]) -> str:
    return next((str(host.vars[name]) for name in names if host.vars.get(name)), "")


FREE = ("free", "host_pinned")  # strategies of Ansible in which no host waits for another one


def check_turns(plays: Sequence[Play], found: PlayOutline, api: AnsibleApi) -> None:
    """Raise UsageError where a stage needs all hosts of its play, and the play does not run them together."""
    for play in plays:
        word = _turns(play, api)
        problem = next((why for task in stage_tasks(play) for why in _needs_all(task, found)), "") if word else ""
        if problem:
            raise UsageError(
                f"the play {play.get_name()!r} has `{word}`, so its hosts do not run together, but {problem}: take "
                f"`{word}` out of the play, or out of ansible.cfg"
            )


def _turns(play: Play, api: AnsibleApi) -> str:
    """By which keyword of a play its hosts do not run together; empty where they do."""
    is_free = str(play.strategy).rpartition(".")[2] in FREE
    hosts = len(api.resolve(play.hosts)) if is_free or play.serial else 0
    if is_free and hosts > 1:
        return f"strategy: {play.strategy}"
    return "serial" if play.serial and 0 < _first_batch(play.serial, hosts, api) < hosts else ""


def _first_batch(serial: object, hosts: int, api: AnsibleApi) -> int:
    """How many hosts of a play run first. Ansible has not read `serial` yet where the play comes later."""
    try:
        sizes = api.fill(serial)
        size: int = pct_to_int(sizes[0] if isinstance(sizes, (list, tuple)) else sizes, hosts)
    except (AnsibleError, TypeError, ValueError):  # Ansible itself says what is wrong with it
        return hosts
    return size


def _needs_all(task: Task, found: PlayOutline) -> Iterator[str]:
    """Why steps of a stage need other hosts to have ended."""
    for step in task.args["steps"]:
        planned = found.steps[str(step["name"])]
        if planned.scope != "host":
            yield f"step {planned.name} runs once for all hosts (scope: {planned.scope})"
        if planned.elsewhere:
            yield f"step {planned.name} reads keys of other hosts"
        yield from (
            f"step {planned.name} needs {need.label}"
            for need in dependencies(step)
            if need.is_wide and found.steps.get(need.step)
        )
