# SPDX-License-Identifier: GPL-3.0-or-later

"""The contestant rack.recipes, this project: a recipe, compiled once and run by `ansible-playbook`."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import BenchError, Command, Job
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.ansible_variants import settings
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.step_workload import SCRIPT, checksum

ACCOUNTED = Path(__file__).parents[1] / "measuring" / "measure_callback_cpu.py"
RECORDER = "rack.recipes.recorder"
CLI = "rack_recipes.cli.main"

SCRIPTLET = f"""#!/bin/sh
set -- "$RACK_HOST" "$RACK_PARAM_NUMBER" "$RACK_PARAM_EVIDENCE"
{SCRIPT}"""

SIDECAR = """description: Compute one checksum and leave a trace of it.
options:
  number: {type: int, required: true, description: Which step this is.}
  evidence: {type: path, required: true, description: The folder with a file of traces for each host.}
reads: []
writes: []
"""


def recipe(job: Job) -> str:
    """A recipe with a step for each script, in JSON, which is YAML.

    The rivals check nothing, so our steps check nothing either. Only the last step does, since a run without a check
    does not pass.
    """
    steps: list[dict[str, object]] = [
        {
            "idx": step,
            "name": f"step_{step}",
            "type": "shell",
            "module": "bench.step",
            "args": {"number": step, "evidence": str(job.evidence)},
            "success": "none",
        }
        for step in range(1, job.size.steps + 1)
    ]
    steps[-1]["success"] = {"values": [{"name": "steps", "value": len(steps), "eq": job.size.steps}]}
    meta = {"test_id": "BENCH-001", "tester": "bench", "description": f"{job.size} small scripts"}
    return json.dumps({"test_meta": meta, "steps": steps}, indent=1) + "\n"


def ours(job: Job) -> Command:
    """The compiled playbook, with recorder and SQLite store as a project has them."""
    return Command((str(job.programs / "ansible-playbook"), *arguments(job)), config(job))


def each(job: Job) -> Command:
    """The same, with a process for each host of a stage in place of one for all."""
    made = ours(job)
    return Command(made.argv, {**made.env, "RACK_RECIPES_ONE_PROCESS_FROM": "0"})


def many(job: Job) -> Command:
    """The command, with nothing set that says how many hosts it takes at once."""
    project(job)
    file = job.folder / "ansible.cfg"
    file.write_text(re.sub(r"^forks = .*\n", "", file.read_text(), flags=re.MULTILINE))
    return Command((str(job.programs / "rack-recipes"), "run", "recipe.yml", "-i", str(job.inventory)), config(job))


def at_once(job: Job) -> int:
    """How many hosts the last run took at once: all, unless the command said how many."""
    found = re.search(r"at most (\d+) at once", (job.folder / "stderr").read_text())
    return min(int(found[1]), job.size.hosts) if found else job.size.hosts


def recorder(job: Job) -> Command:
    """The same, while the recorder's CPU time is measured."""
    account = (str(job.programs / "python"), str(ACCOUNTED), str(job.folder / "account.json"), RECORDER)
    return Command((*account, *arguments(job)), config(job))


def arguments(job: Job) -> tuple[str, ...]:
    """Write the project and compile its recipe. Return the arguments of `ansible-playbook`."""
    playbook = job.folder / "playbook.yml"
    playbook.write_text(compiled(project(job)))
    return "-i", str(job.inventory), str(playbook)


def config(job: Job) -> dict[str, str]:
    """Where Ansible's settings are."""
    return {"ANSIBLE_CONFIG": str(job.folder / "ansible.cfg")}


def recorder_cpu(job: Job) -> float:
    """CPU seconds that the recorder used in the last run."""
    return float(json.loads((job.folder / "account.json").read_text())["seconds"])


def project(job: Job) -> Path:
    """The project's files in the job's folder; returns the recipe."""
    scriptlets = job.folder / "scriptlets" / "bench"
    scriptlets.mkdir(parents=True, exist_ok=True)
    script = scriptlets / "step.sh"
    script.write_text(SCRIPTLET)
    script.chmod(0o755)
    (scriptlets / "step.yml").write_text(SIDECAR)
    more = {"defaults": {"callbacks_enabled": RECORDER, "inject_facts_as_vars": "false"}}
    (job.folder / "ansible.cfg").write_text(settings(job, more))
    file = job.folder / "recipe.yml"
    file.write_text(recipe(job))
    return file


def compiled(file: Path) -> str:
    """The playbook that `rack-recipes compile` prints for a recipe."""
    argv = [sys.executable, "-c", f"from {CLI} import main; main()", "compile", file.name]
    done = subprocess.run(argv, cwd=file.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"rack-recipes compile ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def check(job: Job, output: str) -> str:
    """The store must hold every step of the newest run as passed, with what it measured."""
    query = """
        SELECT count(*), total(m.value) FROM steps s JOIN measurements m USING (run_id, host, step)
        WHERE s.verdict = 'passed' AND m.name = 'sum'
        AND s.run_id = (SELECT run_id FROM runs ORDER BY started DESC LIMIT 1)
    """
    connection = sqlite3.connect(f"file:{job.folder}/.rack-recipes/results.db?mode=ro", uri=True)
    try:
        found = connection.execute(query).fetchone()
    finally:
        connection.close()
    wanted = (job.size.results, job.size.hosts * sum(map(checksum, range(1, job.size.steps + 1))))
    return "" if found == wanted else f"the store has (results, sum) {found} in place of {wanted}"
