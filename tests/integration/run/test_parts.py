# SPDX-License-Identifier: GPL-3.0-or-later

"""A run in four parts, started as AWX starts the slices of a job: one is killed and one empty, and one report tells.

The parts share a store; where the recipe needs the hosts of all, they meet at a context server, too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.integration.server.server_process import Server
from call_rack_recipes import environment, rack_recipes
from controller_process import wait_for
from rack_recipes.errors import StoreError
from rack_recipes.store.database_engine import connect_for_reading
from rack_recipes.store.reading import recorded_runs

CASES = Path(__file__).parent / "cases"
SLICES = 4
KILLED = 3  # the number of a slice
LEASE = 20  # seconds after which a part that is killed counts as dead
AT_SERVER = ("group_at_server", "parts_at_server")
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


@dataclass(frozen=True)
class Workflow:
    """A job of AWX that is run in slices: its number, its store, the folders of its project, what all slices get."""

    number: int
    db: str
    project: tuple[str, ...]
    slices: int = SLICES
    extra_vars: Mapping[str, object] = field(default_factory=dict)
    env: Mapping[str, object] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The id of the whole run."""
        return f"awx-{self.number}"

    def told(self, number: int) -> dict[str, object]:
        """The extra vars of a slice, those of AWX first."""
        return {
            "awx_job_id": 100 + number,
            "awx_job_template_name": "look at the rack",
            "awx_workflow_job_id": self.number,
            "awx_workflow_job_name": "look at the rack",
            "rack_recipes_parts": self.slices,
            "recipe": "recipe.yml",
            **self.extra_vars,
        }

    def is_known(self, part: str) -> bool:
        """Whether the store has heard of a part."""
        try:
            store = connect_for_reading(self.db)
        except StoreError:  # the first part has not made it yet
            return False
        try:
            return any(row["part"] == part for row in recorded_runs.parts(store, self.group))
        finally:
            store.dispose()


class Slice:
    """A job of AWX: ansible-runner in a folder of its own, which nobody keeps."""

    def __init__(self, workflow: Workflow, rack: Any, number: int, folder: Path) -> None:
        self.number = number
        self._said = folder / "output"
        for name in workflow.project:
            shutil.copytree(CASES / name, folder / "project", dirs_exist_ok=True)
        shutil.copy("ansible.cfg", folder / "project")
        whole = yaml.safe_load(Path(rack.inventory).read_text())
        (folder / "inventory").mkdir()
        (folder / "inventory" / "hosts.json").write_text(json.dumps(only(whole, hosts_of(rack, number))))
        env = environment(RACK_RECIPES_DB=workflow.db, **workflow.env)
        words = [sys.executable, "-c", RUN, str(folder), json.dumps(workflow.told(number))]
        with self._said.open("wb") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env)

    @property
    def said(self) -> str:
        """What it has written so far."""
        return self._said.read_text(errors="replace")

    def wait(self) -> int:
        """The exit code of the job."""
        return self.process.wait(300)

    def kill(self) -> None:
        """All of its processes at once, as when its pod is deleted: none of them sees another one end."""
        os.kill(self.process.pid, signal.SIGSTOP)
        stopped = {self.process.pid}
        while more := {*below(self.process.pid), *inside(self._said.parent)} - stopped:
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


