# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare this project with its rivals on the same work, over the same hosts, in one run.

python -m tests.bench.fleet --hosts 1,8,32 --steps 20,100 --rounds 5 --write docs/performance.md
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import MANY, BenchError, Contestant, Run, Size
from ansible_collections.rack.recipes.tests.bench.fleet.contestants import virtual_environments
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.contestant_list import CONTESTANTS, NAMED
from ansible_collections.rack.recipes.tests.bench.fleet.measuring import machine_facts, target_host_cpu
from ansible_collections.rack.recipes.tests.bench.fleet.measuring.alternating_rounds import Course, play
from ansible_collections.rack.recipes.tests.bench.fleet.page import performance_page
from ansible_collections.rack.recipes.tests.bench.fleet.page.medians_and_ratios import SMALL, cpu, ratio
from ansible_collections.rack.recipes.tests.bench.fleet.page.performance_page import Findings

RACK = Path(__file__).parents[2] / "rack" / "ssh_hosts.py"
INVENTORY = "RACK_INVENTORY"
MOST_SERVERS = 100  # sshd processes; with more hosts, several of them share one
RIVALS = tuple(contestant for contestant in CONTESTANTS if contestant.name != MANY)
SLICE_CONTESTANTS, SLICE_ROUNDS = "ours,plain,floor", 1
JUDGED = "ours"  # whose failure the slice does not forgive
SPEND = "start no contestant again at a size where it has taken that many seconds (default: no limit)"
SLICE_LIMIT = 12.0
"""Plain Ansible's CPU time by this project's at 8 x 20: half of what it is. Wall time would not do: on a busy machine
the many processes of plain Ansible get more of the cores than our few."""


def main(words: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    words = sys.argv[1:] if words is None else words
    options = parsed(words)
    try:
        if options.render:
            return rendered(options)
        if not options.inventory:
            return with_hosts(options, words)
        return bench(options)
    except BenchError as error:
        tell(f"fleet: {error}")
        return 2


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """Parse the options. `--slice` is short for several of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=numbers, default=[1, 8, 32], metavar="N,...", help="default: 1,8,32")
    parser.add_argument("--steps", type=numbers, default=[20, 100], metavar="N,...", help="default: 20,100")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="counted rounds (default: 5)")
    parser.add_argument("--only", type=chosen, default=RIVALS, metavar="NAME,...", help=f"of {', '.join(NAMED)}")
    parser.add_argument("--slice", action="store_true", help="8 x 20 of ours, plain, floor: a check for CI")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page of documentation")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run's figures, anew after each run")
    parser.add_argument("--render", type=Path, nargs="+", metavar="FILE", help="measure nothing, join these figures")
    parser.add_argument("--inventory", type=Path, metavar="FILE", help="hosts that run already (else new ones)")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keeps the rivals' virtual environments")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="keep every contestant's files here")
    parser.add_argument("--timeout", type=float, default=3600, metavar="S", help="of one run (default: 3600)")
    parser.add_argument("--spend", type=float, default=math.inf, metavar="S", help=SPEND)
    options = parser.parse_args(words)
    if options.slice:
        options.hosts, options.steps, options.rounds = [SMALL.hosts], [SMALL.steps], SLICE_ROUNDS
        options.only = chosen(SLICE_CONTESTANTS)
    if not options.inventory and INVENTORY in os.environ:
        options.inventory = Path(os.environ[INVENTORY])
    return options


def numbers(text: str) -> list[int]:
    """Parse numbers of at least 1, separated by commas."""
    found = sorted({int(word) for word in text.split(",")})
    if found[0] < 1:
        raise argparse.ArgumentTypeError("numbers from 1 on")
    return found


def chosen(text: str) -> tuple[Contestant, ...]:
    """Contestants by their names, in the order of the table."""
    names = set(text.split(","))
    if unknown := names - NAMED.keys():
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(NAMED)}")
    return tuple(contestant for contestant in CONTESTANTS if contestant.name in names)


def with_hosts(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Run this command again with SSH hosts of its own, which are stopped afterwards."""
    most = max(options.hosts)
    count = ["--count", str(most), *(["--shared", "16"] if most > MOST_SERVERS else [])]
    again = [sys.executable, "-m", str(__package__), *words]
    return subprocess.call([sys.executable, str(RACK), "run", *count, "--", *again])


def rendered(options: argparse.Namespace) -> int:
    """Write the page from figures that were measured before."""
    publish(options, performance_page.joined([performance_page.from_json(path.read_text()) for path in options.render]))
    return 0


def bench(options: argparse.Namespace) -> int:
    """Measure, then write what was found."""
    folder = options.work.absolute() if options.work else Path(tempfile.mkdtemp(prefix="fleet-"))
    try:
        findings = measured(options, folder)
        failed = failed_contestants(findings)
        if options.slice and failed and JUDGED not in failed:
            tell("fleet: the failure of a rival says nothing of this project, so all of this runs once more")
            findings = measured(options, folder)
    finally:
        if not options.work:
            shutil.rmtree(folder, ignore_errors=True)
    publish(options, findings)
    if failed_contestants(findings):
        return 1
    return judged(findings) if options.slice else 0


def failed_contestants(findings: Findings) -> set[str]:
    """The contestants of which a run failed."""
    return {run.contestant for run in findings.runs if run.error}


def measured(options: argparse.Namespace, folder: Path) -> Findings:
    """Run everything. After each run the figures so far are saved."""
    cache = options.cache or virtual_environments.default_cache()
    programs = {
        one.name: virtual_environments.programs(cache, one.environment or one.name, one.requirements)
        for one in options.only
    }
    hosts = target_host_cpu.described(options.inventory)
    sizes = [Size(hosts, steps) for hosts in options.hosts for steps in options.steps]
    course = Course(hosts, folder, programs, options.timeout, options.spend)
    about = {
        "rounds": options.rounds,
        "machine": machine_facts.facts(hosts.values()),
        "contestants": {one.name: one.title for one in options.only},
        "versions": {one.name: virtual_environments.releases(programs[one.name], one.packages) for one in options.only},
    }
    started, runs = now(), list[Run]()
    for run in play(course, options.only, sizes, options.rounds, tell):
        runs.append(run)
        if options.json:
            write(options.json, performance_page.to_json(Findings(started, now(), **about, runs=tuple(runs))))
    return Findings(started, now(), **about, runs=tuple(runs))


def publish(options: argparse.Namespace, findings: Findings) -> None:
    """The page to its file, or to stdout; the figures to theirs."""
    text = performance_page.page(findings)
    if options.json:
        write(options.json, performance_page.to_json(findings))
    if options.write:
        write(options.write, text)
    else:
        print(text)


def write(path: Path, text: str) -> None:
    """A file, and its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def judged(findings: Findings) -> int:
    """Return the exit code of `--slice`: 1 only if the ratio is far below the goal."""
    found = ratio(findings.runs, "plain", JUDGED, SMALL, cpu)
    if not found:
        raise BenchError("the slice has no ratio of plain Ansible and this project")
    wanted = f"at least {SLICE_LIMIT:g} wanted"
    tell(f"fleet: plain Ansible takes {performance_page.shown(found)} times the CPU time of this project, {wanted}")
    return 0 if found.median >= SLICE_LIMIT else 1


def now() -> str:
    """The time, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def tell(text: str) -> None:
    """Print a line of progress on stderr, since stdout is for the page."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
