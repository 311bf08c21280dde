# SPDX-License-Identifier: GPL-3.0-or-later

"""How people name a run: by its id, the beginning of it, `last`, or `last~2`, which is two runs before that."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rack_recipes.errors import UsageError, counted

NEWEST = "last"
LAST = re.compile(rf"{NEWEST}(?:~(\d{{1,6}}))?")
MOST_SHOWN = 5


def runs_back(name: str) -> int | None:
    """How many runs before the newest a name means: 0 for `last` and for an empty one; None for an id."""
    if not name:
        return 0
    found = LAST.fullmatch(name)
    return int(found[1] or 0) if found else None


def choose_run(name: str, newest_first: Sequence[str], where: str) -> str | None:
    """The id that a name means; `newest_first` are the ids that it may mean. None where no id begins so.

    `where` says where they are, for messages. Raises UsageError where several begin so, and for a `last` that reaches
    behind the first run.
    """
    back = runs_back(name)
    if name in newest_first:
        return name
    if back is not None:
        if not newest_first:
            raise UsageError(f"there are no runs in {where}")
        if back >= len(newest_first):
            few = len(newest_first)
            raise UsageError(f"{name}: there {'is' if few == 1 else 'are'} only {counted(few, 'run')} in {where}")
        return newest_first[back]
    found = [run for run in newest_first if run.startswith(name)]
    if len(found) > 1:
        raise UsageError(f"{len(found)} runs begin with {name!r}: {', '.join(found[:MOST_SHOWN])}")
    return found[0] if found else None
