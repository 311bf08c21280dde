# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that stops a part of a run on its controller, for the command that has started it from elsewhere.

`python -P -m rack_recipes.run.stop_by_id RUN WHO`. That command does not know the part's folder here: the environment
of the part's own processes says it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rack_recipes.errors import UsageError
from rack_recipes.run.processes import RUN_ID
from rack_recipes.run.stop_run import stop_run

RUNS = "RACK_RECIPES_RUNS"
LONGEST = 20.0  # seconds: a part that is still starting has no folder yet
PAUSE = 0.5


def folders(run_id: str) -> Iterator[Path]:
    """The folder of a run, from each of its processes."""
    for process in Path("/proc").iterdir():
        with suppress(OSError, ValueError, KeyError):  # it has ended, or is another user's
            words = (process / "environ").read_bytes().split(b"\0") if process.name.isdigit() else []
            given = dict(os.fsdecode(word).split("=", 1) for word in words if b"=" in word)
            if given.get(RUN_ID) == run_id:
                yield (process / "cwd").readlink() / given[RUNS] / run_id


def stop(run_id: str, who: str) -> bool:
    """Stop the run once it has begun; returns whether it goes on no more by itself."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        found = [*folders(run_id)]
        if not found:
            return True
        with suppress(UsageError):
            stop_run(found[0], who)
            return True
        time.sleep(PAUSE)
    return False


if __name__ == "__main__":
    sys.exit(0 if stop(*sys.argv[1:]) else 1)
