# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet benchmark: its work and the proof of it, one measured command, the figures, the page, and the exit code."""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.bench.fleet import __main__ as command_line
from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Job, Run, Size, Target
from ansible_collections.rack.recipes.tests.bench.fleet.contestants import ansible_variants, rack_recipes, step_workload
from ansible_collections.rack.recipes.tests.bench.fleet.contestants.contestant_list import NAMED
from ansible_collections.rack.recipes.tests.bench.fleet.measuring import alternating_rounds
from ansible_collections.rack.recipes.tests.bench.fleet.page import (
    medians_and_ratios,
    performance_page,
    stored_sections,
)

SIZE = Size(2, 3)
TARGETS = (
    Target("r01", "127.0.1.1", 2201, "me", "/keys/id", "/usr/bin/python3", ("-o", "LogLevel=ERROR")),
    Target("r02", "127.0.1.2"),
)
BLANK = Run("ours", 8, 20, 1, 1.0, 0.5, 0.5, 1024, 0, 0.1)


def made_runs(**walls: list[float]) -> list[Run]:
    return [
        dataclasses.replace(BLANK, contestant=name, round=number, wall=wall)
        for name, values in walls.items()
        for number, wall in enumerate(values, 1)
    ]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    made = Job(SIZE, tmp_path, tmp_path / "inventory.json", TARGETS, Path("/venv/bin"))
    step_workload.clear(made.evidence)
    return made


@pytest.fixture
def findings() -> performance_page.Findings:
    runs = made_runs(ours=[1, 2], plain=[10, 40], floor=[0.5, 0.5], noop=[0.4])
    broken = dataclasses.replace(BLANK, contestant="mitogen", error="exit code 1: a | b\nc")
    return performance_page.Findings(
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T01:00:00+00:00",
        rounds=2,
        machine={"cores": "2"},
        contestants={name: NAMED[name].title for name in ("ours", "plain", "mitogen", "floor", "noop")},
        versions={"plain": {"python": "3.13.5", "ansible-core": "2.21.5"}},
        runs=(*runs, broken),
    )


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
    (job.folder / "stderr").write_text(
        "of 2 hosts at most 1 at once were connected (1 core); -f N sets another number\n"
    )
    assert rack_recipes.at_once(job) == 1
    (job.folder / "stderr").write_text("")
    assert rack_recipes.at_once(job) == SIZE.hosts


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


def measure(tmp_path: Path, *command: str, timeout: str = "30", more: tuple[str, ...] = ()) -> dict[str, Any]:
    files = ["--stdout", str(tmp_path / "out"), "--stderr", str(tmp_path / "err")]
    argv = [sys.executable, str(alternating_rounds.MEASURED), *files, "--timeout", timeout, *more, "--", *command]
    found: dict[str, Any] = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
    return found


def test_cpu_of_orphans_counts(tmp_path: Path) -> None:
    burn = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.3: pass'"
    found = measure(tmp_path, "sh", "-c", f"({burn} &) ; exit 0")
    assert found["cpu"] >= 0.3


def test_memory_of_all_processes_counts_while_they_run(tmp_path: Path) -> None:
    """Each of two processes at once fills 40 MiB of its own."""
    fill = f"{sys.executable} -c 'import time\nheld = bytearray(b\"x\") * 41943040\ntime.sleep(4)'"
    found = measure(tmp_path, "sh", "-c", f"({fill}) & ({fill}); wait", more=("--memory",))
    assert 80 * 1024 < found["memory_kib"] < 160 * 1024
    assert measure(tmp_path, "true")["memory_kib"] is None
    assert measure(tmp_path, "sleep", "60", timeout="1.5", more=("--memory",))["timed_out"]


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
    assert alternating_rounds.wrong(NAMED["plain"], job, held, "", "away\n") == error


def test_ratio_pairs_the_rounds() -> None:
    runs = made_runs(ours=[1, 2, 4], plain=[10, 40, 60])
    assert medians_and_ratios.ratio(runs, "plain", "ours", medians_and_ratios.SMALL) == medians_and_ratios.Spread(
        15, 10, 20, 3
    )
    assert medians_and_ratios.ratio(runs, "plain", "ours", medians_and_ratios.BIG) is None
    assert medians_and_ratios.ratio(runs, "mitogen", "ours", medians_and_ratios.SMALL) is None


def test_warm_up_and_errors_count_for_nothing() -> None:
    runs = made_runs(ours=[1, 2, 4], plain=[10, 40, 60])
    runs[0] = dataclasses.replace(runs[0], error="half done")
    runs += [dataclasses.replace(run, round=0, wall=99.0) for run in runs]
    assert medians_and_ratios.ratio(runs, "plain", "ours", medians_and_ratios.SMALL) == medians_and_ratios.Spread(
        17.5, 15, 20, 2
    )


def test_goal_against_the_floor() -> None:
    runs = made_runs(ours=[2], floor=[1], noop=[0.5])
    found = medians_and_ratios.against_floor(runs, medians_and_ratios.SMALL)
    assert found
    assert found == medians_and_ratios.Spread(0.8, 0.8, 0.8, 1)
    goal = medians_and_ratios.Goal("", medians_and_ratios.SMALL, 1, medians_and_ratios.against_floor, at_most=True)
    assert goal.reached(found)


