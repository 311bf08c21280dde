# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collect what an earlier run has left on a host into that run's journal, before the host runs a stage again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rack_recipes.journal.allowed_records import Sender
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import Record
from rack_recipes.run.stage.remote_executor import RemoteExecutor
from rack_recipes.run.worker.check_host_records import HostRecordCheck

if TYPE_CHECKING:
    from rack_recipes.run.reuse.earlier_run import EarlierRun
    from rack_recipes.run.worker.host_stage_request import StageTask


def collect(earlier: EarlierRun, remote: RemoteExecutor, task: StageTask) -> None:
    """Collect the results and artifacts of the task's steps that the journal lacks; wait for a stage that still runs.

    `task` says for which hosts, and through which one. Raises Unreachable.
    """
    lease = task.run.settings.reconnect_timeout
    steps = {stage.host: [step["name"] for step in stage.steps] for stage in task.stages}
    for number in sorted({number for host, names in steps.items() for number in earlier.unfinished(names, host)}):
        check = HostRecordCheck(Sender(number, {host: earlier.steps_of(number, host) for host in steps}))
        for answer in remote.collect(task.id_of(earlier.run_id, number), lease, sum(map(len, steps.values()))):
            append(earlier.path, task.told(check.allowed(answer.records)))
    earlier.catch_up()
    missing: dict[int, list[Record]] = {}
    for host, names in steps.items():
        for number, records in earlier.missing_artifacts(names, host).items():
            missing.setdefault(number, []).extend(records)
    for number, records in missing.items():
        _fetch(earlier, remote, task.id_of(earlier.run_id, number), records)


def _fetch(earlier: EarlierRun, remote: RemoteExecutor, stage: str, records: list[Record]) -> None:
    # few runs have any artifacts
    from rack_recipes.run.worker.fetch_artifacts import fetch_artifacts

    found = fetch_artifacts(earlier.path.parent, stage, records, lambda wanted: remote.pieces(stage, wanted))
    append(earlier.path, found)
