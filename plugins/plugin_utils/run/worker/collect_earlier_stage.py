# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collect what an earlier run has left on a host into that run's journal, before the host runs a stage again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.record_fields import Record
from ansible_collections.rack.recipes.plugins.plugin_utils.run.delegates import told_through
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.remote_executor import RemoteExecutor
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.request import stage_id

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.reuse.earlier_run import EarlierRun
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.host_stage import HostStage


def collect(earlier: EarlierRun, remote: RemoteExecutor, steps: Iterable[str], stage: HostStage) -> None:
    """Collect the results and artifacts of these steps that the journal lacks; wait for a stage that still runs.

    `stage` says for which host, and through which one. Raises Unreachable.
    """
    steps, host, lease = list(steps), stage.host, stage.run.settings.reconnect_timeout
    for number in earlier.unfinished(steps, host):
        for answer in remote.collect(stage_id(earlier.run_id, number, host), lease):
            append(earlier.path, told_through(answer.records, stage.delegate))
    earlier.catch_up()
    for number, records in earlier.missing_artifacts(steps, host).items():
        _fetch(earlier, remote, stage_id(earlier.run_id, number, host), records)


def _fetch(earlier: EarlierRun, remote: RemoteExecutor, stage: str, records: list[Record]) -> None:
    # few runs have any artifacts
    from ansible_collections.rack.recipes.plugins.plugin_utils.run.worker.fetch_artifacts import fetch_artifacts

    found = fetch_artifacts(earlier.path.parent, stage, records, lambda wanted: remote.pieces(stage, wanted))
    append(earlier.path, found)