def inside(folder: Path) -> Iterator[int]:
    """The processes that work in a folder, also those whose parent has ended."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                yield int(process.name)


def only(inventory: Any, hosts: list[str]) -> Any:
    """The inventory without other hosts; groups stay."""
    if not isinstance(inventory, dict):
        return inventory
    found = {name: only(value, hosts) for name, value in inventory.items()}
    if isinstance(found.get("hosts"), dict):
        found["hosts"] = {name: value for name, value in found["hosts"].items() if name in hosts}
    return found


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize(("database", "is_at_once"), [("postgresql", True), ("mariadb", False)])
@pytest.mark.usefixtures("hanging")
def test_four_slices(
    project: Path, rack: Any, request: pytest.FixtureRequest, tmp_path_factory: Any, database: str, is_at_once: bool
):
    db = request.getfixturevalue(database).url
    workflow = Workflow(77, db, ("parts",), env={"RACK_RECIPES_RECONNECT_TIMEOUT": 60})
    codes = run_slices(workflow, rack, tmp_path_factory, is_at_once=is_at_once)
    assert {number: codes[number] == 0 for number in codes} == {1: True, 2: True, 3: False, 4: False}

    listed = rack_recipes("runs", "--json", RACK_RECIPES_DB=db).answer["runs"]
    assert [run["status"] for run in listed if run["group_id"] == workflow.group] == ["running"]
    done = rack_recipes("finish", workflow.group, "--hosts", *rack.hosts, "--json", RACK_RECIPES_DB=db)
    assert done.code == 1, done.stderr
    told = {one["part"]: (one["state"], one["hosts"]) for one in done.answer["parts"]}
    assert told == {"job 101": ("passed", 2), "job 102": ("passed", 2), "job 103": ("died", 2), "job 104": ("empty", 0)}
    assert done.answer["missing"] == ["r04", "r08"]

    made = rack_recipes(
        "report", workflow.group, "--format", "json", "--format", "html", "--to", "report", RACK_RECIPES_DB=db
    )
    assert made.code == 0, made.stderr
    shown = rack_recipes("show", workflow.group, "--json", RACK_RECIPES_DB=db).answer
    reasons = {step["host"]: step["reason"] for step in shown["steps"] if step["verdict"] == "error"}
    assert {host: reason.partition(" (")[0] for host, reason in reasons.items()} == {
        **dict.fromkeys(["r03", "r07"], "no result came of part job 103"),
        **dict.fromkeys(["r04", "r08"], "missing: no part of the group had this host"),
    }
    assert shown["run"]["counts"] == {"error": 4, "passed": 4}
    page = (project / "report" / "report.html").read_text()
    assert all(host in page for host in rack.hosts)
    assert "job 103: died (its controller ended without a word)" in page
    exported = rack_recipes("ctx", "export", workflow.group, RACK_RECIPES_DB=db).answer
    assert sorted(exported["hosts"]) == ["r01", "r02", "r05", "r06"]


def test_four_slices_that_meet_at_a_server(
    project: Path, rack: Any, postgresql: Any, server: Server, tmp_path_factory: Any
):
    for host in hosts_of(rack, KILLED):
        (project / f"hang-{host}").touch()
    env = {"RACK_RECIPES_RECONNECT_TIMEOUT": LEASE, "RACK_RECIPES_SERVER": server.socket}
    workflow = Workflow(78, postgresql.url, AT_SERVER, extra_vars={"folder": str(project)}, env=env)
    codes = run_slices(workflow, rack, tmp_path_factory, is_at_once=True)
    assert {number: codes[number] == 0 for number in codes} == dict.fromkeys(range(1, SLICES + 1), False)

    done = rack_recipes("finish", workflow.group, "--hosts", *rack.hosts, "--json", RACK_RECIPES_DB=workflow.db)
    assert done.code == 1, done.stderr
    told = {one["part"]: (one["state"], one["hosts"]) for one in done.answer["parts"]}
    assert told == {"job 101": ("failed", 2), "job 102": ("failed", 2), "job 103": ("died", 2), "job 104": ("empty", 0)}
    shown = rack_recipes("show", workflow.group, "--json", RACK_RECIPES_DB=workflow.db).answer
    alive = [*hosts_of(rack, 1), *hosts_of(rack, 2)]
    assert verdicts(shown, "look") == {
        **dict.fromkeys(alive, "passed"),
        **dict.fromkeys(hosts_of(rack, KILLED), "error"),
    }
    assert verdicts(shown, "alone") == verdicts(shown, "look")
    assert verdicts(shown, "total") == {"": "passed"}
    assert len((project / "totals").read_text().splitlines()) == 1
    gates = {step["host"]: (step["verdict"], step["reason"]) for step in shown["steps"] if step["step"] == "gate"}
    for verdict, reason in (gates[host] for host in alive):
        assert verdict == "blocked"
        assert re.search(
            r"no result on r0[37] in part \d of 4 \(job 103 on .*\), and its controller ended without", reason
        )
    made = rack_recipes("report", workflow.group, "--format", "html", "--to", "report", RACK_RECIPES_DB=workflow.db)
    assert made.code == 0, made.stderr
    page = (project / "report" / "report.html").read_text()
    assert all(host in page for host in rack.hosts)
    assert "job 103: died (its controller ended without a word)" in page


def verdicts(shown: Mapping[str, Any], step: str) -> dict[str, str]:
    """How a step ended on each host, as `show` tells it."""
    return {row["host"]: row["verdict"] for row in shown["steps"] if row["step"] == step}


def run_slices(workflow: Workflow, rack: Any, folders: Any, *, is_at_once: bool) -> dict[int, int]:
    """Run all slices, beside each other or one after the other; returns their exit codes by number."""
    slices: list[Slice] = []
    codes = {}
    try:
        for number in range(1, workflow.slices + 1):
            slices.append(Slice(workflow, rack, number, folders.mktemp(f"slice{number}")))
            if not is_at_once:
                codes[number] = ended(slices[-1], workflow)
        for job in sorted(slices, key=lambda job: job.number != KILLED) if is_at_once else ():
            codes[job.number] = ended(job, workflow)
    finally:
        for job in slices:
            if job.process.poll() is None:
                job.kill()
    return codes


def ended(job: Slice, workflow: Workflow) -> int:
    """The exit code of a slice; the one that is to be killed is, as soon as the store knows of it."""
    if job.number == KILLED:
        wait_for("the part in the store", lambda: workflow.is_known(f"job {100 + KILLED}"))
        job.kill()
    return job.wait()
