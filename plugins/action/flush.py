# SPDX-License-Identifier: GPL-3.0-or-later

"""Says whether the store holds the run's results. The recorder has brought them there when this task started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.rack.recipes.plugins.module_utils.check_library import Library

with Library() as library:
    from rack_recipes.errors import translate_errors
    from rack_recipes.plan.compile.action_names import FLUSH
    from rack_recipes.run.current_run import Run, current


class ActionModule(ActionBase):  # type: ignore[misc]
    """Say whether the store holds the run's results."""

    def run(self, tmp: str | None = None, task_vars: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return the run's id and its journal's path; fail where the results are not in the store."""
        library.check(AnsibleActionFail)
        result = super().run(tmp, task_vars)
        self.validate_argument_spec({})
        with translate_errors(AnsibleActionFail):
            run = current()
        problem = run.stored if self._task.resolved_action == FLUSH else _flush_here(run)
        if problem != "":
            raise AnsibleActionFail(f"the results are not in the store: {problem}")
        return {**result, "changed": True, "run_id": run.run_id, "journal": str(run.path)}


def _flush_here(run: Run) -> str:
    """Flush in this worker: the recorder does not see a flush that is a step of the recipe."""
    # only such a step pays for the import of the store's packages
    from rack_recipes.run.processes import SHARE
    from rack_recipes.run.store_writer import flush_once

    return flush_once(str(run.path), run.settings.db, run.settings.store_timeout * SHARE)
