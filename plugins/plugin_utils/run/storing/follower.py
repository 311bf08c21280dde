# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that follows a run's journal into the store: at an interval, when asked, and at the end."""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import suppress
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.view import now
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError, StoreError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.follow import Follower

NICE = 5
URL = "RACK_RECIPES_STORE"  # in the environment: arguments are shown to everybody


def main() -> None:
    """Serve `flush` and `end` on stdin, a line each, answered by `ok` or by what went wrong."""
    journal, interval, patience = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    store = Store(journal, os.environ.pop(URL), patience)
    store.prepare()
    due = time.monotonic() + interval
    while True:
        if select.select([0], [], [], max(0.0, due - time.monotonic()))[0]:
            words = os.read(0, 4096).split()
            if not words:
                _abandoned(journal)
            problem = store.flush()
            sys.stdout.write(f"{problem or 'ok'}\n" * len(words))
            sys.stdout.flush()
            if not words or words[-1] == b"end":
                raise SystemExit(StoreError.exit_code if problem else 0)
        else:
            store.flush()
            due = time.monotonic() + interval


class Store:
    """The database, opened at the first flush and again after a failure."""

    def __init__(self, journal: str, url: str, patience: float) -> None:
        self._journal = journal
        self._url = url
        self._patience = patience
        self._following: Any = None

    def flush(self) -> str:
        """Bring what is new into the store; returns what went wrong, empty for nothing."""
        try:
            self._following = self._following or self._open()
            self._following.catch_up()
        except RackError as error:
            self._following = None
            text = " ".join(str(error).split())
            sys.stderr.write(f"{now()} {text}\n")
            sys.stderr.flush()
            return text
        return ""

    def prepare(self) -> None:
        """Import what is slow to import (0.2 s) while the stages run, and let them go first."""
        os.nice(NICE)
        from ansible_collections.rack.recipes.plugins.plugin_utils.store.schema.tables import tables

        with suppress(StoreError):  # the first flush says what is missing
            tables()
        self._parts()

    def _open(self) -> Any:
        engine, following, limits = self._parts()
        return following(engine(self._url, self._patience), self._journal, limits(patience=self._patience))

    def _parts(self) -> tuple[Any, Any, Any]:
        from ansible_collections.rack.recipes.plugins.plugin_utils.store.engine import engine
        from ansible_collections.rack.recipes.plugins.plugin_utils.store.writing.follow import Following, Limits

        return engine, Following, Limits


def _abandoned(journal: str) -> None:
    """The run's process is gone; without an end the run was interrupted."""
    kinds = {line.record["kind"] for line in Follower(journal).read() if line.record}
    if "end" not in kinds:
        append(journal, [{"kind": "end", "time": now(), "status": "interrupted", "exit_code": 1, "counts": {}}])
