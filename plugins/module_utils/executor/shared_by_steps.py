# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the steps of a stage share while they are tried."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.executor.process.descendant_marks import ProcessMarks
from ansible_collections.rack.recipes.plugins.module_utils.executor.record_writer import RecordWriter
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_context import StageContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.observe_processes import ProcessObserver

    Record = dict[str, Any]
    Step = dict[str, Any]


class StageState:
    """The request, its context and records, and the launcher of children. `lost` says why the stage ends early."""

    def __init__(self, request: dict[str, Any], launcher: Launcher, write: Callable[[Record], None]) -> None:
        self.host: str = request["host"]
        self.params: dict[str, Any] = request.get("params") or {}
        self.hooks: dict[str, list[Step]] = request.get("hooks") or {}
        self.offers: dict[str, list[Record]] = request.get("offers") or {}
        self.digests: dict[str, str] = request.get("digests") or {}
        self.waivers: list[Record] = request.get("waivers") or []
        self.is_check = bool(request.get("check"))
        self.lost = ""
        self.launcher = launcher
        self.secrets = launcher.secrets
        self.context = StageContext(request, launcher.secrets)
        self.records = RecordWriter(request, launcher.secrets, write)
        self.marks = ProcessMarks()
        self._observer: ProcessObserver | None = None

    def observer(self, step: Step) -> ProcessObserver | None:
        """What lists the processes that a step starts, if that is logged and the step is a program.

        A Python class tells by itself what it starts.
        """
        if not self.records.logs("process") or not self.launcher.command(step):
            return None
        if self._observer is None:
            # only a run with a log pays for this import, and for the process
            from ansible_collections.rack.recipes.plugins.module_utils.executor.process.observe_processes import (
                ProcessObserver,
            )

            self._observer = ProcessObserver()
        return self._observer

    def close(self) -> None:
        """End what was started beside the steps."""
        if self._observer:
            self._observer.close()
            self._observer = None

    def change(self, step: str, attempt: int, change: Record) -> None:
        """Take a change of a key, or an attached file, from a running step or from its envelope.

        Raises ValueError for a key whose text shows a secret.
        """
        if "sha256" in change:
            self.records.artifact(step, attempt, change)
        else:
            self.secrets.check_key(change["key"])
            if "live" in change:  # the server has written its record
                self.context.apply(change)
                return
            self.records.delta(step, attempt, change, self.context.apply(change))
