# SPDX-License-Identifier: GPL-3.0-or-later

"""The contestants that are Ansible: plain, with ARA's recorder, with Mitogen's strategy, and an empty playbook."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Command, Job
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.step_workload import SCRIPT, arguments

RECAP = re.compile(r"^(\S+)\s+: ok=(\d+) .*unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


def playbook(job: Job) -> list[dict[str, Any]]:
    """Return a playbook with one task for each step, as one would write it in plain Ansible."""
    tasks = [
        {
            "name": f"Step {step}",
            "ansible.builtin.shell": {
                "cmd": f"set -- {arguments('{{ inventory_hostname }}', step, job.evidence)}\n{SCRIPT}"
            },
        }
        for step in range(1, job.size.steps + 1)
    ]
    return [{"name": "Bench", "hosts": "all", "gather_facts": False, "tasks": tasks}]


def settings(job: Job, more: Mapping[str, Mapping[str, str]]) -> str:
    """Return an ansible.cfg with the speed-ups that Ansible's manual names: all hosts at once, pipelining."""
    sections: dict[str, dict[str, str]] = {
        "defaults": {"forks": str(job.size.hosts), "host_key_checking": "false", "retry_files_enabled": "false"},
        "ssh_connection": {"pipelining": "true"},
    }
    for section, pairs in more.items():
        sections.setdefault(section, {}).update(pairs)
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in pairs.items())
        for section, pairs in sections.items()
    )


def command(job: Job, play: list[dict[str, Any]], more: Mapping[str, Mapping[str, str]]) -> Command:
    """`ansible-playbook` with a playbook and settings of its own."""
    config, file = job.folder / "ansible.cfg", job.folder / "playbook.json"
    config.write_text(settings(job, more))
    file.write_text(json.dumps(play, indent=1) + "\n")
    argv = (str(job.programs / "ansible-playbook"), "-i", str(job.inventory), str(file))
    return Command(argv, {"ANSIBLE_CONFIG": str(config)})


def plain(job: Job) -> Command:
    """Plain Ansible."""
    return command(job, playbook(job), {})


def ara(job: Job) -> Command:
    """Plain Ansible whose results ARA records in its SQLite database, inside the Ansible process."""
    base = job.folder / "ara"
    callbacks = site_packages(job) / "ara" / "plugins" / "callback"
    made = command(job, playbook(job), {"defaults": {"callback_plugins": str(callbacks)}})
    return Command(made.argv, {**made.env, "ARA_BASE_DIR": str(base), "ARA_API_CLIENT": "offline"})


def mitogen(job: Job) -> Command:
    """Plain Ansible with Mitogen's strategy in place of its own `linear`."""
    strategies = site_packages(job) / "ansible_mitogen" / "plugins" / "strategy"
    more = {"strategy_plugins": str(strategies), "strategy": "mitogen_linear"}
    return command(job, playbook(job), {"defaults": more})


def noop(job: Job) -> Command:
    """A playbook that does nothing. It shows what starting and ending Ansible costs."""
    tasks = [{"name": "Nothing", "ansible.builtin.meta": "noop"}]
    play = {"name": "Bench", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    return command(job, [play], {})


def site_packages(job: Job) -> Path:
    """The site-packages folder of the contestant's Python."""
    return next((job.programs.parent / "lib").glob("python3.*/site-packages"))


def recap_check(job: Job, output: str) -> str:
    """Ansible's recap must name every host with every step and nothing else."""
    found = {name: (int(ok), int(away), int(failed)) for name, ok, away, failed in RECAP.findall(output)}
    wanted = {target.name: (job.size.steps, 0, 0) for target in job.targets}
    wrong = sorted(name for name in wanted if found.get(name) != wanted[name])
    return f"Ansible's recap is wrong for {', '.join(wrong)}" if wrong else ""


def ara_check(job: Job, output: str) -> str:
    """Besides the recap: ARA's database must hold every result of the newest playbook."""
    query = "SELECT count(*) FROM results WHERE status = 'ok' AND playbook_id = (SELECT max(id) FROM playbooks)"
    connection = sqlite3.connect(f"file:{job.folder}/ara/ansible.sqlite?mode=ro", uri=True)
    try:
        (count,) = connection.execute(query).fetchone()
    finally:
        connection.close()
    missing = "" if count == job.size.results else f"ARA recorded {count} of {job.size.results} results"
    return recap_check(job, output) or missing


def noop_check(job: Job, output: str) -> str:
    """Return no error: nothing was done, so nothing can be missing."""
    return ""
