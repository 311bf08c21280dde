# SPDX-License-Identifier: GPL-3.0-or-later

"""A run is killed, and another goes on with it: real playbooks, on hosts that all are this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import base_folder
from rack_recipes.journal.reader import JournalReader
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import import_journal

CFG = """\
[defaults]
callbacks_enabled = rack.recipes.recorder
inject_facts_as_vars = false
[rack_recipes]
reconnect_timeout = 20
"""
SCRIPT = """\
#!/bin/sh
echo "$RACK_STEP $RACK_HOST" >> "$RACK_PARAM_LOG"
sleep "$RACK_PARAM_SECONDS"
echo "{\\"status\\": \\"ok\\", \\"outputs\\": {\\"t.$RACK_STEP""_v1\\": \\"$RACK_HOST\\"}}"
"""
SIDECAR = "description: Waits\noptions: {log: {type: path}, seconds: {type: float, default: 0}}\nreads: []\n"
FLUSH = {"name": "Flush", "rack.recipes.flush": {}, "run_once": True, "delegate_to": "localhost", "tags": ["always"]}
STAGES = (
    ({"name": "first"},),
    ({"name": "slow", "seconds": 2}, {"name": "next", "depends_on": ["slow"]}),
    ({"name": "last"},),
)


def a_playbook(log: Path) -> str:
    tasks: list[dict[str, Any]] = []
    for number, steps in enumerate(STAGES, start=1):
        said = [
            {
                "name": step["name"],
                "type": "shell",
                "module": "t.wait",
                "args": {"log": str(log), "seconds": step.get("seconds", 0)},
                "depends_on": step.get("depends_on", []),
                "success": {"ctx_has_keys": [f"t.{step['name']}_v1"]},
            }
            for step in steps
        ]
        tasks.append({"name": f"Stage {number}", "rack.recipes.stage": {"number": number, "steps": said}})
    head = {"hosts": "all", "gather_facts": False, "ignore_errors": True, "ignore_unreachable": True}
    about = {"rack_recipes_recipe": {"path": "r.yml", "digest": "sha256:0", "test_id": "T-1"}}
    return yaml.safe_dump([{"name": "Run", **head, "vars": about, "tasks": [*tasks, FLUSH]}], sort_keys=False)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What ran, a line each, in a project with one playbook."""
    monkeypatch.chdir(tmp_path)
    Path("scriptlets/t").mkdir(parents=True)
    Path("scriptlets/t/wait.sh").write_text(SCRIPT)
    Path("scriptlets/t/wait.yml").write_text(SIDECAR)
    Path("ansible.cfg").write_text(CFG)
    Path("unique").write_text(uuid.uuid4().hex)
    log = tmp_path / "ran.log"
    Path("play.yml").write_text(a_playbook(log))
    Path("group_vars").mkdir()
    Path("group_vars/all.yml").write_text("rack: R7\n")
    yield log
    for folder in Path(base_folder()).glob(f"*-{Path('unique').read_text()}-*"):
        shutil.rmtree(folder)


def run(name: str) -> str:
    """Its id: on the hosts, which are this machine, no two tests may meet."""
    return f"{name}-{Path('unique').read_text()}"


def start(run_id: str, **extra_vars: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "RACK_RECIPES_"))}
    given = {"ansible_python_interpreter": sys.executable, **extra_vars}
    line = ["-m", "ansible", "playbook", "-i", "r1,r2,", "-c", "local", "-e", json.dumps(given), "play.yml"]
    env = {**kept, "HOME": str(Path.cwd()), "RACK_RECIPES_RUN_ID": run_id}
    return subprocess.Popen(
        [sys.executable, *line], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(run_id: str, **extra_vars: str) -> tuple[int, str]:
    with start(run_id, **extra_vars) as process:
        output, _none = process.communicate(timeout=120)
        return process.returncode, output


def records(run_id: str) -> list[dict[str, Any]]:
    path = Path(f".rack-recipes/runs/{run_id}/journal.jsonl")
    return [*JournalReader(path).records()] if path.exists() else []


def steps(run_id: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["step"], each["host"]): each for each in records(run_id) if each["kind"] == "step"}


