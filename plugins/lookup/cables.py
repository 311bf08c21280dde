# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the cables of a host from a cabling plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cables
short_description: The cables of a host, from a cabling plan
description:
  - Reads a cabling plan, and returns for each port of the host what is at the other end of its cable, as C(NODE:PORT).
  - A plan may have any of the formats that C(rack-recipes cabling import) reads.
  - Where no host of the inventory is in the plan, that is an error which names some of both.
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
options:
  _terms:
    description: Paths of the plan, relative to the current folder. Several files together are one plan.
    type: list
    elements: str
    required: true
  host:
    description: The host, by default that of the task. A domain may be missing in its name or in that of the plan.
    type: str
"""

EXAMPLES = r"""
# In group_vars/all.yml: the ports of each host, as the recipe recipes/fabric.yml takes them.
cables: "{{ lookup('rack.recipes.cables', 'cabling.yml') }}"
"""

RETURN = r"""
_raw:
  description: The ports of the host, each with the C(NODE:PORT) at the other end; empty for a host without cables.
  type: list
  elements: dict
"""

from functools import lru_cache
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.rack.recipes.plugins.module_utils.check_library import Library

with Library() as library:
    from rack_recipes.cabling.import_plan import import_plan, read_sources
    from rack_recipes.cabling.plan_model import CablingPlan
    from rack_recipes.errors import translate_errors


OF_ROLE = "cabling_plan"  # the variable of the role rack.recipes.cabling


class LookupModule(LookupBase):  # type: ignore[misc]
    """Reads the cables of a host."""

    def run(self, terms: list[str], variables: dict[str, object] | None = None, **kwargs: Any) -> list[dict[str, str]]:
        """Return one mapping of the host's ports."""
        library.check(AnsibleLookupError)
        self.set_options(var_options=variables, direct=kwargs)
        host = self.get_option("host") or (variables or {}).get("inventory_hostname", "")
        of_role = (
            f"; set the role's variable `{OF_ROLE}` to its path" if terms == [(variables or {}).get(OF_ROLE)] else ""
        )
        with translate_errors(AnsibleLookupError, of_role):
            plan = plan_of(tuple(map(str, terms)))
            cables = plan.of_host(str(host))
            hosts = (variables or {}).get("groups", {}).get("all", [])
            if not cables and hosts and (problem := plan.strangers(hosts)):
                raise AnsibleLookupError(f"{', '.join(map(str, terms))}: {problem}{of_role}")
            return [{**cables}]


@lru_cache(maxsize=8)
def plan_of(paths: tuple[str, ...]) -> CablingPlan:
    """The plan in these files, read once for all hosts of a run. Raises UsageError."""
    return import_plan(read_sources(paths))
