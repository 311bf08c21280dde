# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches a run in parts, whose journals may be on several machines: what the store has of them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from rack_recipes.cli.command_options import Answer
from rack_recipes.cli.open_store import open_store
from rack_recipes.cli.results.finish_flush_db import group_answer, may_come
from rack_recipes.errors import StoreError, UsageError
from rack_recipes.journal.step_results_and_end_status import counts_in_words
from rack_recipes.run.launcher.progress_and_summary import StatusLine
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.reading.counts_and_short_results import count_results
from rack_recipes.store.writing.choose_part_results import Group
from rack_recipes.store.writing.write_group_run import read_group

PAUSE = 1.0  # seconds between two looks at the store


def watch_parts(options: argparse.Namespace) -> Answer | None:
    """Show how far the parts are until all have ended, then the result of the whole; None where there is no group."""
    try:
        with open_store(options) as store:
            run = _watched(store, recorded_runs.find(store, options.run))
    except (UsageError, StoreError):  # the command says that it knows no such run
        return None
    return group_answer(run, as_json=options.json)


def _watched(store: Engine, group_id: str) -> dict[str, Any]:
    """The run of the group once all parts have ended. Raises UsageError where there is no group."""
    group, drawing = read_group(store, group_id), StatusLine(sys.stderr)
    try:
        while may_come(group):
            if drawing.shown:
                counted = count_results(store, [part.run_id for part in group.parts], "verdict")
                drawing.draw(_line(group, {row["verdict"]: row["results"] for row in counted}))
            time.sleep(PAUSE)
            group = read_group(store, group_id)
    finally:
        drawing.clear()
    return _joined(store, group_id)


def _joined(store: Engine, run_id: str) -> dict[str, Any]:
    """The run of the group. Who stored the end of the last part may still be busy with it."""
    while (run := recorded_runs.run(store, run_id))["exit_code"] is None:
        time.sleep(PAUSE)
    return run


def _line(group: Group, counts: Mapping[str, int]) -> str:
    over = sum(part.is_over for part in group.parts)
    return f"{over} of {max(len(group.parts), group.expected)} parts are over  {counts_in_words(counts)}"
