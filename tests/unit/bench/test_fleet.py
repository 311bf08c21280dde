# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bench's own parts: the work and its proof, what each contestant is given, the figures, the page."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.bench.fleet import (
    __main__ as command_line,
)
from ansible_collections.rack.recipes.tests.bench.fleet import (
    environments,
    figures,
    floor,
    machine,
    ours,
    playbooks,
    pyinfra_deploy,
    report,
    rounds,
    targets,
    work,
)
from ansible_collections.rack.recipes.tests.bench.fleet.contestants import CONTESTANTS, NAMED
from ansible_collections.rack.recipes.tests.bench.fleet.model import (
    BenchError,
    Command,
    Contestant,
    Job,
    Run,
    Size,
    Target,
)

SIZE = Size(2, 3)
TARGETS = (
    Target("r01", "127.0.1.1", 2201, "me", "/keys/id", "/usr/bin/python3", ("-o", "LogLevel=ERROR")),
    Target("r02", "127.0.1.2"),
)
BLANK = Run("ours", 8, 20, 1, 1.0, 0.5, 0.5, 1024, 0, 0.1)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    made = Job(SIZE, tmp_path, tmp_path / "inventory.json", TARGETS, Path("/venv/bin"))
    work.clear(made.evidence)
    return made


def run_script(command: str, host: str, step: int, evidence: Path) -> str:
    arguments = work.arguments(host, step, evidence)
    script = f"set -- {arguments}\n{command}"
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout


def made_runs(**walls: list[float]) -> list[Run]:
    return [
        dataclasses.replace(BLANK, contestant=name, round=number, wall=wall)
        for name, values in walls.items()
        for number, wall in enumerate(values, 1)
    ]


# --- the work ---------------------------------------------------------------------------------------------------------


def test_script_answers_and_leaves_its_trace(job: Job) -> None:
    assert run_script(work.SCRIPT, "r01", 17, job.evidence) == work.answer(17) + "\n"
    assert (job.evidence / "r01").read_text() == f"17 {work.checksum(17)}\n"


def test_answer_is_an_envelope() -> None:
    assert json.loads(work.answer(4)) == {
        "status": "ok",
        "measurements": [{"name": "sum", "value": work.checksum(4), "unit": ""}],
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
        run_script(work.SCRIPT, "r01", step, job.evidence)
    assert work.not_done(job.evidence, SIZE, ["r01"]) == missing


def test_clear_leaves_no_trace(job: Job) -> None:
    run_script(work.SCRIPT, "r01", 1, job.evidence)
    work.clear(job.evidence)
    assert list(job.evidence.iterdir()) == []


# --- what the contestants are given -----------------------------------------------------------------------------------


def test_playbook_has_a_task_a_step_and_each_runs_the_script(job: Job) -> None:
    (play,) = playbooks.playbook(job)
    commands = [
        task["ansible.builtin.shell"]["cmd"].replace("{{ inventory_hostname }}", "r01") for task in play["tasks"]
    ]
    for command in commands:
        subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL)
    assert work.not_done(job.evidence, SIZE, ["r01"]) == ""


def test_settings_merge_sections(job: Job) -> None:
    text = playbooks.settings(job, {"defaults": {"strategy": "free"}})
    assert "[defaults]\nforks = 2\n" in text
    assert "strategy = free\n" in text
    assert text.count("[defaults]") == 1
    assert "pipelining = true" in text


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
    assert playbooks.recap_check(job, recap) == (f"Ansible's recap is wrong for {wrong}" if wrong else "")


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
    assert work.not_done(job.evidence, SIZE, ["r01"]) == ""


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
        done = subprocess.run(["sh"], input=floor.steps(job, target), capture_output=True, text=True, check=True)
        (job.folder / f"{target.name}.out").write_text(done.stdout)
    assert work.not_done(job.evidence, SIZE, ["r01", "r02"]) == ""
    assert floor.check(job, "") == ""
    (job.folder / "r02.out").write_text("")
    assert floor.check(job, "") == "wrong answers from r02"


