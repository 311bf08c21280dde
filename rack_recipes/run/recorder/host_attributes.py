# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run keeps of its hosts out of the inventory: where they are, what they are, what they hang on.

An analysis looks there for what hosts that failed together have in common.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.masking.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.masking.secret_names import SecretNames
from rack_recipes.run.recorder.ansible_api import AnsibleApi
from rack_recipes.run.recorder.inventory_variables import InventoryVariables
from rack_recipes.run.stage.request.bypass_ansible_templating import TEMPLATE_MARKS
from rack_recipes.settings import Settings

GROUPS = "groups"  # the attribute with the names of the host's groups
LONGEST_TEXT = 200  # characters: a longer one is no name of a place or a part
LONGEST_LIST = 64
NO_NAMES = SecretNames()
LOOKUP = re.compile(r"\b(lookup|query|q)\s*\(")  # could take long or change something, and nobody has asked for it

Attributes = dict[str, dict[str, Any]]


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
        variables = _variables(inventory, host)
        own = {name: variables[name] for name in names if name in variables}
        kept = _kept({GROUPS: inventory.groups(host), **_filled(api, own, variables)}, mask)
        if kept:
            found[host] = kept
    return found


def _variables(inventory: InventoryVariables, host: str) -> Mapping[str, Any]:
    """The variables of a host; none where a file of variables cannot be read, of which Ansible itself tells later."""
    try:
        return inventory.of(host)
    except AnsibleError:
        return {}


def _filled(api: AnsibleApi, own: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """The values with their templates filled in, without those that came out of a vault."""
    filled = {}
    for name, value in own.items():
        if not api.is_vaulted(value) and not LOOKUP.search(_template(value)):
            try:
                filled[name] = api.fill(value, variables) if _template(value) else value
            except AnsibleError:  # it needs what only a play or a fact tells
                continue
    return {name: value for name, value in filled.items() if not api.is_vaulted(value)}


def _template(value: Any) -> str:
    """The template in a value, or in the values of a list; empty where there is none."""
    if isinstance(value, list):
        return " ".join(filter(None, map(_template, value)))
    return value if isinstance(value, str) and any(mark in value for mark in TEMPLATE_MARKS) else ""


def _kept(values: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    """The values that are plain and have no secret in them: a masked value would look the same on many hosts."""
    plain = {name: value for name, value in values.items() if _is_plain(value)}
    native: dict[str, Any] = transform_to_native_types(plain)
    return {
        name: value
        for name, value in native.items()
        if mask.mask_value(value) == value and NO_NAMES.mask_named(value, []) is value
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return 0 < len(value) <= LONGEST_LIST and all(map(_is_scalar, value))
    return _is_scalar(value)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= LONGEST_TEXT
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
