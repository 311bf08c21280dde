# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the report of a run on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.check_library import Library

with Library() as library:
    from rack_recipes import settings
    from rack_recipes.errors import UsageError, translate_errors
    from rack_recipes.report.report_formats_and_status import DEFAULT_FORMATS, FORMATS, write_with_status
    from rack_recipes.run.current_run import current

if TYPE_CHECKING:
    from sqlalchemy import Engine


OPTION = "option `run`, in the role the variable `report_run`"
NEWEST = 3  # runs that an error names


class ActionModule(ActionBase):  # type: ignore[misc]
    """Write the report."""

    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return the run and the report's files; fail where the run is not in the store."""
        library.check(AnsibleActionFail)
        result = super().run(tmp, task_vars)
        with translate_errors(AnsibleActionFail):
            return {**result, **write_with_status(lambda: self._report(task_vars or {}))}

    def _report(self, task_vars: Mapping[str, object]) -> dict[str, Any]:
        arguments = self.validate_argument_spec(argument_spec())[1]
        return report(transform_to_native_types(arguments), task_vars)


def argument_spec() -> dict[str, Any]:
    """The options of the task."""
    return {
        "run": {"type": "str"},
        "formats": {"type": "list", "elements": "str", "choices": FORMATS, "default": list(DEFAULT_FORMATS)},
        "dest": {"type": "path"},
        "db": {"type": "str", "no_log": True},
        "summary": {"type": "bool", "default": False},
    }


def report(arguments: Mapping[str, Any], task_vars: Mapping[str, object]) -> dict[str, Any]:
    """Write the report; returns the task's result. Raises RackError."""
    from rack_recipes.report.make_report import make
    from rack_recipes.report.page.templates import unknown_files
    from rack_recipes.report.run_digest import digest_run
    from rack_recipes.store.database_engine import connect_for_reading

    project = settings.load(own_vars(task_vars))
    url = arguments["db"] or project.db
    run_id = stored_run(connect_for_reading(url), arguments["run"]) if arguments["run"] else this_run()
    store = connect_for_reading(url)  # after this_run(), which may make the store
    folder = Path(arguments["dest"] or Path(project.runs, run_id, "report"))
    summary_by = project if arguments["summary"] else None
    made = make(store, run_id, folder, arguments["formats"], url, summary_by, project.report_templates)
    told = digest_run(store, run_id)
    return {
        "changed": any(made.values()),
        **({"warnings": warnings} if (warnings := [*unknown_files(project.report_templates)]) else {}),
        "run_id": run_id,
        "folder": str(folder),
        "files": list(map(str, made)),
        **told,
    }


def own_vars(task_vars: Mapping[str, object]) -> dict[str, Any]:
    """Those variables that are our settings."""
    names = [f"{settings.SECTION}_{name}" for name in settings.NAMES_OF_ALL]
    return {name: transform_to_native_types(task_vars[name]) for name in names if name in task_vars}


def stored_run(store: Engine, name: str) -> str:
    """The id of the run that `name` means, as everywhere. Raises UsageError, with the newest runs that there are."""
    from rack_recipes.store.reading.recorded_runs import find, newest_ids

    try:
        return find(store, name)
    except UsageError as error:
        newest = ", ".join(newest_ids(store, NEWEST))
        raise UsageError(f"{error}; {f'the newest are {newest}' if newest else 'it has none'} ({OPTION})") from error


def this_run() -> str:
    """The id of the run of this playbook. Raises UsageError where there is none."""
    try:
        return current().run_id
    except UsageError as error:
        raise UsageError(f"which run? {error}; or name it: {OPTION}") from error
