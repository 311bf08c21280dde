# SPDX-License-Identifier: GPL-3.0-or-later

"""RDMA between two hosts: both sides meet as they do, with what two versions of perftest write of a rail.

The programs are stand-ins (`fake_perftest.py`): this machine has no RDMA, and its kernel no rdma_rxe.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

from .conftest import captured

TREES = yaml.safe_load(Path(__file__).with_name("infiniband_trees.yml").read_text(encoding="utf-8"))
CLASSES = {"write_bw": "RdmaWriteBw", "send_bw": "RdmaSendBw", "read_lat": "RdmaReadLat", "serve": "RdmaServe"}
NEW, OLD, READ = "perftest-24-write-bw.json", "perftest-4.5-write-bw.txt", "perftest-24-read-lat.json"
PATH = os.environ["PATH"]
Run = Callable[..., Any]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the head of PATH with the stand-ins, and beside it the ports of two cards."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("ib_write_bw", "ib_send_bw", "ib_read_lat"):
        program = folder / name
        text = Path(__file__).with_name("fake_perftest.py").read_text(encoding="utf-8")
        program.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{PATH}")
    for name, text in TREES["new"].items():
        path = tmp_path / "sys/class/infiniband" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="ascii")
    return folder


@pytest.fixture
def run(scriptlet: Any, programs: Path, tmp_path: Path) -> Run:
    """A function that runs one side, in a context of its own. `answers` has by device what perftest writes."""
    from rack_recipes.programs.pytest_plugin.context_fixture import RackContext

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    def run(name: str, answers: dict[str, str] | None = None, **params: Any) -> Any:
        for device, text in (answers or {}).items():
            (programs / f"{device}.answer").write_text(text, encoding="utf-8")
        context = RackContext()
        peer = {} if name == "serve" else {"peer": "127.0.0.1"}
        given = {"port": port, "root": str(tmp_path), "wait": 10, **peer, **params}
        return context.run(getattr(scriptlet(f"rdma.{name}"), CLASSES[name]), given), context

    return run


def both(run: Run, test: str, answers: dict[str, str], serving: dict[str, Any] | None = None, **params: Any) -> Any:
    """Run both sides at once, the measuring one first; returns what each has found."""
    with ThreadPoolExecutor() as threads:
        measuring = threads.submit(run, test, answers, **params)
        served = threads.submit(run, "serve", test=test, **(serving or {}))
        return measuring.result(), served.result()


@pytest.mark.parametrize(("text", "gbps"), [(NEW, 393.64), (OLD, 196.97)])
def test_both_sides_go_through_their_rails(run, programs, text, gbps):
    (outcome, found), (served, told) = both(run, "write_bw", dict.fromkeys(("mlx5_0", "mlx5_1"), captured(text)))
    assert (outcome.verdict, outcome.reason, served.verdict) == ("passed", "", "passed")
    assert found.measured == {"gbps.mlx5_0/1": gbps, "gbps.mlx5_1/1": gbps}
    assert found["rdma.write_bw_v1"]["mlx5_1/1"] == {"gbps": gbps, "size": 65536}
    assert told["rdma.served_v1"] == ["mlx5_0/1", "mlx5_1/1"]
    asked = (programs / "asked").read_text(encoding="utf-8")
    assert "ib_write_bw -d mlx5_1 -i 1 -p" in asked
    assert "-s 65536 -F -D 5 -f 1 -q 2 --report_gbits --out_json" in asked


def test_cross_rails(run, programs):
    both(run, "send_bw", dict.fromkeys(("mlx5_0", "mlx5_1"), captured(NEW)), {"shift": 1})
    starts = [line for line in (programs / "asked").read_text(encoding="utf-8").splitlines() if "out_json" not in line]
    assert [line.split()[:3] for line in starts] == [["ib_send_bw", "-d", name] for name in ("mlx5_1", "mlx5_0")]


def test_latency(run):
    (outcome, found), _served = both(run, "read_lat", dict.fromkeys(("mlx5_0", "mlx5_1"), captured(READ)), max_usec=2)
    assert outcome.reason.startswith("mlx5_0/1: 2.37 us, max 2: test its cable and the other end's")
    assert found.measured["usec_p99.mlx5_1/1"] == 2.46


@table("before", "after", "params", "says")
def test_what_is_wrong(run, before, after, params, says):
    assert before in captured(NEW)
    answers = {"mlx5_0": captured(NEW).replace(before, after)}
    (outcome, found), _served = both(run, "write_bw", answers, {"devices": ["mlx5_0"]}, devices=["mlx5_0"], **params)
    assert (outcome.verdict, outcome.reason[: len(says)]) == ("failed", says)
    assert "failed" in found.checked.values()


@pytest.mark.parametrize(
    ("name", "params", "verdict", "says"),
    [
        ("write_bw", {"wait": 0.1}, "error", "mlx5_0/1: 127.0.0.1 port"),
        ("write_bw", {"seconds": 2}, "error", "seconds is 2, expected 3 or more"),
        ("write_bw", {"devices": ["mlx5_7"]}, "failed", "mlx5_7/1 is not there, only mlx5_0/1, mlx5_1/1: look"),
        ("serve", {"test": "write_bw", "seconds": -19, "wait": 0}, "error", "seconds is -19"),
        ("serve", {"test": "read_lat", "seconds": -19, "wait": 0}, "error", "ib_read_lat -d mlx5_0 did not end"),
    ],
)  # fmt: skip
def test_a_side_alone(run, name, params, verdict, says):
    outcome, _found = run(name, **params)
    assert (outcome.verdict, outcome.reason[: len(says)]) == (verdict, says)


def test_a_link_that_fails_on_the_way_is_an_error(run):
    (outcome, _found), _served = both(run, "write_bw", {}, {"devices": ["mlx5_0"]}, devices=["mlx5_0"])
    assert outcome.verdict == "error"
    assert outcome.reason.startswith("mlx5_0/1: ib_write_bw ended with exit code 1: ")
    assert "Failed status 12" in outcome.reason


def test_ports_that_are_down(run, tmp_path):
    for name in ("mlx5_0", "mlx5_1"):
        (tmp_path / f"sys/class/infiniband/{name}/ports/1/state").write_text("1: DOWN\n", encoding="ascii")
    assert run("write_bw")[0].reason.startswith("none of mlx5_0/1, mlx5_1/1 is active: look at the step")
    assert run("write_bw", devices=["mlx5_0"])[0].reason.startswith("mlx5_0/1 (DOWN) is not active: reseat the cable")


def test_no_such_hardware(run, tmp_path):
    shutil.rmtree(tmp_path / "sys")
    outcome, _found = run("write_bw")
    assert (outcome.verdict, outcome.reason) == ("skipped", "no such hardware: an InfiniBand or RoCE port")
    assert run("write_bw", absent="fail")[0].verdict == "failed"


def test_perftest_is_not_installed(run, programs, monkeypatch):
    shutil.rmtree(programs)
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr("scriptlets.tools.commands.PATHS", ())
    outcome, _found = run("write_bw", {})
    assert (outcome.verdict, outcome.reason) == (
        "error",
        "ib_write_bw is not installed on this host: install the package perftest",
    )


@pytest.mark.skipif(not shutil.which("ib_write_bw", path=PATH), reason="perftest is not installed")
def test_the_real_program_knows_these_words(scriptlet, programs, monkeypatch):
    """It ends where it looks for a card, behind its options; the fields are those that it can write."""
    monkeypatch.setenv("PATH", PATH)
    params = {"seconds": 3, "port": 1, "size": 65536, "queue_pairs": 2, "gid_index": 3, "messages": 1000}
    module = scriptlet("tools.perftest")
    for test, fields in (
        ("write_bw", b'"BW_average": '),
        ("send_bw", b'"BW_average": '),
        ("read_lat", b'"t_typical": '),
    ):
        argv = module.command(test, ("no_card", "1"), params)
        done = module.completed([*argv, "--out_json", "--out_json_file=/dev/null", "127.0.0.1"])
        assert (done.returncode, "device" in done.stderr + done.stdout) == (1, True)
        assert fields in Path(shutil.which(argv[0]) or "").read_bytes()
