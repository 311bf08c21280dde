# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run whose context several servers share, and this server's copy of its journal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.context.merge_policies import hook_of
from rack_recipes.errors import UsageError
from rack_recipes.journal.record_fields import encode
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.run.processes import new_run_id
from rack_recipes.run.run_folders import hold_run_until_exit
from rack_recipes.server.open_served_run import SHARED, ServedRun, first_record
from rack_recipes.server.shared.shared_commit import SharedLogError
from rack_recipes.server.shared.valkey_log import ValkeyLog, current_run
from rack_recipes.settings import Settings

if TYPE_CHECKING:
    import valkey


def open_shared_run(settings: Settings, client: valkey.Valkey, *, new: bool = False) -> tuple[ServedRun, ValkeyLog]:
    """The run that the servers at this Valkey share, with `new` another one. Raises UsageError."""
    if any(hook_of(policy) for _pattern, policy in settings.merge):
        raise UsageError("merge hooks run in one server: take them out of the setting `merge`, or serve without Valkey")
    run_id = current_run(client, new_run_id(), new=new)
    journal = Path(settings.runs) / run_id / JOURNAL
    make_private(journal.parent)
    try:
        hold_run_until_exit(journal.parent)
    except UsageError:
        raise UsageError(
            f"run {run_id} is served from this folder already: another server needs a folder of runs of its own "
            "(RACK_RECIPES_RUNS)"
        ) from None
    log = ValkeyLog(client, run_id, _copied(journal))
    first = {**first_record(run_id, settings, {}), SHARED: True}
    try:
        log.begin(encode(first))
    except SharedLogError as error:
        raise UsageError(str(error)) from error
    return ServedRun(run_id, journal, None), log


def _copied(journal: Path) -> Iterator[bytes]:
    """The entries that the copy has, as they stand in the log; what a killed server left unfinished is cut off."""
    read, whole = 0, 0
    with os.fdopen(os.open(journal, os.O_RDWR | os.O_CREAT, FILE_MODE), "r+b") as copy:
        for line in copy:
            read += len(line)
            if line != b"\n" and line.endswith(b"\n"):
                whole = read
                yield b"\n" + line
        copy.truncate(whole)
