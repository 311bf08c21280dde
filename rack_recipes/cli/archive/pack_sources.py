# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the run is that a command packs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rack_recipes.archive.export_pack import PackSource


@contextmanager
def pack_sources(options: argparse.Namespace) -> Iterator[list[PackSource]]:
    """Where the run is: its journal here, its rows in the store, or both; behind a group there are its parts.

    Raises UsageError, also for a run that goes on here.
    """
    from rack_recipes import settings
    from rack_recipes.cli.results.open_store import opened, run_id_of
    from rack_recipes.errors import StoreError
    from rack_recipes.run.run_folders import find_here
    from rack_recipes.store.writing.import_journal import run_of

    found = find_here(Path(settings.load().runs), options.run)
    journals = found.journals if found else []
    _refuse_running(journals)
    with ExitStack() as stack:
        try:
            store = stack.enter_context(opened(options))
        except StoreError:
            if found is None or found.is_group:
                raise
            store = None
        if found and not found.is_group:
            run_id = run_of(journals[0])
        else:
            run_id = run_id_of(store, found.run_id if found else options.run, options.db) if store else options.run
        yield [*_of_run(run_id, {run_of(journal): journal for journal in journals}, store)]


def _refuse_running(journals: Sequence[Path]) -> None:
    from rack_recipes.errors import UsageError
    from rack_recipes.run.run_folders import is_run_held

    for journal in journals:
        if is_run_held(journal.parent):
            raise UsageError(f"run {journal.parent.name} still goes on: it can be exported when it has ended")


def _of_run(run_id: str, journals: Mapping[str, Path], store: Engine | None) -> Iterator[PackSource]:
    """The run, then its parts where it is a group. `journals` has those that are here, by the id of their run."""
    from rack_recipes.archive.export_pack import IN_PARTS, PackSource
    from rack_recipes.store.reading import recorded_runs

    parts = [part["run_id"] for part in recorded_runs.parts(store, run_id)] if store else []
    about = {"absent": IN_PARTS} if parts else {}
    yield PackSource(run_id, journals.get(run_id), store, **about)
    yield from (PackSource(part, journals.get(part), store) for part in parts)
