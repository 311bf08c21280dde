# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tests take the time of a run, and what each is for: a plugin of pytest. Python 3.9 reads it, too.

    python tests/tools/slowest_tests.py FILE...

prints what took most of several runs, of which each has written a file by `--times FILE`.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SHOWN = 20
NOTABLE = 5.0  # seconds; a run without such a test says nothing
TICK = 1 / os.sysconf("SC_CLK_TCK")


class Time(NamedTuple):
    """How long a test took with its fixtures, and the CPU time of it and of all processes below it, in seconds."""

    name: str
    seconds: float
    cpu: float
    purpose: str


class SlowestTests:
    """The plugin: adds up the phases of each test."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seconds: dict[str, float] = {}
        self._cpu: dict[str, float] = {}
        self._purposes: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep what each test is for."""
        self._purposes = {item.nodeid: purpose_of(item) for item in session.items}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Measure the CPU time."""
        before = used_cpu()
        try:
            return (yield)
        finally:
            self._cpu[item.nodeid] = max(0.0, used_cpu() - before)  # what has left its parent is not counted any more

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase."""
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table, and write all times where a file is wanted."""
        times = [
            Time(name, seconds, self._cpu.get(name, 0.0), self._purposes.get(name, ""))
            for name, seconds in self._seconds.items()
        ]
        for line in table([time for time in times if time.seconds >= NOTABLE]):
            terminalreporter.write_line(line)
        if self._path:
            self._path.write_text(json.dumps({"cpu": used_cpu(), "times": times}), encoding="utf-8")


def used_cpu() -> float:
    """The CPU time of this process and of all that came from it, in seconds.

    Those that live are asked one by one, as servers do that tests share. Of those that left their parents and have
    ended nobody knows.
    """
    return sum(os.times()[:4]) + sum(map(_cpu_of, children(os.getpid())))


def _cpu_of(pid: int) -> float:
    """The CPU time of a process, of its ended children, and of all below it."""
    try:
        ticks = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[11:15]
    except OSError:
        return 0.0
    return TICK * sum(map(int, ticks)) + sum(map(_cpu_of, children(pid)))


def children(pid: int) -> list[int]:
    """The living children of the first thread of a process."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split()]
    except OSError:
        return []


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
    lines = [
        f"{time.seconds:7.1f} s, CPU {time.cpu:5.1f} s  {time.name}\n           {time.purpose}".rstrip()
        for time in slowest
    ]
    return [f"The {len(slowest)} slowest tests, with their fixtures:", *lines]


def cpu_table(title: str, cpu: Iterable[tuple[str, float]]) -> list[str]:
    """The lines of a table of what took most CPU time, with names and seconds."""
    most = sorted(cpu, key=lambda row: -row[1])[:SHOWN]
    return [title, *(f"{seconds:7.1f} s  {name}" for name, seconds in most)]


def by_file(times: Iterable[Time]) -> dict[str, float]:
    """The CPU seconds of each file of tests."""
    found: dict[str, float] = {}
    for time in times:
        name = time.name.partition("::")[0]
        found[name] = found.get(name, 0.0) + time.cpu
    return found


def main(arguments: Sequence[str]) -> int:
    """Print what took most in these files; those that are not there are left out."""
    read = {Path(name).stem: json.loads(Path(name).read_text("utf-8")) for name in arguments if Path(name).exists()}
    times = [Time(*row) for run in read.values() for row in run["times"]]
    lines = [
        *table(times),
        *cpu_table("CPU time of each part:", ((name, run["cpu"]) for name, run in read.items())),
        *cpu_table("CPU time of the files with most:", by_file(times).items()),
        *cpu_table("CPU time of the tests with most:", ((time.name, time.cpu) for time in times)),
    ]
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
