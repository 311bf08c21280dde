# SPDX-License-Identifier: GPL-3.0-or-later

"""Types of the benchmark: a size of the work, a target host, a contestant, one run and its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MANY = "many"
"""The name of the contestant that shows how time and memory grow with the number of hosts."""


class BenchError(Exception):
    """The bench cannot go on; its text says why."""


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """How much work: `steps` small scripts on each of `hosts` hosts."""

    hosts: int
    steps: int

    @property
    def results(self) -> int:
        """How many scripts run in all."""
        return self.hosts * self.steps

    def __str__(self) -> str:
        return f"{self.hosts} x {self.steps}"


@dataclass(frozen=True, slots=True)
class Target:
    """A host as the inventory describes it; `ssh_args` are further words of the ssh command."""

    name: str
    address: str
    port: int = 22
    user: str = ""
    key: str = ""
    python: str = ""
    ssh_args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """What a contestant works with at one size.

    `folder` is the contestant's own and stays between rounds. `evidence` is emptied before each run. `programs` is the
    folder with the contestant's Python and commands.
    """

    size: Size
    folder: Path
    inventory: Path
    targets: tuple[Target, ...]
    programs: Path

    @property
    def evidence(self) -> Path:
        """The folder into which the scripts write one file for each host."""
        return self.folder / "evidence"


@dataclass(frozen=True, slots=True)
class Command:
    """One timed command; `env` is added to the clean environment that every contestant gets."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to do the work.

    `requirements` go into a virtual environment of its own, or into that of the contestant `environment`; without any,
    the bench's own Python is used. The page names the releases of `packages`.
    `prepare` writes what the command needs. `check` returns what is wrong with a finished run, given its
    stdout and stderr, or an empty text. `works` is false where no step runs. `recorder_cpu` reads what the last run's
    recorder used, where it is measured. `at_once` reads how many hosts the last run took at once; the memory of all of
    the command's processes is measured then, too.
    """

    name: str
    title: str
    prepare: Callable[[Job], Command]
    check: Callable[[Job, str], str]
    requirements: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    works: bool = True
    recorder_cpu: Callable[[Job], float] | None = None
    at_once: Callable[[Job], int] | None = None
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one run: times in seconds, memory in KiB, `load` as /proc/loadavg had it before.

    Round 0 warms up and counts for nothing. `error` is empty where the whole work was done.
    `recorder_cpu`, `at_once` (hosts) and `memory_kib` (of all processes together, its peak) are known only to the
    contestants that measure them.
    """

    contestant: str
    hosts: int
    steps: int
    round: int
    wall: float
    controller_cpu: float
    target_cpu: float
    max_rss_kib: int
    exit_code: int
    load: float
    error: str = ""
    recorder_cpu: float | None = None
    at_once: int | None = None
    memory_kib: int | None = None

    @property
    def size(self) -> Size:
        """The size that this run had."""
        return Size(self.hosts, self.steps)
