# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names a host for each delegate of a stage."""

from __future__ import annotations

DOCUMENTATION = r"""
name: delegates
short_description: A host for each delegate of a stage
description:
  - Names, for each host that runs a stage on behalf of others, the first of these others. A compiled playbook has it as
    the C(hosts) of a play, so that the stage has one task for each delegate, which runs it for all of its hosts.
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
options:
  _terms:
    description: The number of the stage, and the host pattern to return where there is no run, as in a syntax check.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Run the stage through delegates
  hosts: "{{ query('rack.recipes.delegates', 2, 'bmcs') }}"
  gather_facts: false
  tasks:
    - name: Say for which host of its group the task runs
      ansible.builtin.debug:
        var: inventory_hostname
"""

RETURN = r"""
_list:
  description: The hosts, in the order of the run.
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.rack.recipes.plugins.module_utils.check_library import Library

with Library() as library:
    from rack_recipes.errors import UsageError
    from rack_recipes.run.current_run import begin_pending, current


class LookupModule(LookupBase):  # type: ignore[misc]
    """Names a host for each delegate of a stage."""

    def run(self, terms: list[object], variables: dict[str, object] | None = None, **kwargs: Any) -> list[str]:
        """Return the names of the hosts, or the pattern where there is no run."""
        library.check(AnsibleLookupError)
        number, *pattern = terms
        begin_pending()
        try:
            return current().representatives(int(number))
        except UsageError:
            return pattern
