# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError
from ansible_collections.rack.recipes.plugins.plugin_utils.run.perform import perform

ARGUMENTS: dict[str, Any] = {
    "number": {"type": "int", "required": True},
    "steps": {"type": "list", "elements": "dict", "required": True},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Run the steps of one stage on the host of the task."""

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what Ansible shows of the stage; its results are in the journal then."""
        result = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(ARGUMENTS)
        try:
            return {**result, **perform(self, args["number"], args["steps"], task_vars or {})}
        except RackError as error:
            raise AnsibleActionFail(str(error)) from error
