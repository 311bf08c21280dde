# SPDX-License-Identifier: GPL-3.0-or-later

"""The work and its proof, and what each contestant is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import BenchError, Job
from ansible_collections.rack.recipes.tests.bench.fleet.contestants import (
    ansible_variants,
    plain_ssh,
    pyinfra_deploy,
    rack_recipes,
    step_workload,
    virtual_environments,
)
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.contestant_list import CONTESTANTS, NAMED
from ansible_collections.rack.recipes.tests.bench.fleet.measuring.target_host_cpu import write_inventory
from ansible_collections.rack.recipes.tests.unit.bench.fleet.sample_runs import SIZE, TARGETS


def run_script(command: str, host: str, step: int, evidence: Path) -> str:
    arguments = step_workload.arguments(host, step, evidence)
    script = f"set -- {arguments}\n{command}"
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout


def test_script_answers_and_leaves_its_trace(job: Job) -> None:
    assert run_script(step_workload.SCRIPT, "r01", 17, job.evidence) == step_workload.answer(17) + "\n"
    assert (job.evidence / "r01").read_text() == f"17 {step_workload.checksum(17)}\n"


def test_answer_is_an_envelope() -> None:
    assert json.loads(step_workload.answer(4)) == {
        "status": "ok",
        "measurements": [{"name": "sum", "value": step_workload.checksum(4), "unit": ""}],
    }


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


def test_clear_leaves_no_trace(job: Job) -> None:
    run_script(step_workload.SCRIPT, "r01", 1, job.evidence)
    step_workload.clear(job.evidence)
    assert list(job.evidence.iterdir()) == []


def test_playbook_has_a_task_a_step_and_each_runs_the_script(job: Job) -> None:
    (play,) = ansible_variants.playbook(job)
    commands = [
        task["ansible.builtin.shell"]["cmd"].replace("{{ inventory_hostname }}", "r01") for task in play["tasks"]
    ]
    for command in commands:
        subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL)
    assert step_workload.not_done(job.evidence, SIZE, ["r01"]) == ""


def test_settings_merge_sections(job: Job) -> None:
    text = ansible_variants.settings(job, {"defaults": {"strategy": "free"}})
    assert "[defaults]\nforks = 2\n" in text
    assert "strategy = free\n" in text
    assert text.count("[defaults]") == 1
    assert "pipelining = true" in text


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


def test_pyinfra_deploy_runs_the_script(job: Job) -> None:
    source = pyinfra_deploy.deploy_source(job).replace("from pyinfra import host\n", "")
    source = source.replace("from pyinfra.operations import server\n", "")
    calls: list[str] = []

    class Server:
        @staticmethod
        def shell(*, name: str, commands: list[str]) -> None:
            assert name.startswith("Step ")
            calls.extend(commands)

    exec(source, {"server": Server, "host": TARGETS[0]})
    for command in calls:
        subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL)
    assert step_workload.not_done(job.evidence, SIZE, ["r01"]) == ""


def test_pyinfra_names_user_and_key_only_where_known() -> None:
    assert pyinfra_deploy.connection(TARGETS[0])["ssh_user"] == "me"
    assert "ssh_user" not in pyinfra_deploy.connection(TARGETS[1])


@pytest.mark.parametrize(
    ("output", "wrong"),
    [
        ("    Grand total   6       6         -       -           ", ""),
        ("    Grand total   6       5         1       -           ", "pyinfra counts None"),
        ("    Grand total   5       5         -       -           ", "pyinfra counts Grand total"),
    ],
)
def test_pyinfra_check(job: Job, output: str, wrong: str) -> None:
    assert pyinfra_deploy.check(job, output).startswith(wrong)
    assert bool(pyinfra_deploy.check(job, output)) == bool(wrong)


def test_floor_runs_the_script_on_each_host(job: Job) -> None:
    for target in TARGETS:
        done = subprocess.run(["sh"], input=plain_ssh.steps(job, target), capture_output=True, text=True, check=True)
        (job.folder / f"{target.name}.out").write_text(done.stdout)
    assert step_workload.not_done(job.evidence, SIZE, ["r01", "r02"]) == ""
    assert plain_ssh.check(job, "") == ""
    (job.folder / "r02.out").write_text("")
    assert plain_ssh.check(job, "") == "wrong answers from r02"


def test_floor_waits_for_every_host_and_fails_with_one_of_them(job: Job, tmp_path: Path) -> None:
    (tmp_path / "ssh").write_text('#!/bin/sh\ncat >/dev/null\ncase $* in *127.0.1.2*) exit 3 ;; esac\necho "$@"\n')
    (tmp_path / "ssh").chmod(0o755)
    command = plain_ssh.floor(job)
    done = subprocess.run(command.argv, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False)
    assert done.returncode == 1
    words = (job.folder / "r01.out").read_text()
    assert "-p 2201 -o LogLevel=ERROR -l me -i /keys/id 127.0.1.1 sh" in words
    assert "ControlPath=none" in words


def test_our_recipe_has_a_step_a_script(job: Job) -> None:
    steps = yaml.safe_load(rack_recipes.recipe(job))["steps"]
    assert [step["args"]["number"] for step in steps] == [1, 2, 3]
    assert len({step["name"] for step in steps}) == SIZE.steps


def test_our_scriptlet_runs_the_script(job: Job) -> None:
    rack_recipes.project(job)
    script = job.folder / "scriptlets" / "bench" / "step.sh"
    given = {"RACK_HOST": "r01", "RACK_PARAM_NUMBER": "2", "RACK_PARAM_EVIDENCE": str(job.evidence)}
    done = subprocess.run([script], env={**os.environ, **given}, capture_output=True, text=True, check=True)
    assert done.stdout == step_workload.answer(2) + "\n"
    assert set(yaml.safe_load(rack_recipes.SIDECAR)["options"]) == {"number", "evidence"}


def test_contestants_have_names_of_their_own() -> None:
    assert len(NAMED) == len(CONTESTANTS)


@pytest.mark.parametrize("name", ["ours", "plain", "mitogen"])
def test_without_a_python_set_all_else_is_the_same(job: Job, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rack_recipes, "compiled", lambda _file: "[]")
    venv = job.programs.parent / "lib" / "python3.13" / "site-packages"
    monkeypatch.setattr(ansible_variants, "site_packages", lambda _job: venv)
    python = {"ansible_python_interpreter": "/usr/bin/python3"}
    write_inventory(job.inventory, {one.name: {"ansible_host": one.address, **python} for one in job.targets})
    unset = NAMED[f"{name}-auto"]
    usual, command = NAMED[name].prepare(job), unset.prepare(job)
    inventory = command.argv[command.argv.index("-i") + 1]
    assert (unset.environment, unset.requirements) == (name, NAMED[name].requirements)
    assert [inventory if word == str(job.inventory) else word for word in usual.argv] == list(command.argv)
    assert usual.env == command.env
    before, after = (yaml.safe_load(Path(path).read_text())["all"]["hosts"] for path in (job.inventory, inventory))
    assert before == {host: {**variables, **python} for host, variables in after.items()} != after


def test_contestant_without_requirements_uses_this_python(tmp_path: Path) -> None:
    assert virtual_environments.programs(tmp_path, "x", ()) == Path(sys.executable).parent
    found = virtual_environments.releases(Path(sys.executable).parent, ("python", "ansible-core", "absent"))
    assert found.keys() == {"python", "ansible-core"}


def test_environment_is_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_FORKS", "1")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    found = virtual_environments.clean_environment(tmp_path, Path("/venv/bin"), {"ANSIBLE_CONFIG": "x"})
    assert found["HOME"] == str(tmp_path)
    assert found["PATH"].startswith("/venv/bin:")
    assert found["ANSIBLE_CONFIG"] == "x"
    assert not {"ANSIBLE_FORKS", "PYTHONPATH"} & found.keys()
