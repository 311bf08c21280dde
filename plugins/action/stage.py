# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a stage on the host of the task: the controller's half of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.check_library import Library

with Library() as library:
    from rack_recipes.errors import translate_errors
    from rack_recipes.run.host.bypass_ansible_templating import unpack_steps
    from rack_recipes.run.host.host_request import check_stage
    from rack_recipes.run.host.host_threads import wait_of_this_host
    from rack_recipes.run.stage.member_test import side_of_this_host
    from rack_recipes.run.stage.run_stage import run_stage, runs_between_hosts, runs_on_all_hosts


class ActionModule(ActionBase):  # type: ignore[misc]
    """Run the steps of one stage on the host of the task."""

    def run(self, tmp: str | None = None, task_vars: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return what Ansible shows of the stage; the journal has its results by then."""
        library.check(AnsibleActionFail)
        result = super().run(tmp, task_vars)
        if wait_of_this_host() is None and runs_on_all_hosts(self):
            from rack_recipes.run.stage.stage_on_hosts import run_on_hosts

            number = int(self._task.args["number"])
            with translate_errors(AnsibleActionFail):
                found = run_on_hosts(self, number, task_vars or {})
            self._task.args = {"number": number}
            return {**result, **found}
        steps = self._task.args.get("steps")
        arguments = {**self._task.args, "steps": unpack_steps(steps) if isinstance(steps, list) else steps}
        if side_of_this_host() is None and runs_between_hosts(self):
            from rack_recipes.run.stage.member_stage import run_members

            with translate_errors(AnsibleActionFail):
                found = run_members(self, int(arguments["number"]), arguments["steps"][0], task_vars or {})
            self._task.args = {"number": arguments["number"]}
            return {**result, **found}
        # A worker sends the arguments back with its result; to pickle a hundred steps takes 20 ms.
        self._task.args = {"number": arguments.get("number")}
        with translate_errors(AnsibleActionFail):
            check_stage(arguments)  # validate_argument_spec would copy every step, which is as slow as to pickle it
            number, locks = arguments["number"], arguments.get("locks") or {}
            if side := side_of_this_host():
                from rack_recipes.run.stage.member_side import run_side

                return {**result, **run_side(self, number, arguments["steps"][0], task_vars or {}, side)}
            return {**result, **run_stage(self, number, arguments["steps"], locks, task_vars or {})}
