# SPDX-License-Identifier: GPL-3.0-or-later

"""Collectives over GPUs, on what several versions of nccl-tests and rccl-tests printed (`README-collectives.md`)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

from .conftest import captured

V2_0, V2_11 = "nccl-tests-2.0-all-reduce.txt", "nccl-tests-2.11-all-to-all.txt"
V2_13, V2_18 = "nccl-tests-2.13-all-reduce.txt", "nccl-tests-2.18-all-to-all.txt"
RCCL = "rccl-tests-2.27-all-reduce.txt"
CLASSES = {"all_reduce": "NcclAllReduce", "all_gather": "NcclAllGather", "all_to_all": "NcclAllToAll"}
NVIDIA = ("10de", "10de")
Run = Callable[..., Any]


@pytest.fixture
def run(scriptlet: Any, rack_context: Any, tmp_path: Path) -> Run:
    """A function that runs a scriptlet whose program prints a text, ends with a code, and writes its words to `asked`.

    `gpus` are the makers of the GPUs of this host; beside them is a sound device, as NVIDIA's cards have.
    """

    def run(
        name: str, text: str, *, code: int = 0, gpus: tuple[str, ...] = NVIDIA, sleep: int = 0, **params: Any
    ) -> Any:
        for number, (maker, kind) in enumerate([*((each, "0x030200") for each in gpus), ("10de", "0x040300")]):
            folder = tmp_path / f"sys/bus/pci/devices/0000:8{number}:00.0"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "vendor").write_text(f"0x{maker}\n", encoding="ascii")
            (folder / "class").write_text(f"{kind}\n", encoding="ascii")
        printed = tmp_path / "printed"
        printed.write_text(text, encoding="utf-8")
        for program in ("all_reduce_perf", "all_gather_perf", "alltoall_perf"):
            path = tmp_path / program
            words = (
                f'echo "$0 $*" >>{tmp_path}/asked\n[ {sleep} = 0 ] || exec sleep {sleep}\n'
                f'[ "${{OMPI_COMM_WORLD_RANK:-0}}" = 0 ] && cat {printed}\nexit {code}\n'
            )
            path.write_text(f"#!/bin/sh\n{words}", encoding="utf-8")
            path.chmod(0o755)
        given = {"root": str(tmp_path), "folder": str(tmp_path), **params}
        return rack_context.run(getattr(scriptlet(f"nccl.{name}"), CLASSES[name]), given)

    return run


@table("name", "text", "gpus", "params", "size", "busbw", "average")
def test_what_several_versions_print(run, rack_context, name, text, gpus, params, size, busbw, average):
    outcome = run(name, captured(text), gpus=(gpus, gpus), **params)
    assert (outcome.verdict, outcome.reason) == ("passed", "")
    assert rack_context.measured[f"busbw.{size}"] == busbw
    assert (rack_context.measured["busbw_average"], rack_context.measured["wrong"]) == (average, 0)
    assert "busbw.0" not in rack_context.measured


@table("text", "before", "after", "code", "params", "says")
def test_what_is_wrong(run, rack_context, text, before, after, code, params, says):
    assert before in captured(text)
    outcome = run("all_reduce", captured(text).replace(before, after), code=code, **params)
    assert (outcome.verdict, outcome.reason[: len(says)]) == ("failed", says)
    assert "failed" in rack_context.checked.values()


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (captured("nccl-tests-2.17-busy.txt"), 3, "all_reduce_perf ended with exit code 3: node1: Test CUDA failure"),
        ("", 0, "all_reduce_perf printed no table: "),
        (captured(V2_13).partition("# Out of")[0], 3, "all_reduce_perf ended with exit code 3: "),
    ],
    ids=["busy", "nothing", "ended early"],
)
def test_a_collective_that_did_not_run_is_an_error(run, text, code, says):
    outcome = run("all_reduce", text, code=code)
    assert (outcome.verdict, outcome.reason[: len(says)]) == ("error", says)


def test_one_that_hangs_is_an_error(run):
    outcome = run("all_gather", captured(V2_13), sleep=60, timeout=0.3)
    assert (outcome.verdict, outcome.reason.endswith("all_gather_perf -b 8M did not end within 0.3 s")) == (
        "error",
        True,
    )


def test_what_is_asked_on_one_host(run, tmp_path):
    run("all_gather", captured(V2_13), longest="8G")
    assert (tmp_path / "asked").read_text() == f"{tmp_path}/all_gather_perf -b 8M -e 8G -f 2 -c 1 -g 2\n"


@pytest.mark.skipif(not shutil.which("mpirun"), reason="Open MPI is not installed")
def test_several_hosts_by_a_real_mpirun(run, rack_context, tmp_path):
    outcome = run("all_reduce", captured(V2_13), hosts=["localhost"], mpirun=["--tag-output", "--oversubscribe"])
    assert (outcome.verdict, outcome.reason) == ("passed", "")
    assert rack_context.measured["busbw.8589934592"] == 338.82
    assert (tmp_path / "asked").read_text().splitlines() == [
        f"{tmp_path}/all_reduce_perf -b 8M -e 1G -f 2 -c 1 -g 1"
    ] * 2


def test_words_for_several_hosts(scriptlet, run, tmp_path):
    run("all_reduce", captured(V2_13))
    params = {"library": "nccl", "hosts": ["10.0.0.1", "10.0.0.2"],
              "folder": str(tmp_path), "mpirun": ["-x", "NCCL_DEBUG=WARN"],
              "shortest": "8", "longest": "8G"}  # fmt: skip
    assert scriptlet("tools.nccl_tests").command("all_reduce_perf", params, 8) == [
        "mpirun", "--allow-run-as-root", "--host", "10.0.0.1:8,10.0.0.2:8", "-np", "16", "-x", "NCCL_DEBUG=WARN",
        f"{tmp_path}/all_reduce_perf", "-b", "8", "-e", "8G", "-f", "2", "-c", "1", "-g", "1",
    ]  # fmt: skip


def test_a_program_that_is_not_there(run, tmp_path):
    outcome = run("all_reduce", "", folder=str(tmp_path / "gone"))
    assert outcome.reason == (f"all_reduce_perf is in none of {tmp_path}/gone: build nccl-tests, or give `folder`")
    assert outcome.verdict == "error"


@pytest.mark.parametrize(
    ("gpus", "library", "says"),
    [
        ((), "nccl", "a GPU of NVIDIA"),
        (("10de", "10de"), "rccl", "a GPU of AMD"),
        (("10de",), "nccl", "a second GPU, or a second one of `hosts`"),
    ],
)
def test_no_such_hardware(run, gpus, library, says):
    outcome = run("all_reduce", "", gpus=gpus, library=library)
    assert (outcome.verdict, outcome.reason) == ("skipped", f"no such hardware: {says}")
    assert run("all_reduce", "", gpus=gpus, library=library, absent="fail").verdict == "failed"