def kill_once(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    """Kill Ansible's main process alone, as soon as it is far enough."""
    until = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


PLACES = [(name, host) for name in ("first", "slow", "next", "last") for host in ("r1", "r2")]


def test_a_killed_run_is_gone_on_with_and_nothing_runs_twice(log: Path):
    process = start(run("R1"))
    kill_once(process, lambda: log.exists() and log.read_text().count("slow") == 2)
    assert set(steps(run("R1"))) == set(PLACES[:2])
    code, output = finish(run("R2"), rack_recipes_resume=run("R1"))
    assert code == 0, output
    ran = Counter(log.read_text().splitlines())
    assert ran == dict.fromkeys((f"{name} {host}" for name, host in PLACES), 1)
    found = steps(run("R2"))
    assert {place: each["verdict"] for place, each in found.items()} == dict.fromkeys(PLACES, "passed")
    assert {place: each.get("from") for place, each in found.items()} == {
        (name, host): None if name == "last" else run("R1") for name, host in PLACES
    }
    assert set(steps(run("R1"))) == set(PLACES[:6]), "what was collected is in the earlier run's journal"
    assert records(run("R2"))[0]["resumes"] == run("R1")
    attributes = {"r1": {"rack": "R7"}, "r2": {"rack": "R7"}}
    assert [records(run(name))[0]["attributes"] for name in ("R1", "R2")] == [attributes, attributes]
    store = connect_store("sqlite:///.rack-recipes/results.db")
    assert {(row["step"], row["host"]) for row in recorded_runs.steps(store, run("R2"))} == set(PLACES)
    store.dispose()
    code, output = finish(run("R3"), rack_recipes_resume=run("R2"))
    assert (code, log.read_text().count("last")) == (0, 2), output
    assert {place: each.get("from") for place, each in steps(run("R3")).items()} == {
        (name, host): run("R2") if name == "last" else run("R1") for name, host in PLACES
    }


def test_from_a_step_on_all_runs_anew(log: Path):
    """What stands after it in the file does so, too, whether it depends on it or not; all before it is reused."""
    assert finish(run("R1"))[0] == 0
    assert finish(run("R2"), rack_recipes_resume_from="slow")[0] == 0
    ran = Counter(line.split()[0] for line in log.read_text().splitlines())
    assert ran == {"first": 2, "slow": 4, "next": 4, "last": 4}


def test_what_stands_before_a_step_to_resume_from_has_to_have_run(log: Path):
    code, output = finish(run("R1"), rack_recipes_resume_from="")
    assert code == 0, output
    play = yaml.safe_load(Path("play.yml").read_text())
    play[0]["tasks"][0]["rack.recipes.stage"]["steps"].append({"name": "new", "type": "shell", "module": "t.wait"})
    Path("play.yml").write_text(yaml.safe_dump(play, sort_keys=False))
    code, output = finish(run("R2"), rack_recipes_resume_from="slow")
    assert code == 2
    assert f"has to have run in run {run('R1')}, and new on r1, r2 never did: resume from new" in " ".join(
        output.split()
    )


def test_a_closing_step_runs_again(log: Path):
    """What it closes may have run again, and what it did be undone; so it is with results under a cache key."""
    play = yaml.safe_load(Path("play.yml").read_text())
    (last,) = play[0]["tasks"][2]["rack.recipes.stage"]["steps"]
    last |= {"always": True, "cache_key": "closing"}
    Path("play.yml").write_text(yaml.safe_dump(play, sort_keys=False))
    assert finish(run("R1"))[0] == 0
    code, output = finish(run("R2"), rack_recipes_resume=run("R1"))
    assert code == 0, output
    ran = Counter(line.split()[0] for line in log.read_text().splitlines())
    assert ran == {"first": 2, "slow": 2, "next": 2, "last": 4}
    found = steps(run("R2"))
    assert {place: each.get("from") for place, each in found.items()} == {
        (name, host): None if name == "last" else run("R1") for name, host in PLACES
    }
    assert found["last", "r1"]["verdict"] == "passed"


def test_a_run_that_goes_on_cannot_be_gone_on_with(log: Path):
    process = start(run("R1"))
    while not records(run("R1")):
        time.sleep(0.05)
    code, output = finish(run("R2"), rack_recipes_resume=run("R1"))
    assert code == 2
    assert f"nothing is run: run {run('R1')} still goes on: its controller is alive" in " ".join(output.split())
    process.communicate(timeout=60)


def test_a_journal_that_was_torn_is_read_by_all(log: Path):
    """Whatever a killed writer left: half a record at the end, or in the middle."""
    assert finish(run("R1"))[0] == 0
    path = Path(f".rack-recipes/runs/{run('R1')}/journal.jsonl")
    whole = path.read_bytes()
    cut = whole.index(b'"step":"next"')
    for end, more in ((cut, b""), (cut, b"\n" + whole[whole.index(b'{"_"', cut) :]), (len(whole) - 9, b"")):
        path.write_bytes(whole[:end] + more)
        store = connect_store(f"sqlite:///{end}-{len(more)}.db")
        assert import_journal(store, path).rows
        store.dispose()
    path.write_bytes(whole[:cut])
    code, output = finish(run("R2"), rack_recipes_resume=run("R1"))
    assert code == 0, output
    assert len(steps(run("R2"))) == len(PLACES)
