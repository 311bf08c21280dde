# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tests take the time of a run, and what each is for: a plugin of pytest. Python 3.9 reads it, too.

    python tests/tools/slowest_tests.py FILE...

prints the slowest of several runs, of which each has written a file by `--times FILE`.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SHOWN = 20
NOTABLE = 5.0  # seconds; a run without such a test says nothing


class Time(NamedTuple):
    """How long a test took, with its fixtures, in seconds."""

    name: str
    seconds: float
    purpose: str


class SlowestTests:
    """The plugin: adds up the phases of each test."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seconds: dict[str, float] = {}
        self._purposes: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep what each test is for."""
        self._purposes = {item.nodeid: purpose_of(item) for item in session.items}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase."""
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table, and write all times where a file is wanted."""
        times = [Time(name, seconds, self._purposes.get(name, "")) for name, seconds in self._seconds.items()]
        for line in table([time for time in times if time.seconds >= NOTABLE]):
            terminalreporter.write_line(line)
        if self._path:
            self._path.write_text(json.dumps(times), encoding="utf-8")


def purpose_of(item: pytest.Item) -> str:
    """The first line of a test's docstring; without one, that of its file."""
    documented = (getattr(item, "obj", None), getattr(item, "module", None))
    texts = (inspect.getdoc(each) for each in documented if each is not None)
    return next((text.splitlines()[0] for text in texts if text), "")


def table(times: Iterable[Time]) -> list[str]:
    """The lines of a table of the slowest; none where there is no time."""
    slowest = sorted(times, key=lambda time: -time.seconds)[:SHOWN]
    if not slowest:
        return []
    lines = [f"{time.seconds:7.1f} s  {time.name}\n           {time.purpose}".rstrip() for time in slowest]
    return [f"The {len(slowest)} slowest tests, with their fixtures:", *lines]


def main(arguments: Sequence[str]) -> int:
    """Print the slowest tests of these files; those that are not there are left out."""
    read = (json.loads(Path(name).read_text(encoding="utf-8")) for name in arguments if Path(name).exists())
    print("\n".join(table(Time(*row) for rows in read for row in rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
