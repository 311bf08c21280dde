# SPDX-License-Identifier: GPL-3.0-or-later

"""The contestant pyinfra, with one operation for each step."""

from __future__ import annotations

import json
import re

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Command, Job, Target
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.step_workload import SCRIPT, arguments

TOTAL = re.compile(r"Grand total\s+(\d+)\s+(\d+)\s+-\s+-")

DEPLOY = """from pyinfra import host
from pyinfra.operations import server

SCRIPT = {script}

for step in range(1, {steps} + 1):
    server.shell(name=f"Step {{step}}", commands=[f"set -- {arguments}\\n{{SCRIPT}}"])
"""


def pyinfra(job: Job) -> Command:
    """`pyinfra INVENTORY DEPLOY`, all hosts at once, without asking for confirmation."""
    inventory, deploy = job.folder / "inventory.py", job.folder / "deploy.py"
    inventory.write_text(f"hosts = {[(target.name, connection(target)) for target in job.targets]!r}\n")
    deploy.write_text(deploy_source(job))
    argv = (str(job.programs / "pyinfra"), "--yes", "--parallel", str(job.size.hosts), str(inventory), str(deploy))
    return Command(argv)


def deploy_source(job: Job) -> str:
    """The deploy: the same script, its arguments set before it as in the playbooks."""
    words = arguments("{host.name}", "{step}", job.evidence)
    return DEPLOY.format(script=json.dumps(SCRIPT), steps=job.size.steps, arguments=words)


def connection(target: Target) -> dict[str, object]:
    """Return what pyinfra must know of a host. A user and a key are in it only if the inventory names them."""
    known = {"ssh_user": target.user, "ssh_key": target.key}
    return {
        "ssh_hostname": target.address,
        "ssh_port": target.port,
        "ssh_known_hosts_file": "/dev/null",
        "ssh_strict_host_key_checking": "no",
        **{name: value for name, value in known.items() if value},
    }


def check(job: Job, output: str) -> str:
    """pyinfra's table of results must count every operation on every host as a success."""
    found = TOTAL.search(output)
    wanted = str(job.size.results)
    return "" if found and found.groups() == (wanted, wanted) else f"pyinfra counts {found and found[0]}"
