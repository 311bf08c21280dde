# SPDX-License-Identifier: GPL-3.0-or-later

"""The work and its proof, and what each contestant is given."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import BenchError, Job
from ansible_collections.rack.recipes.tests.bench.fleet.contestants import (
    ansible_variants,
    rack_recipes,
    step_workload,
)
from ansible_collections.rack.recipes.tests.unit.bench.fleet.sample_runs import SIZE


def run_script(command: str, host: str, step: int, evidence: Path) -> str:
    arguments = step_workload.arguments(host, step, evidence)
    script = f"set -- {arguments}\n{command}"
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("traces", "missing"),
    [
        ([1, 2, 3], ""),
        ([3, 1, 2], ""),
        ([1, 2], "r01 shows 2 steps, 2 of 3 right"),
        ([1, 2, 2], "r01 shows 3 steps, 2 of 3 right"),
        ([1, 2, 3, 3], "r01 shows 4 steps, 3 of 3 right"),
        ([], "r01 shows 0 steps, 0 of 3 right"),
    ],
)
def test_work_is_done_once_or_not_done(job: Job, traces: list[int], missing: str) -> None:
    for step in traces:
        run_script(step_workload.SCRIPT, "r01", step, job.evidence)
    assert step_workload.not_done(job.evidence, SIZE, ["r01"]) == missing


def test_the_command_chooses_by_itself_how_many_hosts_it_takes_at_once(job: Job) -> None:
    command = rack_recipes.many(job)
    assert command.argv == ("/venv/bin/rack-recipes", "run", "recipe.yml", "-i", str(job.inventory))
    assert "forks" not in (job.folder / "ansible.cfg").read_text()
    (job.folder / "stderr").write_text("at most 64 hosts at once (1 core); -f N sets another number\n")
    assert rack_recipes.at_once(job) == SIZE.hosts
    (job.folder / "stderr").write_text("")
    with pytest.raises(BenchError, match="did not say"):
        rack_recipes.at_once(job)


@pytest.mark.parametrize(
    ("recap", "wrong"),
    [
        ("r01 : ok=3 changed=3 unreachable=0 failed=0 skipped=0\nr02 : ok=3 changed=3 unreachable=0 failed=0", ""),
        ("r01 : ok=3 changed=3 unreachable=0 failed=0 skipped=0", "r02"),
        ("r01 : ok=2 changed=2 unreachable=0 failed=1\nr02 : ok=3 changed=3 unreachable=0 failed=0", "r01"),
        ("", "r01, r02"),
    ],
)
def test_recap_check(job: Job, recap: str, wrong: str) -> None:
    assert ansible_variants.recap_check(job, recap) == (f"Ansible's recap is wrong for {wrong}" if wrong else "")
