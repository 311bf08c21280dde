# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compiles a recipe while Ansible parses a playbook."""

from __future__ import annotations

DOCUMENTATION = r"""
name: playbook
short_description: The playbook that a recipe compiles to
description:
  - Compiles a recipe and returns the path of its playbook, for C(import_playbook).
  - Nothing is run, and nothing is written but the compiled playbook, beside the run folders.
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
options:
  _terms:
    description: Path of the recipe, relative to the current folder.
    type: list
    elements: str
    required: true
notes:
  - Extra vars choose as options of the command rack-recipes do - C(rack_recipes_only) and C(rack_recipes_skip) (names
    of steps, a list or separated by commas), C(rack_recipes_stepwise) and C(rack_recipes_parallel) (true or false),
    and C(rack_recipes_seed) (a whole number).
"""

EXAMPLES = r"""
- name: Run the recipe that the extra var recipe names
  ansible.builtin.import_playbook: "{{ lookup('rack.recipes.playbook', recipe) }}"

# ansible-playbook rack.recipes.run -e recipe=recipes/numbers.yml -e rack_recipes_only=compute_numbers
"""

RETURN = r"""
_raw:
  description: Paths of the compiled playbooks.
  type: list
  elements: path
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.rack.recipes.plugins.module_utils.check_library import Library

with Library() as library:
    from rack_recipes import settings as project
    from rack_recipes.errors import translate_errors
    from rack_recipes.plan.compile.playbook_file import compile_to_file
    from rack_recipes.run.extra_vars import plan_options


class LookupModule(LookupBase):  # type: ignore[misc]
    """Compiles recipes to playbooks."""

    def run(self, terms: list[str], variables: dict[str, object] | None = None, **kwargs: Any) -> list[str]:
        """Return the path of each compiled playbook."""
        library.check(AnsibleLookupError)
        self.set_options(var_options=variables, direct=kwargs)
        with translate_errors(AnsibleLookupError):
            settings, options = project.load(variables), plan_options(variables or {})
            return [str(compile_to_file(str(recipe), settings, options)) for recipe in terms]
