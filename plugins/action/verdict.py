# SPDX-License-Identifier: GPL-3.0-or-later

"""Fails each host that did not pass, so that Ansible's recap and exit code are right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.check_library import Library

with Library() as library:
    from rack_recipes.errors import translate_errors
    from rack_recipes.run.current_run import Judged, Part, current, results_of
    from rack_recipes.run.stage.persistent_connection import tell_session


class ActionModule(ActionBase):  # type: ignore[misc]
    """Judge the host of the task by the run's record."""

    def run(self, tmp: str | None = None, task_vars: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return ok, failed or unreachable with the host's reasons; nothing is run on the host."""
        library.check(AnsibleActionFail)
        result = super().run(tmp, task_vars)
        _checked, given = self.validate_argument_spec({"stages": {"type": "list", "elements": "int", "default": []}})
        tell_session(self)  # Ansible opens one to a network device for every task, also for this one
        with translate_errors(AnsibleActionFail):
            run = current()
        known: Mapping[str, Any] = task_vars or {}
        first = known["ansible_play_hosts_all"][0] if given["stages"] else ""
        own = (Judged(tuple(given["stages"])),)
        judged = run.verdicts.get(self._task._uuid, own)
        parts = [Part(run, stages, first, name) for stages, name in judged or own]
        return {**result, **results_of(parts, known["inventory_hostname"], is_last=bool(judged))}
