# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure one process for all hosts of a stage beside a process for each; the figures go into docs/performance.md.

    python tests/bench/one_process.py [--cases 32x20x8,1000x60x128,3000x600x128xone] [--steps 20] [--rounds 3] [--write]

A case is HOSTSxSECONDSxFORKS: so many hosts run short steps, and then one step of so many seconds, with `-f FORKS`. One
that ends in `xone` is not tried with a process for each host, which would take hours. The work of a step and the way
to measure are those of the fleet benchmark; so are the SSH hosts, of which 16 share an sshd.
With `--write` the figures go into docs/one_process.json. The page of the fleet benchmark shows them, which is written
after this.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).resolve().parents[1] / "rack")]

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Command, Contestant, Job, Run, Size
from ansible_collections.rack.recipes.tests.bench.fleet.contestants import rack_recipes
from ansible_collections.rack.recipes.tests.bench.fleet.measuring import target_host_cpu
from ansible_collections.rack.recipes.tests.bench.fleet.measuring.alternating_rounds import Course, play
from ansible_collections.rack.recipes.tests.bench.fleet.page import stored_sections
from ssh_hosts import MOST_SHARED, Rack

TIMEOUT = 7200  # seconds, of one run
WAYS = {"each": ("a process for each", 0), "one": ("one process", 2)}  # in words, and the setting
Case = tuple[int, int, int, tuple[str, ...]]  # hosts, seconds, forks, ways
LONG = "sleep {seconds}\n"


def contestants(seconds: int, forks: int, ways: Sequence[str]) -> Iterator[Contestant]:
    """These ways; `seconds` is how long a step lasts, 0 for short ones."""
    for name in ways:
        title, setting = WAYS[name]
        prepare = partial(command, setting, seconds, forks)
        yield Contestant(name, title, prepare, rack_recipes.check, at_once=lambda job: job.size.hosts)


def command(setting: int, seconds: int, forks: int, job: Job) -> Command:
    """A run of the recipe one way."""
    made = rack_recipes.many(job)
    script = job.folder / "scriptlets/bench/step.sh"
    if seconds:
        script.write_text(script.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{LONG.format(seconds=seconds)}"))
    return Command((*made.argv, "-f", str(forks)), {**made.env, "RACK_RECIPES_ONE_PROCESS_FROM": str(setting)})


def measured(cases: Sequence[Case], steps: int, rounds: int) -> dict[str, Any]:
    """The figures. Raises SystemExit where a run did not do its work."""
    about = stored_sections.about(rounds=rounds, steps=steps)
    rows = []
    for hosts, seconds, forks, ways in cases:
        with Rack(hosts, shared=min(MOST_SHARED, hosts)) as rack:
            for size, lasts in ((Size(hosts, steps), 0), (Size(hosts, 1), seconds)):
                rows += compared(rack.inventory, size, [*contestants(lasts, forks, ways)], lasts, forks, rounds)
    return {**about, "rows": rows}


def compared(
    inventory: Path, size: Size, ways: Sequence[Contestant], seconds: int, forks: int, rounds: int
) -> Iterator[list[Any]]:
    """A row for each way: hosts, steps, seconds of a step, forks, title, and medians of its figures."""
    with tempfile.TemporaryDirectory(prefix="one-process-") as folder:
        programs = dict.fromkeys(WAYS, Path(sys.executable).parent)
        course = Course(target_host_cpu.described(inventory), Path(folder), programs, TIMEOUT)
        runs = [*play(course, ways, [size], rounds, tell, is_warm=bool(seconds))]
    if failed := [run for run in runs if run.error]:
        raise SystemExit(f"{failed[0].contestant}: {failed[0].error}")
    for way in ways:
        counted = [run for run in runs if run.round and run.contestant == way.name]
        yield [size.hosts, size.steps, seconds, forks, way.title, *medians(counted)]


def medians(runs: Sequence[Run]) -> list[float]:
    """Wall time in s, CPU of the controller in s and in ms a host, memory of all processes in MiB."""
    figures = (
        [run.wall for run in runs],
        [run.controller_cpu for run in runs],
        [1000 * run.controller_cpu / run.hosts for run in runs],
        [(run.memory_kib or 0) / 1024 for run in runs],
    )
    return [round(statistics.median(values), 2) for values in figures]


def tell(text: str) -> None:
    """Print a line of progress on stderr."""
    sys.stderr.write(f"{text}\n")


def cases(text: str) -> list[Case]:
    """Parse HOSTSxSECONDSxFORKS and HOSTSxSECONDSxFORKSxone, separated by commas."""
    found = []
    for word in text.split(","):
        hosts, seconds, forks, *only = word.split("x")
        found.append((int(hosts), int(seconds), int(forks), tuple(only or WAYS)))
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print the figures, and write them where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cases", type=cases, default=cases("32x20x8,1000x60x128,3000x600x128xone"), metavar="HxSxF,..."
    )
    parser.add_argument("--steps", type=int, default=20, help="short ones")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(words)
    stored_sections.show("one_process", measured(options.cases, options.steps, options.rounds), write=options.write)


if __name__ == "__main__":
    main()
