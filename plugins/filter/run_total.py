# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adds up the parts of a run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_total
short_description: The total of the parts of a run that several jobs of AWX have run
description:
  - Takes what the role C(rack.recipes.report) told in each job, and returns one status, one set of counts, and
    what is wrong with the whole.
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
positional: hosts
options:
  _input:
    description: What each job told, as mappings with C(job), C(run_id), C(status), C(counts), C(hosts), C(causes),
      C(report) and C(report_error).
    type: list
    elements: dict
    required: true
  hosts:
    description: The hosts that were to be tested. One that is in no part has not passed.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the total
  ansible.builtin.debug:
    msg: "{{ parts | rack.recipes.run_total(ansible_play_hosts_all) }}"
  vars:
    parts:
      - {job: 7, run_id: 20261125-120000-3f9a2c, status: passed, counts: {passed: 4}, hosts: [leaf1, leaf2]}
"""

RETURN = r"""
_value:
  description: C(status), C(counts), the number of C(hosts), C(runs), C(reports), C(causes), and C(problems) in words.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.rack.recipes.plugins.module_utils.check_library import Library

with Library() as library:
    from rack_recipes.integrations.awx.total_of_jobs import total_of


class FilterModule:
    """The filter of this file."""

    def filters(self) -> Mapping[str, Callable[..., dict[str, Any]]]:
        """Return the filter by its name."""
        return {"run_total": run_total}


def run_total(parts: Sequence[Mapping[str, Any]], hosts: Sequence[str]) -> dict[str, Any]:
    """The total of parts of a run, of which these are all hosts."""
    library.check(AnsibleFilterError)
    return total_of(parts, hosts)
