# SPDX-License-Identifier: GPL-3.0-or-later

"""The contestant without any tool, the floor: a new `ssh HOST sh` for each host, all at once.

A script on stdin runs `sh -c` for each step.
"""

from __future__ import annotations

import shlex

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Command, Job, Target
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.step_workload import SCRIPT, answer, arguments


def floor(job: Job) -> Command:
    """A shell script of the controller that starts the ssh commands and waits for each of them."""
    for target in job.targets:
        (job.folder / f"{target.name}.in").write_text(steps(job, target))
    script = job.folder / "floor.sh"
    script.write_text(controller(job))
    return Command(("/bin/sh", str(script)))


def steps(job: Job, target: Target) -> str:
    """What a host's shell reads from stdin."""
    lines = [
        f'sh -c "$step" step {arguments(target.name, step, job.evidence)} </dev/null || exit 1'
        for step in range(1, job.size.steps + 1)
    ]
    return "\n".join((f"step={shlex.quote(SCRIPT)}", *lines, ""))


def controller(job: Job) -> str:
    """The controller's part: every host in the background, failed when one of them failed."""
    folder = shlex.quote(str(job.folder))
    starts = [f'{ssh(target)} sh <{target.name}.in >{target.name}.out & all="$all $!"' for target in job.targets]
    ends = ["code=0", "for pid in $all; do wait $pid || code=1; done", "exit $code", ""]
    return "\n".join((f"cd {folder}", "all=", *starts, *ends))


def ssh(target: Target) -> str:
    """The ssh command to a host, without a persistent connection or anybody's configuration."""
    named = [*(["-l", target.user] if target.user else []), *(["-i", target.key] if target.key else [])]
    options = ["-F", "none", "-T", "-o", "BatchMode=yes", "-o", "ControlPath=none", "-p", str(target.port)]
    return shlex.join(["ssh", *options, *target.ssh_args, *named, target.address])


def check(job: Job, output: str) -> str:
    """Every answer must have come back, in order."""
    wanted = "".join(f"{answer(step)}\n" for step in range(1, job.size.steps + 1))
    wrong = [target.name for target in job.targets if (job.folder / f"{target.name}.out").read_text() != wanted]
    return f"wrong answers from {', '.join(wrong)}" if wrong else ""
