# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the bench, and its exit code."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.bench.fleet import __main__ as command_line
from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import Run
from ansible_collections.rack.recipes.tests.bench.fleet.page import performance_page
from ansible_collections.rack.recipes.tests.unit.bench.fleet.sample_runs import made_runs


def made_runs_of_cpu(ours: float) -> list[Run]:
    """Runs in which plain Ansible, which is quick here, takes 13 s of CPU time on the controller alone."""
    used = {"ours": ours, "plain": 13.0}
    runs = made_runs(ours=[10, 20], plain=[1, 2])
    return [dataclasses.replace(run, controller_cpu=used[run.contestant], target_cpu=0) for run in runs]


def test_page_is_written_from_old_figures(findings: performance_page.Findings, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(performance_page.to_json(findings))
    words = ["--render", str(tmp_path / "old.json"), "--write", str(tmp_path / "page.md")]
    assert command_line.main(words) == 0
    assert (tmp_path / "page.md").read_text() == performance_page.page(findings)


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