def test_floor_waits_for_every_host_and_fails_with_one_of_them(job: Job, tmp_path: Path) -> None:
    (tmp_path / "ssh").write_text('#!/bin/sh\ncat >/dev/null\ncase $* in *127.0.1.2*) exit 3 ;; esac\necho "$@"\n')
    (tmp_path / "ssh").chmod(0o755)
    command = floor.floor(job)
    done = subprocess.run(command.argv, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False)
    assert done.returncode == 1
    words = (job.folder / "r01.out").read_text()
    assert "-p 2201 -o LogLevel=ERROR -l me -i /keys/id 127.0.1.1 sh" in words
    assert "ControlPath=none" in words


def test_our_recipe_has_a_step_a_script(job: Job) -> None:
    steps = yaml.safe_load(ours.recipe(job))["steps"]
    assert [step["args"]["number"] for step in steps] == [1, 2, 3]
    assert len({step["name"] for step in steps}) == SIZE.steps


def test_our_scriptlet_runs_the_script(job: Job) -> None:
    ours.project(job)
    script = job.folder / "scriptlets" / "bench" / "step.sh"
    given = {"RACK_HOST": "r01", "RACK_PARAM_NUMBER": "2", "RACK_PARAM_EVIDENCE": str(job.evidence)}
    done = subprocess.run([script], env={**os.environ, **given}, capture_output=True, text=True, check=True)
    assert done.stdout == work.answer(2) + "\n"
    assert set(yaml.safe_load(ours.SIDECAR)["options"]) == {"number", "evidence"}


def test_contestants_have_names_of_their_own() -> None:
    assert len(NAMED) == len(CONTESTANTS)


# --- hosts ------------------------------------------------------------------------------------------------------------


def test_target_reads_ansible_variables() -> None:
    variables = {
        "ansible_host": "127.0.1.1",
        "ansible_port": 2201,
        "ansible_user": "me",
        "ansible_ssh_private_key_file": "/keys/id",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": "-o LogLevel=ERROR",
    }
    assert targets.target("r01", variables) == TARGETS[0]
    assert targets.target("r03", {}) == Target("r03", "r03")


def test_listener_and_its_children_are_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = Target("here", "127.0.0.1", server.getsockname()[1])
        assert targets.listeners([here]) == {os.getpid()}
    with pytest.raises(BenchError, match="no SSH server"):
        targets.listeners([here])


def test_target_cpu_grows_with_ended_children() -> None:
    before = targets.target_cpu([os.getpid()])
    subprocess.run([sys.executable, "-c", "sum(range(5_000_000))"], check=True)
    assert targets.target_cpu([os.getpid()]) > before


def test_idle_is_waited_for() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        with pytest.raises(BenchError, match="did not end"):
            targets.wait_until_idle([os.getpid()], timeout=0.05)
        child.kill()


# --- one measured command ---------------------------------------------------------------------------------------------


def measure(tmp_path: Path, *command: str, timeout: str = "30") -> dict[str, Any]:
    files = ["--stdout", str(tmp_path / "out"), "--stderr", str(tmp_path / "err")]
    argv = [sys.executable, str(rounds.MEASURED), *files, "--timeout", timeout, "--", *command]
    found: dict[str, Any] = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
    return found


def test_measured_command(tmp_path: Path) -> None:
    found = measure(tmp_path, "sh", "-c", "echo out; echo err >&2; sleep 0.2; exit 3")
    assert found["exit_code"] == 3
    assert 0.2 <= found["wall"] < 5
    assert (found["timed_out"], found["left"]) == (False, [])
    assert ((tmp_path / "out").read_text(), (tmp_path / "err").read_text()) == ("out\n", "err\n")


def test_cpu_of_orphans_counts(tmp_path: Path) -> None:
    burn = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.3: pass'"
    found = measure(tmp_path, "sh", "-c", f"({burn} &) ; exit 0")
    assert found["cpu"] >= 0.3


def test_command_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    started = time.monotonic()
    found = measure(tmp_path, "sh", "-c", "(sleep 600 &) ; sleep 600", timeout="0.2")
    assert found["timed_out"]
    assert time.monotonic() - started < 10


# --- environments -----------------------------------------------------------------------------------------------------


def test_contestant_without_requirements_uses_this_python(tmp_path: Path) -> None:
    assert environments.programs(tmp_path, "x", ()) == Path(sys.executable).parent
    found = environments.releases(Path(sys.executable).parent, ("python", "ansible-core", "absent"))
    assert found.keys() == {"python", "ansible-core"}


