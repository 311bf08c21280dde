# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which user a task becomes on a host: Ansible's own become plugin is asked, with all options that it reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError, AnsibleValueOmittedError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.loader import become_loader

from rack_recipes.errors import TrustError

BECOME, METHOD = "ansible_become", "ansible_become_method"
KEYWORDS = ("become_user", "become_flags", "become_exe")
SUDO, RUNAS = "sudo", "runas"
HARMLESS = re.compile(r"(\s*-[EHSin]+)*\s*")  # flags of sudo that take no value and do not change the user
PLAIN = re.compile(r"\w[\w.@+\\-]*\$?")  # any other text may be a user's number, or more words of the command
UNLIKE_A_NAME = "which is not the plain name of a user"

Variables = Mapping[str, Any]
Fill = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class BecomeUsers:
    """The user that a task becomes, empty for none. `unsure` says why it may be another one, empty where it is not."""

    user: str = ""
    unsure: str = ""


def become_users(task: Any, variables: Variables, fill: Fill) -> BecomeUsers:
    """The user that a task becomes on the host with these variables.

    `fill` fills in templates. Raises TrustError where it cannot be known.
    """
    try:
        become = variables.get(BECOME)
        if not boolean(fill(task.become if become is None else become), strict=False):
            return BecomeUsers()
        method = str(fill(variables.get(METHOD) or task.become_method or constants.DEFAULT_BECOME_METHOD))
        return _user_of(_plugin(method, task, variables, fill))
    except (AnsibleError, ImportError) as error:  # a method of the user's may import what is missing here
        raise TrustError(f"the policy needs to know whom a step becomes, and nobody can tell: {error}") from error


def _plugin(method: str, task: Any, variables: Variables, fill: Fill) -> Any:
    plugin = become_loader.get(method)
    if plugin is None:
        raise AnsibleError(f"there is no become method {method!r}")
    options = dict(_filled(constants.config.get_plugin_vars("become", plugin._load_name), variables, fill))
    keywords = {name: fill(getattr(task, name)) for name in KEYWORDS}
    plugin.set_options(task_keys=keywords, var_options=options)
    return plugin


def _filled(names: list[str], variables: Variables, fill: Fill) -> Iterator[tuple[str, Any]]:
    for name in names:
        if name in variables:
            try:
                yield name, fill(variables[name])
            except AnsibleValueOmittedError:
                continue


def _user_of(plugin: Any) -> BecomeUsers:
    """The user that a become plugin with these options changes to."""
    method, user = str(plugin._load_name).rpartition(".")[2], str(plugin.get_option("become_user") or "root")
    if method != RUNAS and not PLAIN.fullmatch(user):
        return BecomeUsers(user, UNLIKE_A_NAME)
    return BecomeUsers(user, next(_doubts(plugin, method), ""))


def _doubts(plugin: Any, method: str) -> Iterator[str]:
    """Why flags or a program may change to another user; ansible.cfg is trusted, since it names the policy, too."""
    for option in KEYWORDS[1:]:
        if option not in plugin.option_definitions:
            continue
        value, origin = plugin.get_option_and_origin(option)
        usual = plugin.option_definitions[option].get("default")
        is_harmless = method == SUDO and option == "become_flags" and HARMLESS.fullmatch(str(value))
        if value and value != usual and origin != constants.CONFIG_FILE and not is_harmless:
            yield f"and {str(origin).rpartition(' ')[2]} may make it another user: only ansible.cfg may set {option}"
