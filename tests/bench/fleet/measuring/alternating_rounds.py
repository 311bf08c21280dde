# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the contestants in turns, one round after the other."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import (
    BenchError,
    Command,
    Contestant,
    Job,
    Run,
    Size,
)
from ansible_collections.rack.recipes.tests.bench.fleet.contestants import step_workload, virtual_environments
from ansible_collections.rack.recipes.tests.bench.fleet.measuring import target_host_cpu

MEASURED = Path(__file__).with_name("measure_command.py")
NOTED = 600
"""How many characters of a failed command's output an error keeps."""
FAILURE = re.compile(r"^(fatal:|\[ERROR\]|Traceback)", re.MULTILINE)
"""Where a command's output begins to say why it failed; Ansible's ends with rows that do not."""


@dataclass(frozen=True, slots=True)
class Course:
    """Where the contestants run: the hosts' variables, the work folder, the environments' programs.

    `timeout` is the limit of one run. `spend` is how long a contestant may run at one size in all; then it is not
    started at that size again. Both are in seconds.
    """

    hosts: Mapping[str, Mapping[str, Any]]
    folder: Path
    programs: Mapping[str, Path]
    timeout: float
    spend: float = math.inf

    def job(self, contestant: Contestant, size: Size) -> Job:
        """Return a contestant's job. Its folder is the same at every size, so it has one database, as in real use."""
        chosen = dict(list(self.hosts.items())[: size.hosts])
        if len(chosen) < size.hosts:
            raise BenchError(f"{size} needs {size.hosts} hosts, the inventory has {len(chosen)}")
        folder = self.folder / contestant.name
        folder.mkdir(parents=True, exist_ok=True)
        inventory = self.folder / f"inventory-{size.hosts}.json"
        target_host_cpu.write_inventory(inventory, chosen)
        members = tuple(target_host_cpu.target(name, variables) for name, variables in chosen.items())
        return Job(size, folder, inventory, members, self.programs[contestant.name])


def turns(
    contestants: Sequence[Contestant], sizes: Sequence[Size], rounds: int, *, is_warm: bool = False
) -> Iterator[tuple[int, Size, str]]:
    """Yield who runs when: a warm-up of one step on all hosts, then rounds that each begin with another contestant.

    Where `is_warm`, all hosts have been connected to before.
    """
    names = [contestant.name for contestant in contestants]
    warm = Size(max(size.hosts for size in sizes), 1)
    if not is_warm:
        yield from ((0, warm, name) for name in names)
    for size in sizes:
        for number in range(1, rounds + 1):
            first = (number - 1) % len(names)
            yield from ((number, size, name) for name in names[first:] + names[:first])


def play(
    course: Course,
    contestants: Sequence[Contestant],
    sizes: Sequence[Size],
    rounds: int,
    tell: Callable[[str], None],
    *,
    is_warm: bool = False,
) -> Iterator[Run]:
    """Yield each run when it ends. A contestant that failed or used up its time at a size is not run there again."""
    named = {contestant.name: contestant for contestant in contestants}
    spent: dict[tuple[str, Size], float] = defaultdict(float)
    prepared: dict[str, tuple[Size, Command]] = {}
    for number, size, name in turns(contestants, sizes, rounds, is_warm=is_warm):
        if spent[name, size] >= course.spend:
            continue
        job = course.job(named[name], size)
        if name not in prepared or prepared[name][0] != size:
            prepared[name] = size, named[name].prepare(job)
        run = one(course, named[name], job, prepared[name][1], number)
        spent[name, size] += math.inf if run.error else run.wall
        tell(line(run))
        yield run


def one(course: Course, contestant: Contestant, job: Job, command: Command, number: int) -> Run:
    """One measured and checked run."""
    servers = target_host_cpu.listeners(job.targets)
    step_workload.clear(job.evidence)
    load, before = runnable(), target_host_cpu.target_cpu(servers)
    figures = measured(course, job, command, ["--memory"] if contestant.at_once else [])
    target_host_cpu.wait_until_idle(servers)
    stdout, stderr = (read(job.folder / name) for name in ("stdout", "stderr"))
    error = wrong(contestant, job, figures, stdout, stderr)
    return Run(
        contestant=contestant.name,
        hosts=job.size.hosts,
        steps=job.size.steps,
        round=number,
        wall=figures["wall"],
        controller_cpu=figures["cpu"],
        target_cpu=target_host_cpu.target_cpu(servers) - before,
        max_rss_kib=figures["max_rss_kib"],
        exit_code=figures["exit_code"],
        load=load,
        error=error,
        recorder_cpu=contestant.recorder_cpu(job) if contestant.recorder_cpu and not error else None,
        at_once=contestant.at_once(job) if contestant.at_once and not error else None,
        memory_kib=figures["memory_kib"],
    )


def measured(course: Course, job: Job, command: Command, more: Sequence[str]) -> dict[str, Any]:
    """Run a command under `measure_command.py`, in the job's folder; `more` are further options of that."""
    home = course.folder / "home"
    home.mkdir(exist_ok=True)
    stdout, stderr = job.folder / "stdout", job.folder / "stderr"
    limits = ["--stdout", str(stdout), "--stderr", str(stderr), "--timeout", str(course.timeout)]
    done = subprocess.run(
        [sys.executable, str(MEASURED), *limits, *more, "--", *command.argv],
        cwd=job.folder,
        env=virtual_environments.clean_environment(home, job.programs, command.env),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def wrong(contestant: Contestant, job: Job, figures: Mapping[str, Any], stdout: str, stderr: str) -> str:
    """What is wrong with a run, with the end of its output; empty when all of its work was done."""
    if figures["timed_out"]:
        return "took too long"
    if figures["exit_code"]:
        return f"exit code {figures['exit_code']}: {reason(stderr.strip(), stdout.strip())}"
    if figures["left"]:
        return f"left running: {', '.join(figures['left'])}"
    missing = (
        step_workload.not_done(job.evidence, job.size, (target.name for target in job.targets))
        if contestant.works
        else ""
    )
    return missing or contestant.check(job, f"{stdout}\n{stderr}")


def reason(stderr: str, stdout: str) -> str:
    """The part of a failed command's output that says why; the end of one of both where no line is known to."""
    for output in (stderr, stdout):
        if found := FAILURE.search(output):
            return output[found.start() :][:NOTED]
    return (stderr or stdout)[-NOTED:]


def read(path: Path) -> str:
    """A file of a command's output."""
    return path.read_text(errors="replace")


def runnable() -> float:
    """Return the average number of runnable processes over the last minute."""
    return float(Path("/proc/loadavg").read_text().split()[0])


def line(run: Run) -> str:
    """Return a line of progress about a run."""
    turn = f"round {run.round}" if run.round else "warm-up"
    cpu = f"cpu {run.controller_cpu:.2f} + {run.target_cpu:.2f} s"
    return f"{turn}  {run.size!s:>8}  {run.contestant:8} {run.wall:8.2f} s  {cpu}  {run.error}".rstrip()