def test_machine_is_described() -> None:
    found = machine.facts([{"ansible_python_interpreter": sys.executable}, {}])
    assert found["Python on the hosts"] == platform.python_version()
    assert machine.answer("/nowhere/to/be/found") == ""
    assert sorted(["3.10.1", "3.9.18"], key=machine.numbers) == ["3.9.18", "3.10.1"]


def test_environment_is_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_FORKS", "1")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    found = environments.clean_environment(tmp_path, Path("/venv/bin"), {"ANSIBLE_CONFIG": "x"})
    assert found["HOME"] == str(tmp_path)
    assert found["PATH"].startswith("/venv/bin:")
    assert found["ANSIBLE_CONFIG"] == "x"
    assert not {"ANSIBLE_FORKS", "PYTHONPATH"} & found.keys()


# --- order and verdict of runs ----------------------------------------------------------------------------------------


def test_turns_warm_up_on_all_hosts_and_begin_with_another_each_round() -> None:
    pair = (NAMED["ours"], NAMED["plain"])
    found = list(rounds.turns(pair, [Size(1, 20), Size(8, 100)], 2))
    assert found[:2] == [(0, Size(8, 20), "ours"), (0, Size(8, 20), "plain")]
    assert [name for number, size, name in found[2:] if size == Size(1, 20)] == ["ours", "plain", "plain", "ours"]
    assert [number for number, size, _other in found[2:] if size == Size(8, 100)] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("figure", "error"),
    [
        ({}, "r01 shows 0 steps, 0 of 3 right"),
        ({"timed_out": True}, "took too long"),
        ({"exit_code": 4}, "exit code 4: away"),
        ({"left": ["python"]}, "left running: python"),
    ],
)
def test_a_run_that_did_not_do_the_work_is_wrong(job: Job, figure: dict[str, Any], error: str) -> None:
    held = {"timed_out": False, "exit_code": 0, "left": [], **figure}
    assert rounds.wrong(NAMED["plain"], job, held, "", "away\n") == error


def test_a_contestant_whose_time_is_spent_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(course: rounds.Course, contestant: Contestant, job: Job, command: Command, number: int) -> Run:
        return dataclasses.replace(BLANK, contestant=contestant.name, round=number)

    monkeypatch.setattr(rounds, "one", run)
    hosts: dict[str, dict[str, Any]] = {f"r{number}": {} for number in range(8)}
    course = rounds.Course(hosts, tmp_path, {"noop": Path("/venv/bin")}, 1.0, spend=3.0)
    found = list(rounds.play(course, [NAMED["noop"]], [figures.SMALL], 5, lambda _other: None))
    assert [run.round for run in found] == [0, 1, 2]


# --- figures ----------------------------------------------------------------------------------------------------------


def test_spread() -> None:
    assert figures.spread([3, 1, 2]) == figures.Spread(2, 1, 3, 3)
    assert figures.spread([]) is None


def test_ratio_pairs_the_rounds() -> None:
    runs = made_runs(ours=[1, 2, 4], plain=[10, 40, 60])
    assert figures.ratio(runs, "plain", "ours", figures.SMALL) == figures.Spread(15, 10, 20, 3)
    assert figures.ratio(runs, "plain", "ours", figures.BIG) is None
    assert figures.ratio(runs, "mitogen", "ours", figures.SMALL) is None


def test_warm_up_and_errors_count_for_nothing() -> None:
    runs = made_runs(ours=[1, 2, 4], plain=[10, 40, 60])
    runs[0] = dataclasses.replace(runs[0], error="half done")
    runs += [dataclasses.replace(run, round=0, wall=99.0) for run in runs]
    assert figures.ratio(runs, "plain", "ours", figures.SMALL) == figures.Spread(17.5, 15, 20, 2)


def test_goal_against_the_floor() -> None:
    runs = made_runs(ours=[2], floor=[1], noop=[0.5])
    found = figures.against_floor(runs, figures.SMALL)
    assert found
    assert found == figures.Spread(0.8, 0.8, 0.8, 1)
    goal = figures.Goal("", figures.SMALL, 1, figures.against_floor, at_most=True)
    assert goal.reached(found)