def test_goals_of_the_recorder() -> None:
    few = dataclasses.replace(BLANK, contestant="recorder", hosts=32, steps=20, recorder_cpu=0.30)
    many = dataclasses.replace(few, steps=100, controller_cpu=2.0, target_cpu=4.0, recorder_cpu=0.36)
    share, slope = (
        value([few, many], medians_and_ratios.BIG)
        for value in (medians_and_ratios.recorder_share, medians_and_ratios.recorder_slope)
    )
    assert share
    assert share.median == pytest.approx(0.36 / (0.03 * 6 + 0.3))
    assert slope
    assert slope.median == pytest.approx(1e6 * 0.06 / (32 * 80))
    assert medians_and_ratios.recorder_share([many], Size(1, 20)) is None


MADE = {"made": "2026-11-29T06:00:00+00:00", "cores": 2, "load": 0.4}
FIGURES: dict[str, dict[str, Any]] = {
    "results": {
        **MADE,
        "results": 100_000,
        "rounds": 3,
        "rows": [["show", 1.5, 2.0], ["report --format html", 6.25, 6.0], ["report --format csv", 3.0, None]],
    },
    "pages": {
        **MADE,
        "hosts": 1000,
        "steps": 100,
        "rounds": 5,
        "pages": [["a run", [0.4, 0.25], [1.5, 1.25]], ["the rack", [1.0, 0.75], None]],
        "filter": ["failed results of a run", 0.05, 1.1],
    },
    "server": {
        **MADE,
        "rounds": 3,
        "seconds": 2.0,
        "connections": 32,
        "missing": ["etcd"],
        "requests": [["bare ASGI", 20000.4, 1.5, 3.0, 30000, 1.0, 2.0], ["ours", 12000, 2.5, 10.0, 15000, 2.0, 4.0]],
        "listeners": 1000,
        "reached": [["ours", 12.0, 30.0, 31.25]],
        "calls": [["get, direct", 0.25, 0.5]],
    },
    "group": {
        **MADE,
        "rounds": 3,
        "parts": 8,
        "hosts": 32,
        "steps": 20,
        "rows": [
            ["one", "one controller", 20.0, 10.0, 5.0],
            ["parts", "8 parts", 25.0, 15.0, 5.0],
            ["one_wide", "one controller, a wide step", 30.0, 20.0, 5.5],
            ["parts_wide", "8 parts that meet at a server, a wide step", 30.0, 40.0, 5.5],
        ],
    },
}
FIGURES["inventory"] = {
    **MADE,
    "rounds": 3,
    "parts": 10,
    "rows": [
        [hosts, way, cpu * hosts / 1000, 50 + hosts / 100]
        for hosts in (1000, 5000, 10000)
        for way, cpu in (("whole", 2.0), ("split", 2.5), ("part", 0.2))
    ],
}


def lines(name: str, **other: Any) -> list[str]:
    """The lines of a part, with other figures."""
    return stored_sections.SECTIONS[name]({**FIGURES[name], **other}).splitlines()


def test_a_page_that_is_slower_than_its_goal_is_said():
    slow = lines("pages", pages=[["a run", [1.01, 0.9], None]], filter=["failed results", 0.2, 1.0])
    assert slow[-2:] == [
        "- every page is painted within 1 s: 1.01 s (a run), **not reached**",
        "- results are filtered within 0.1 s: 0.200 s, **not reached**",
    ]


def test_a_larger_inventory_is_on_the_line_through_the_last_two():
    page = lines("inventory")
    assert "| 10,000 | Ansible reads all | 20.0 | 150.0 |" in page
    assert "| 50,000 (computed) | Ansible reads all | 100.0 | 550.0 |" in page
    assert page[-1] == "- a controller with a part of 10,000 hosts: 10.0 times less CPU to read its inventory"


def made_runs_of_cpu(ours: float) -> list[Run]:
    """Runs in which plain Ansible, which is quick here, takes 13 s of CPU time on the controller alone."""
    used = {"ours": ours, "plain": 13.0}
    runs = made_runs(ours=[10, 20], plain=[1, 2])
    return [dataclasses.replace(run, controller_cpu=used[run.contestant], target_cpu=0) for run in runs]


@pytest.mark.parametrize(("used", "code"), [(1.0, 0), (2.0, 1)])
def test_slice_fails_only_far_below_the_goal_and_by_cpu_time(
    findings: performance_page.Findings, used: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.judged(dataclasses.replace(findings, runs=made_runs_of_cpu(used))) == code
    assert "times the CPU time of this project" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("failed", "rounds", "code"),
    [([], 1, 0), (["plain"], 2, 0), (["plain", "plain"], 2, 1), (["ours"], 1, 1), (["plain", "ours"], 2, 1)],
)
def test_slice_tries_once_more_where_only_a_rival_failed(
    failed: list[str],
    rounds: int,
    code: int,
    findings: performance_page.Findings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`failed` has the contestant that fails in each round, for as many rounds as one does."""
    played: list[str] = []

    def measured(_options: argparse.Namespace, _folder: Path) -> performance_page.Findings:
        played.append(failed[len(played)] if len(played) < len(failed) else "")
        marked = (dataclasses.replace(run, error="no" * (run.contestant == played[-1])) for run in made_runs_of_cpu(1))
        return dataclasses.replace(findings, runs=tuple(marked))

    monkeypatch.setattr(command_line, "measured", measured)
    assert command_line.main(["--slice", "--inventory", "hosts.yml"]) == code
    assert len(played) == rounds
    assert ("runs once more" in capsys.readouterr().err) == (rounds == 2)
