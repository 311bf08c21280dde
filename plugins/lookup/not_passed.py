# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names the hosts that did not pass."""

from __future__ import annotations

DOCUMENTATION = r"""
name: not_passed
short_description: The hosts of the run that did not pass
description:
  - Names the hosts with a step that did not pass, for the C(hosts) of a play that comes after the stages.
  - What runs once for the run counts for the run's first host. It did not pass either where nothing was checked in the
    whole run, or no step passed.
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
options:
  _terms:
    description: A host pattern to return where there is no run, as in a syntax check.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Verdict
  hosts: "{{ query('rack.recipes.not_passed', 'all') }}"
  gather_facts: false
  tasks:
    - name: Fail the host for its reasons
      rack.recipes.verdict:
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
    from rack_recipes.run.current_run import current, not_passed


class LookupModule(LookupBase):  # type: ignore[misc]
    """Names the hosts that did not pass, by the results of the run."""

    def run(self, terms: list[str], variables: dict[str, object] | None = None, **kwargs: Any) -> list[str]:
        """Return the names of the hosts, or `terms` where there is no run."""
        library.check(AnsibleLookupError)
        try:
            return not_passed(current())
        except UsageError:
            return terms