def test_goals_of_the_recorder() -> None:
    few = dataclasses.replace(BLANK, contestant="recorder", hosts=32, steps=20, recorder_cpu=0.30)
    many = dataclasses.replace(few, steps=100, controller_cpu=2.0, target_cpu=4.0, recorder_cpu=0.36)
    share, slope = (value([few, many], figures.BIG) for value in (figures.recorder_share, figures.recorder_slope))
    assert share
    assert share.median == pytest.approx(0.36 / (0.03 * 6 + 0.3))
    assert slope
    assert slope.median == pytest.approx(1e6 * 0.06 / (32 * 80))
    assert figures.recorder_share([many], Size(1, 20)) is None


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def findings() -> report.Findings:
    runs = made_runs(ours=[1, 2], plain=[10, 40], floor=[0.5, 0.5], noop=[0.4])
    broken = dataclasses.replace(BLANK, contestant="mitogen", error="exit code 1: a | b\nc")
    return report.Findings(
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T01:00:00+00:00",
        rounds=2,
        machine={"cores": "2"},
        contestants={name: NAMED[name].title for name in ("ours", "plain", "mitogen", "floor", "noop")},
        versions={"plain": {"python": "3.13.5", "ansible-core": "2.21.5"}},
        runs=(*runs, broken),
    )


def test_figures_survive_json(findings: report.Findings) -> None:
    assert report.from_json(report.to_json(findings)) == findings


@pytest.mark.parametrize(
    "line",
    [
        "| plain Ansible | python 3.13.5, ansible-core 2.21.5 |",
        "| plain Ansible / this project | 8 x 20 | at least 12 | 15.0 (10.0 to 20.0) | reached |",
        "| plain Ansible / this project | 32 x 100 | at least 100 | - | not measured |",
        "| 8 x 20 | 1.50 (1.00 to 2.00) | 25.0 (10.0 to 40.0) | 0.50 (0.50 to 0.50) | 0.40 |",
        "| noop | 8 x 20 | 1 |",
        "| mitogen | 8 x 20 | 1 | exit code 1: a / b c |",
    ],
)
def test_page_has(findings: report.Findings, line: str) -> None:
    assert line in report.page(findings).splitlines()


def test_goal_missed_is_said(findings: report.Findings) -> None:
    goal = figures.Goal("plain", figures.SMALL, 16, figures.against("plain"))
    assert report.goal_row(goal, goal.value(findings.runs, goal.size))[-1] == "**not reached**"


@pytest.mark.parametrize(("value", "text"), [(457.68, "458"), (21.06, "21.1"), (0.123, "0.12")])
def test_number(value: float, text: str) -> None:
    assert report.number(value) == text


def test_page_is_written_from_old_figures(findings: report.Findings, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(report.to_json(findings))
    words = ["--render", str(tmp_path / "old.json"), "--write", str(tmp_path / "page.md")]
    assert command_line.main(words) == 0
    assert (tmp_path / "page.md").read_text() == report.page(findings)


def test_joined_benches_count_their_rounds_on(findings: report.Findings) -> None:
    later = dataclasses.replace(findings, started="later", ended="at last")
    both = report.joined([findings, later])
    counted = [run for run in findings.runs if run.round]
    assert len(both.runs) == len(findings.runs) + len(counted)
    assert both.rounds == 2 * findings.rounds
    assert {run.round for run in both.runs[len(findings.runs) :]} == {run.round + findings.rounds for run in counted}
    assert both.machine["benches joined"].startswith("2: ")
    assert both.ended == "at last"
    assert report.joined([findings]) == findings


@pytest.mark.parametrize(("walls", "code"), [([1, 2], 0), ([10, 20], 1)])
def test_slice_fails_only_far_below_the_goal(
    findings: report.Findings, walls: list[float], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = made_runs(ours=walls, plain=[10, 40])
    assert command_line.judged(dataclasses.replace(findings, runs=runs)) == code
    assert "times as long as this project" in capsys.readouterr().err


def test_slice_stands_for_options() -> None:
    options = command_line.parsed(["--slice"])
    assert (options.hosts, options.steps, options.rounds) == ([8], [20], 2)
    assert [one.name for one in options.only] == ["ours", "plain", "floor"]


@pytest.mark.parametrize("words", [["--hosts", "0"], ["--hosts", "x"], ["--only", "rival"]])
def test_wrong_options_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.parsed(words)
    assert "error" in capsys.readouterr().err
