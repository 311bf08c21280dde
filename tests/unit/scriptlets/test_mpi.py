# SPDX-License-Identifier: GPL-3.0-or-later

"""MPI over several hosts: what two versions of the OSU micro-benchmarks print (`captured/README-collectives.md`)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

from .conftest import captured

HOSTS = ["10.0.0.1", "10.0.0.2"]
BW = "osu-7.2-bw.txt"
FAKE = """#!/bin/sh
echo "$*" >>{folder}/asked
[ "${{OMPI_COMM_WORLD_RANK:-0}}" = 0 ] && cat {folder}/printed
exit {code}
"""
Run = Callable[..., Any]


@pytest.fixture
def run(scriptlet: Any, rack_context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that runs the scriptlet; the program, or a stand-in for mpirun, prints a text and ends with a code."""

    def run(text: str, *, code: int = 0, programs: tuple[str, ...] = ("mpirun",), **params: Any) -> Any:
        (tmp_path / "printed").write_text(text, encoding="utf-8")
        for name in (*programs, params.get("test", "osu_bw")):
            (tmp_path / name).write_text(FAKE.format(folder=tmp_path, code=code), encoding="utf-8")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return rack_context.run(scriptlet("mpi.osu").MpiOsu, {"hosts": HOSTS, "folder": str(tmp_path), **params})

    return run


@table("test", "text", "version", "params", "name", "value")
def test_what_several_versions_print(run, rack_context, test, text, version, params, name, value):
    outcome = run(captured(text), test=test, **params)
    assert (outcome.verdict, outcome.reason) == ("passed", "")
    assert rack_context.measured[name] == value
    assert rack_context["mpi.osu_v1"]["version"] == version


@table("test", "text", "before", "after", "params", "says")
def test_what_is_wrong(run, rack_context, test, text, before, after, params, says):
    assert before in captured(text)
    outcome = run(captured(text).replace(before, after), test=test, **params)
    assert (outcome.verdict, outcome.reason[: len(says)]) == ("failed", says)
    assert "failed" in rack_context.checked.values()


def test_what_is_asked(run, tmp_path):
    run(captured(BW), test="osu_alltoall", slots=4, sizes="8:1024", mpirun=["--bind-to", "core"])
    assert (tmp_path / "asked").read_text() == (
        f"--allow-run-as-root --host 10.0.0.1:4,10.0.0.2:4 -np 8 --bind-to core {tmp_path}/osu_alltoall -m 8:1024\n"
    )


@pytest.mark.skipif(not shutil.which("mpirun"), reason="Open MPI is not installed")
def test_two_processes_of_a_real_mpirun(run, rack_context, tmp_path):
    run(captured(BW))
    (tmp_path / "mpirun").unlink()
    words = ["--tag-output", "--oversubscribe"]
    outcome = run(captured(BW), programs=(), test="osu_allreduce", hosts=["localhost", "localhost"], mpirun=words)
    assert (outcome.verdict, outcome.reason) == ("passed", "")
    assert rack_context.measured["usec.65536"] == 15294.18


@pytest.mark.parametrize(
    ("text", "params", "verdict", "says"),
    [
        ("", {}, "error", "osu_bw ended with exit code 0: it printed nothing"),
        ("no route to 10.0.0.2\n", {"code": 1}, "error", "osu_bw ended with exit code 1: no route to 10.0.0.2"),
        (
            "----\n \nThere are not enough slots available\nuse --use-hwthread-cpus\n----\n",
            {"code": 1},
            "error",
            "osu_bw ended with exit code 1: There are not enough slots available",
        ),
        (captured(BW), {"code": 134}, "error", "osu_bw ended with exit code 134 (SIGABRT): 33554432"),
        (captured(BW), {"hosts": [*HOSTS, "10.0.0.3"]}, "error", "osu_bw is a test of two processes"),
        (captured(BW), {"slots": 2}, "error", "osu_bw is a test of two processes"),
        (captured(BW), {"hosts": ["10.0.0.1"]}, "skipped", "10.0.0.1 is alone: there is no host to test with"),
        (
            captured(BW),
            {"folder": "/nowhere"},
            "error",
            "osu_bw is in none of /nowhere: build the OSU micro-benchmarks",
        ),
    ],
)
def test_what_was_not_measured(run, text, params, verdict, says):
    outcome = run(text, **params)
    assert (outcome.verdict, outcome.reason[: len(says)]) == (verdict, says)
