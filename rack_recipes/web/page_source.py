# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where pages get what they show: the store, the journals of runs that go on, the project's recipes and scriptlets."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from rack_recipes.errors import StoreError, UsageError
from rack_recipes.run.run_folders import is_run_held, journals
from rack_recipes.store.database_engine import open_store_for_reading
from rack_recipes.store.reading import recorded_runs
from rack_recipes.web.live_run import LiveRun

if TYPE_CHECKING:
    from sqlalchemy import Engine

NEWEST = 50
"""So many of the newest run folders are looked at for runs that go on."""

KEPT = 16
LARGEST_UPLOAD = 2**30  # bytes of a pack, unless the command says otherwise
LONGEST_ID = 100  # characters: longer names are no folders of runs


@dataclass
class PageSource:
    """The store at the URL `db`, the folder of `runs`, and the folder of the `project` with its `scriptlets`.

    With `may_run` pages may start the project's recipes, with this `inventory`; `started` are the processes of those,
    and who counts them to start one more holds `starting`.
    With `may_upload` other controllers may bring runs here, each as a pack of at most `most_upload` bytes; `brought`
    has when (monotonic), by whom and how many bytes.
    """

    db: str
    runs: Path
    project: Path = Path()
    scriptlets: tuple[Path, ...] = ()
    may_run: bool = False
    inventory: tuple[str, ...] = ()
    may_upload: bool = False
    most_upload: int = LARGEST_UPLOAD
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    brought: list[tuple[float, str, int]] = field(default_factory=list)
    starting: Lock = field(default_factory=Lock)
    _engine: Engine | None = None
    _lock: Lock = field(default_factory=Lock)
    _live: dict[str, LiveRun] = field(default_factory=dict)
    kept: dict[Any, Any] = field(default_factory=dict)

    def store(self) -> Engine:
        """The store, for reading. It is opened when the first page needs it. Raises StoreError."""
        with self._lock:
            if self._engine is None:
                self._engine = open_store_for_reading(self.db, 0.0)
            return self._engine

    def close(self) -> None:
        """Close the store."""
        if self._engine is not None:
            self._engine.dispose()

    def live(self, run_id: str) -> LiveRun | None:
        """A run whose journal is here and whose process is alive; None for any other."""
        folder = self.runs / run_id
        is_name = 0 < len(run_id) <= LONGEST_ID and folder.name == run_id
        if not is_name or not folder.is_dir() or not is_run_held(folder):
            self._live.pop(run_id, None)
            return None
        with self._lock:
            return self._live.setdefault(run_id, LiveRun(folder))

    def going_on(self) -> Mapping[str, LiveRun]:
        """The runs that go on, the newest first."""
        found = (path.parent.name for path in reversed(journals(self.runs)[-NEWEST:]))
        return {run_id: live for run_id in found if (live := self.live(run_id))}

    def has_run(self, run_id: str) -> bool:
        """Whether the store has a run of exactly this id; not so where there is no store."""
        try:
            return recorded_runs.find(self.store(), run_id) == run_id
        except (UsageError, StoreError):
            return False

    def running(self) -> list[str]:
        """The runs that pages have started and whose processes go on."""
        return [run_id for run_id, child in self.started.items() if child.poll() is None]

    def of_run[Made](self, run: Mapping[str, Any], name: str, make: Callable[[], Made]) -> Made:
        """What is made of all results of a run. Of a run that has ended it is made once, until its counts change."""
        if not run["ended"]:
            return make()
        key = (name, run["run_id"], run["ended"], json.dumps(run["counts"]))
        found: Made | None = self.kept.get(key)
        if found is None:
            found = self.keep(key, make())
        return found

    def keep(self, name: Any, value: Any) -> Any:
        """Remember what took long to make; the oldest goes when there are many."""
        with self._lock:
            self.kept[name] = value
            while len(self.kept) > KEPT:
                self.kept.pop(next(iter(self.kept), None))
        return value
