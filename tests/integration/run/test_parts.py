# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run in four parts, started as AWX starts the slices of a job: one is killed and one empty, and one report tells."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import StoreError
from ansible_collections.rack.recipes.plugins.plugin_utils.store.database_engine import reader
from ansible_collections.rack.recipes.plugins.plugin_utils.store.reading import queries
from call_rack_recipes import environment, rack_recipes
from controller_process import wait_for

CASES = Path(__file__).parent / "cases" / "parts"
SLICES = 4
KILLED = 3  # the number of a slice
GROUP = "awx-77"
RUN = """
import json, sys, ansible_runner
done = ansible_runner.run(private_data_dir=sys.argv[1], playbook="rack.recipes.run", extravars=json.loads(sys.argv[2]))
sys.exit(done.rc)
"""


@pytest.fixture
def hanging(rack: Any) -> Iterator[None]:
    """The hosts of the slice that is killed do not come to an end."""
    marks = [Path(rack.folder, name, "hang") for name in hosts_of(rack, KILLED)]
    for mark in marks:
        mark.touch()
    yield
    for mark in marks:
        mark.unlink()


def hosts_of(rack: Any, number: int) -> list[str]:
    """The hosts of a slice, as AWX chooses them. The others are not in its inventory at all."""
    return sorted(rack.hosts)[number - 1 :: SLICES]


class Slice:
    """A job of AWX: ansible-runner in a folder of its own, which nobody keeps."""

    def __init__(self, rack: Any, number: int, folder: Path, db: str) -> None:
        self.number = number
        shutil.copytree(CASES, folder / "project")
        shutil.copy("ansible.cfg", folder / "project")
        whole = yaml.safe_load(Path(rack.inventory).read_text())
        (folder / "inventory").mkdir()
        (folder / "inventory" / "hosts.json").write_text(json.dumps(only(whole, hosts_of(rack, number))))
        told = {
            "recipe": "recipe.yml",
            "awx_job_id": 100 + number,
            "awx_job_template_name": "look at the rack",
            "awx_workflow_job_id": 77,
            "awx_workflow_job_name": "look at the rack",
            "rack_recipes_parts": SLICES,
        }
        env = environment(RACK_RECIPES_DB=db, RACK_RECIPES_RECONNECT_TIMEOUT=60)
        words = [sys.executable, "-c", RUN, str(folder), json.dumps(told)]
        with (folder / "output").open("wb") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env)

    def wait(self) -> int:
        """The exit code of the job."""
        return self.process.wait(300)

    def kill(self) -> None:
        """All of its processes at once, as when its pod is deleted: none of them sees another one end."""
        os.kill(self.process.pid, signal.SIGSTOP)
        stopped = {self.process.pid}
        while more := set(below(self.process.pid)) - stopped:
            for pid in more:
                os.kill(pid, signal.SIGSTOP)
            stopped |= more
        for pid in stopped:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(60)


def below(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *below(child))]


def only(inventory: Any, hosts: list[str]) -> Any:
    """The inventory without other hosts; groups stay."""
    if not isinstance(inventory, dict):
        return inventory
    found = {name: only(value, hosts) for name, value in inventory.items()}
    if isinstance(found.get("hosts"), dict):
        found["hosts"] = {name: value for name, value in found["hosts"].items() if name in hosts}
    return found


def is_known(db: str, part: str) -> bool:
    """Whether the store has heard of a part."""
    try:
        store = reader(db)
    except StoreError:  # the first part has not made it yet
        return False
    try:
        return any(row["part"] == part for row in queries.parts(store, GROUP))
    finally:
        store.dispose()


@pytest.mark.parametrize(("server", "is_at_once"), [("postgresql", True), ("mariadb", False)])
@pytest.mark.usefixtures("hanging")
def test_four_slices(
    project: Path, rack: Any, request: pytest.FixtureRequest, tmp_path_factory: Any, server: str, is_at_once: bool
):
    db = request.getfixturevalue(server).url
    codes = run_slices(rack, tmp_path_factory, db, is_at_once=is_at_once)
    assert {number: codes[number] == 0 for number in codes} == {1: True, 2: True, 3: False, 4: False}

    listed = rack_recipes("runs", "--json", RACK_RECIPES_DB=db).answer["runs"]
    assert [run["status"] for run in listed if run["group_id"] == GROUP] == ["running"]
    done = rack_recipes("finish", GROUP, "--hosts", *rack.hosts, "--json", RACK_RECIPES_DB=db)
    assert done.code == 1, done.stderr
    told = {one["part"]: (one["state"], one["hosts"]) for one in done.answer["parts"]}
    assert told == {"job 101": ("passed", 2), "job 102": ("passed", 2), "job 103": ("died", 2), "job 104": ("empty", 0)}
    assert done.answer["missing"] == ["r04", "r08"]

    made = rack_recipes("report", GROUP, "--format", "json", "--format", "html", "--to", "report", RACK_RECIPES_DB=db)
    assert made.code == 0, made.stderr
    shown = rack_recipes("show", GROUP, "--json", RACK_RECIPES_DB=db).answer
    reasons = {step["host"]: step["reason"] for step in shown["steps"] if step["verdict"] == "error"}
    assert {host: reason.partition(" (")[0] for host, reason in reasons.items()} == {
        **dict.fromkeys(["r03", "r07"], "no result came of part job 103"),
        **dict.fromkeys(["r04", "r08"], "missing: no part of the group had this host"),
    }
    assert shown["run"]["counts"] == {"error": 4, "passed": 4}
    page = (project / "report" / "report.html").read_text()
    assert all(host in page for host in rack.hosts)
    assert "job 103: died (its controller ended without a word)" in page
    exported = rack_recipes("ctx", "export", GROUP, RACK_RECIPES_DB=db).answer
    assert sorted(exported["hosts"]) == ["r01", "r02", "r05", "r06"]


def run_slices(rack: Any, folders: Any, db: str, *, is_at_once: bool) -> dict[int, int]:
    """Run all slices, beside each other or one after the other; returns their exit codes by number."""
    slices: list[Slice] = []
    codes = {}
    try:
        for number in range(1, SLICES + 1):
            slices.append(Slice(rack, number, folders.mktemp(f"slice{number}"), db))
            if not is_at_once:
                codes[number] = ended(slices[-1], db)
        for job in sorted(slices, key=lambda job: job.number != KILLED) if is_at_once else ():
            codes[job.number] = ended(job, db)
    finally:
        for job in slices:
            if job.process.poll() is None:
                job.kill()
    return codes


def ended(job: Slice, db: str) -> int:
    """The exit code of a slice; the one that is to be killed is, as soon as the store knows of it."""
    if job.number == KILLED:
        wait_for("the part in the store", lambda: is_known(db, f"job {100 + KILLED}"))
        job.kill()
    return job.wait()
