# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands watch and stop: the progress of a run that goes on and what it uses of this machine, and its end."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.errors import UsageError

if TYPE_CHECKING:
    import psutil
MIB = 1024 * 1024


class ProcessUsage:
    """The processes of a run: the one that holds the lock of its folder, and its descendants."""

    def __init__(self, folder: Path) -> None:
        self._lock = str((folder / "lock").resolve())
        self._known: dict[int, psutil.Process] = {}

    def line(self) -> str:
        """Return a line with the number of processes, their CPU since the last call and their memory.

        The CPU is in percent of one core. Memory that processes share counts for each of them. The line is empty if
        no process is found.
        """
        import psutil

        controller = next(iter(self._known.values()), None) or next(_holders(self._lock), None)
        if controller is None:
            return ""
        try:
            found = [controller, *controller.children(recursive=True)]
        except psutil.Error:  # it ended
            self._known = {}
            return ""
        self._known = {process.pid: self._known.get(process.pid, process) for process in found}
        percent, size = 0.0, 0
        for process in self._known.values():
            with suppress(psutil.Error):
                percent += process.cpu_percent()
                size += process.memory_info().rss
        processes = "1 process" if len(found) == 1 else f"{len(found)} processes"
        return f"controller: {processes}, {percent:.0f} % of a core, {size / MIB:.0f} MiB"


def _holders(path: str) -> Iterator[psutil.Process]:
    """Yield the processes that have a file open, as far as this user may see them.

    Parents come before their children.
    """
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(file.path == path for file in process.open_files()):
                yield process


PAUSE = 0.3  # seconds between two drawings
GONE = 3.0  # seconds: a run whose process has been gone for so long writes no end any more
NO_END = "its process is gone, and has written no end"


@takes(
    """
    [RUN]
    --db URL
    examples:
    rack-recipes watch
    rack-recipes watch 20261125-1444
    rack-recipes watch night-42
    """
)
def watch(options: argparse.Namespace) -> Answer:
    """Show the progress of a run until it ends, its use of this machine's CPU and memory, and then its result.

    It works from any terminal of the machine that the run is on, and in several terminals at once. A run in parts is
    watched by its group's id, from any machine that can read the store.
    """
    from rack_recipes import settings
    from rack_recipes.cli.running.run_end_summary import print_summary
    from rack_recipes.run.launcher.progress_and_summary import Progress, StatusLine, summarize
    from rack_recipes.run.run_folders import is_run_held, journal_of

    try:
        path = journal_of(Path(settings.load().runs), options.run)
    except UsageError:
        from rack_recipes.cli.running.watch_parts import watch_parts

        if not options.run or (of_parts := watch_parts(options)) is None:
            raise
        return of_parts
    progress, load, drawing = Progress.of(path), ProcessUsage(path.parent), StatusLine(sys.stderr)
    progress.catch_up()
    seen = time.monotonic()
    try:
        while not progress.end:
            if is_run_held(path.parent):
                seen = time.monotonic()
            elif time.monotonic() - seen > GONE:
                break
            if drawing.shown:
                drawing.draw("  ".join(filter(None, [progress.line(), load.line()])))
            time.sleep(PAUSE)
            progress.catch_up()
    finally:
        drawing.clear()
    summary = summarize(path)
    answer = {**summary.to_data(), **({} if progress.end else {"reason": NO_END})}
    if not options.json:
        print_summary(summary, answer)
    return answer, summary.exit_code


@takes(
    """
    RUN  the run that goes on: its id, its beginning, or `last`
    examples:
    rack-recipes stop 20261129-101500
    rack-recipes stop 20261129-101500 --json
    """
)
def stop(options: argparse.Namespace) -> Answer:
    """Stop a run that goes on on this machine, as Ctrl-C does in its own terminal.

    Its steps are ended on their hosts, and what is left gets a result that says so. The run's journal, its report and
    `show` say who has asked for it and when. This command does not wait for the end: `rack-recipes watch RUN` does. Of
    a run in parts it stops all parts that go on on this machine.
    """
    from rack_recipes import settings
    from rack_recipes.run.run_folders import find_run
    from rack_recipes.run.stop_run import stop_parts, stop_run
    from rack_recipes.run.trust.os_user import this_user

    found, who = find_run(Path(settings.load().runs), options.run), this_user().name
    if found.is_group:
        parts = stop_parts(found.run_id, [journal.parent for journal in found.journals], who)
        return {"status": "ok", "run_id": found.run_id, "parts": parts}, 0
    return {"status": "ok", "run_id": found.run_id, "controller": stop_run(found.journals[0].parent, who)}, 0
