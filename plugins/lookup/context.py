# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the shared context of the run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: context
short_description: Values of the shared context of a run
description:
  - Reads the newest values that earlier stages have set, from memory.
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
options:
  _terms:
    description: Context keys such as V(numbers.stats_v1).
    type: list
    elements: str
    required: true
  host:
    description:
      - The host whose keys are meant, by default the host of the task.
      - A key that the host does not have is looked up among the keys of the run.
    type: str
  default:
    description: What to return for a key that is not set; without it such a key is an error.
    type: raw
"""

EXAMPLES = r"""
- name: Show the mean that this host computed
  ansible.builtin.debug:
    msg: "{{ lookup('rack.recipes.context', 'numbers.stats_v1').mean }}"

- name: Show what another host computed
  ansible.builtin.debug:
    msg: "{{ lookup('rack.recipes.context', 'numbers.stats_v1', host='r01') }}"
"""

RETURN = r"""
_raw:
  description: The values, one for each key.
  type: list
  elements: raw
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.rack.recipes.plugins.module_utils.check_library import Library

with Library() as library:
    from rack_recipes.errors import RackError
    from rack_recipes.run.current_run import current, why_missing


class LookupModule(LookupBase):  # type: ignore[misc]
    """Reads keys of the context, which the recorder keeps in memory."""

    def run(self, terms: list[str], variables: dict[str, object] | None = None, **kwargs: Any) -> list[Any]:
        """Return the value of each key."""
        library.check(AnsibleLookupError)
        self.set_options(var_options=variables, direct=kwargs)
        host = self.get_option("host") or (variables or {}).get("inventory_hostname", "")
        return [self._read(key, host, "default" in kwargs) for key in terms]

    def _read(self, key: str, host: str, has_default: bool) -> Any:
        try:
            return current().context.get(key, host)
        except RackError as error:
            raise AnsibleLookupError(str(error)) from error
        except KeyError:
            if has_default:
                return self.get_option("default")
            raise AnsibleLookupError(why_missing(current(), key, host)) from None
