# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure a run in several parts beside the same run by one controller, and write the figures for docs/performance.md.

    python tests/bench/group_speed.py [--parts 8] [--hosts 32] [--steps 20] [--rounds 3] [--write]

`--hosts` is how many each part has. All parts start together and share a store. The work of a step and the way to
measure are those of the fleet benchmark; so are the SSH hosts, of which 16 share an sshd. Of two recipes, the last step
of the second one depends on all hosts: there the parts meet at a context server. With `--write` the figures go into
docs/group.json. The page of the fleet benchmark shows them, which is written after this.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

sys.path += [str(Path(__file__).resolve().parents[1] / "rack")]

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Command, Contestant, Job, Run, Size
from ansible_collections.rack.recipes.tests.bench.fleet.contestants import rack_recipes
from ansible_collections.rack.recipes.tests.bench.fleet.measuring import target_host_cpu
from ansible_collections.rack.recipes.tests.bench.fleet.measuring.alternating_rounds import Course, play
from ansible_collections.rack.recipes.tests.bench.fleet.page import stored_sections
from ansible_collections.rack.recipes.tests.integration.server.server_process import served
from ssh_hosts import MOST_SHARED, Rack

TIMEOUT = 3600  # seconds, of one run
GROUP = "group"  # the file with the id of the last group
MEETS = "parts_wide"  # the contestant that uses the server
SCRIPT = """\
group="bench-$(date +%s%N)"
printf %s "$group" > {file}
pids=""
{parts}
code=0
for pid in $pids; do wait "$pid" || code=$?; done
for number in $(seq {number}); do cat "part-$number" >&2; done
exit $code
"""
PART = '{run} --limit {hosts} --group "$group" --parts {number} > part-{place} 2>&1 & pids="$pids $!"'


def contestants(parts: int, server: str) -> tuple[Contestant, ...]:
    """One controller and the parts, for both recipes; `server` is the socket of the server."""
    several = f"{parts} parts"
    last = "a step that depends on all hosts"
    return (
        Contestant("one", "one controller", one, rack_recipes.check),
        Contestant("parts", several, partial(divided, parts), check_group),
        Contestant("one_wide", f"one controller, {last}", one_wide, rack_recipes.check),
        Contestant(MEETS, f"{several} that meet at a server, {last}", partial(meeting, parts, server), check_group),
    )


def one(job: Job) -> Command:
    """One controller for all hosts."""
    return rack_recipes.many(job)


def one_wide(job: Job) -> Command:
    """The same, with a step at the end that depends on all hosts."""
    made = one(job)
    depend_on_all(job.folder / "recipe.yml")
    return made


def divided(parts: int, job: Job) -> Command:
    """A controller for each part, all at once; a new group each time."""
    run = shlex.join(rack_recipes.many(job).argv)
    size = job.size.hosts // parts
    lines = [
        PART.format(run=run, hosts=f"'all[{at * size}:{(at + 1) * size - 1}]'", number=parts, place=at + 1)
        for at in range(parts)
    ]
    script = job.folder / "parts.sh"
    script.write_text(SCRIPT.format(file=GROUP, parts="\n".join(lines), number=parts))
    return Command(("/bin/sh", str(script)), rack_recipes.config(job))


def meeting(parts: int, server: str, job: Job) -> Command:
    """The same, with a step at the end for which the parts meet at the server."""
    made = divided(parts, job)
    depend_on_all(job.folder / "recipe.yml")
    return Command(made.argv, {**made.env, "RACK_RECIPES_SERVER": server})


def depend_on_all(recipe: Path) -> None:
    """Let the last step of a recipe depend on all hosts of the step before."""
    data = json.loads(recipe.read_text())
    *_earlier, before, last = data["steps"]
    last["depends_on"] = [{"step": before["name"], "hosts": "all"}]
    recipe.write_text(json.dumps(data, indent=1) + "\n")


def check_group(job: Job, _output: str) -> str:
    """The store must hold every step of the whole run as passed."""
    group = (job.folder / GROUP).read_text()
    query = """
        SELECT r.status, count(*) FROM runs r JOIN steps s USING (run_id)
        WHERE run_id = ? AND s.verdict = 'passed' GROUP BY r.status
    """
    connection = sqlite3.connect(f"file:{job.folder}/.rack-recipes/results.db?mode=ro", uri=True)
    try:
        found = connection.execute(query, (group,)).fetchone()
    finally:
        connection.close()
    wanted = ("passed", job.size.results)
    return "" if found == wanted else f"the store has {found} of the group in place of {wanted}"


def measured(parts: int, hosts: int, steps: int, rounds: int) -> dict[str, Any]:
    """The figures; times are seconds. Raises SystemExit where a run did not do its work."""
    about = stored_sections.about(rounds=rounds, parts=parts, hosts=hosts, steps=steps)
    size = Size(parts * hosts, steps)
    with Rack(size.hosts, shared=min(MOST_SHARED, size.hosts)) as rack, server_in_folder() as (folder, server, process):
        everybody = contestants(parts, server)
        programs = dict.fromkeys((each.name for each in everybody), Path(sys.executable).parent)
        course = Course(target_host_cpu.described(rack.inventory), folder, programs, TIMEOUT)
        before = used(process)
        runs = [*play(course, everybody, [size], rounds, tell)]
        share = (used(process) - before) / (rounds + 1)  # one run of each warms up
    if failed := [run for run in runs if run.error]:
        raise SystemExit(f"{failed[0].contestant}: {failed[0].error}")
    return {**about, "rows": [row(each, runs, {MEETS: share}) for each in everybody]}


@contextmanager
def server_in_folder() -> Iterator[tuple[Path, str, psutil.Process]]:
    """A folder for all files, the socket of a server whose project is in it, and the server's process."""
    with tempfile.TemporaryDirectory(prefix="group-speed-") as name:
        project = Path(name, "server")
        project.mkdir()
        with chdir(project), served() as server:
            yield Path(name), server.socket, psutil.Process(server.process.pid)


def used(process: psutil.Process) -> float:
    """CPU seconds that a process has used so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def row(contestant: Contestant, runs: Sequence[Run], shares: Mapping[str, float]) -> list[Any]:
    """A contestant's name and title, and medians: time, CPU of the controllers and the server, CPU of the hosts."""
    counted = [run for run in runs if run.round and run.contestant == contestant.name]
    figures = (
        statistics.median(run.wall for run in counted),
        statistics.median(run.controller_cpu for run in counted) + shares.get(contestant.name, 0.0),
        statistics.median(run.target_cpu for run in counted),
    )
    return [contestant.name, contestant.title, *(round(figure, 2) for figure in figures)]


def tell(text: str) -> None:
    """Print a line of progress on stderr."""
    sys.stderr.write(f"{text}\n")


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print the figures, and write them where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--hosts", type=int, default=32, help="of each part")
    parser.add_argument("--steps", type=int, default=20, help="at least 2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(words)
    figures = measured(options.parts, options.hosts, options.steps, options.rounds)
    stored_sections.show("group", figures, write=options.write)


if __name__ == "__main__":
    main()
