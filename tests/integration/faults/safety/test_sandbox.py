# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps in a sandbox on two real hosts: what is forbidden, what is allowed, and what works as without a sandbox."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import no_sandbox
from call_rack_recipes import Results, results, run_recipe, write_recipe
from ssh_hosts import Rack

HERE = Path(__file__).parent
HOSTS = ("r01", "r02")
SIGN = 74219  # in the command lines of processes that must not be left
MISSING = "the sandbox needs bubblewrap, and there is no bwrap in PATH on this host: install its package bubblewrap"


NO_SANDBOX = no_sandbox()
needs_sandbox = pytest.mark.skipif(bool(NO_SANDBOX), reason=NO_SANDBOX)


@pytest.fixture
def boxed(project: Path) -> Path:
    """A project with the scriptlets of these tests, and folders for them to write in."""
    shutil.copytree(HERE / "cases" / "sandbox" / "s", project / "scriptlets" / "s")
    for name in ("outside", "allowed"):
        (project / name).mkdir()
    return project


@pytest.fixture
def port() -> Iterator[int]:
    """Where somebody listens on the loopback of the hosts, which is that of this machine."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server.getsockname()[1]


def step(name: str, kind: str, script: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "module": f"s.{script}", **fields}


def ran(recipe: str, rack: Rack, *options: str) -> tuple[int, Results]:
    done = run_recipe(recipe, *options, on=rack, hosts=HOSTS)
    assert done.code in (0, 1), done.stdout + done.stderr
    return done.code, results()


@needs_sandbox
def test_what_a_sandbox_keeps_out(boxed: Path, rack: Rack, port: int):
    """The same script without one can do everything: it is the sandbox that keeps it from that."""
    outside, allowed = boxed / "outside", boxed / "allowed"
    paths = {"outside": str(outside), "allowed": str(allowed), "port": port}
    more = {"network": True, "write": [str(allowed)]}
    wanted = {"free": False, "strict": True, "open": more}
    probes = [
        step(
            name,
            "shell",
            "probe",
            args={**paths, "where": name, "seen": str(outside)},
            writes=[f"s.{name}_v1"],
            success={"ctx_has_keys": [f"s.{name}_v1"]},
            sandbox=sandbox,
        )
        for name, sandbox in wanted.items()
    ]
    steps = [
        *probes,
        step(
            "inside",
            "python",
            "try_what_is_kept_out",
            args={**paths, "word": "tell-nobody-2"},
            sandbox=more,
            limits={"cpu_sec": 30},
        ),
        step("native", "native", "native", args={"path": str(outside / "native")}, sandbox=True),
        step("hangs", "shell", "hang", args={"sign": SIGN}, sandbox=True, timeout=1),
    ]
    steps[-3]["success"] = {"ctx_has_keys": ["s.inside_v1"]}
    code, found = ran(write_recipe(steps), rack)
    assert code == 1
    verdicts = {
        name: {found.steps[name, host]["verdict"] for host in HOSTS} for name in [each["name"] for each in steps]
    }
    reasons = {place: row["reason"] for place, row in found.steps.items() if row["reason"]}
    assert verdicts == {name: {"error" if name == "hangs" else "passed"} for name in verdicts}, reasons
    is_root = os.geteuid() == 0
    everything = dict.fromkeys(("write outside", "write allowed", "see tmp", "connect", "see processes"), True)
    at_home = {"write tmp": True, "write var tmp": True, "write here": True}
    nothing = {**dict.fromkeys(everything, False), **at_home, "have capabilities": False}
    told = {
        "free": {**everything, **at_home, "have capabilities": is_root},
        "strict": nothing,
        "open": {**nothing, "write allowed": True, "connect": True},
        "inside": {
            "write outside": False,
            "write allowed": True,
            "have capabilities": False,
            "connect": True,
            "read": True,
            "word": "shared",
        },
        "native": False,
    }
    for host in HOSTS:
        for name, values in told.items():
            assert found.context[f"s.{name}_v1", host] == values, (name, host)
        assert found.steps["hangs", host]["reason"] == "timed out after 1 s"
    assert names(outside) == [f"free-{host}" for host in HOSTS]
    assert names(allowed) == ["class", *(f"{name}-{host}" for name in ("free", "open") for host in HOSTS)]
    for folder in ("/tmp", "/var/tmp"):
        for host in HOSTS:
            Path(folder, f"free-{host}").unlink()
            assert not [name for name in ("strict", "open") if Path(folder, f"{name}-{host}").exists()]
    measured = {(row[0], row[1], row[2]) for row in found.measurements}
    assert {("inside", host, name) for host in HOSTS for name in ("entries of /tmp", "load")} <= measured
    assert left() == []
    nobody_sees(b"tell-nobody-2", b"registered-by-the-class")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def left() -> list[str]:
    """Processes that hang."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:  # gone
            continue
        if str(SIGN).encode() in words and path.parent.name != str(os.getpid()):
            found.append(words.decode())
    return found


def nobody_sees(*secrets: bytes) -> None:
    """The attached file is in the run's folder, and neither that nor the store shows a secret."""
    written = Path(".rack-recipes").rglob("*")
    files = [path for path in written if path.is_file() and not {"begun", "compiled"} & {*path.parts}]  # the recipe
    contents = [path.read_bytes() for path in files]
    assert b"******** and ********" in contents
    assert not [path for path, text in zip(files, contents, strict=True) if any(each in text for each in secrets)]


def test_without_bubblewrap_nothing_runs(boxed: Path, rack: Rack):
    """Not even a part of it, and never without a sandbox; a step without one does not notice."""
    tools, python = boxed / "tools", boxed / "python"
    tools.mkdir()
    (tools / "env").symlink_to(shutil.which("env") or "/usr/bin/env")
    python.write_text(f'#!/bin/sh\nPATH={tools} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    args = {"path": str(boxed / "outside" / "native")}
    words = {"outside": str(boxed / "outside"), "allowed": str(boxed / "allowed"), "port": 1, "word": "x"}
    steps = [
        step("hangs", "shell", "hang", args={"sign": SIGN}, sandbox=True, retry={"max": 3}),
        step("inside", "python", "try_what_is_kept_out", args=words, sandbox={"network": True}),
        step("native", "native", "native", args=args, sandbox=True),
        {"name": "free", "module": "rack.recipes.host_inventory"},
    ]
    code, found = ran(write_recipe(steps), rack, "-e", f"ansible_python_interpreter={python}")
    assert code == 1
    for host in HOSTS:
        for name in ("hangs", "inside", "native"):
            assert (found.steps[name, host]["verdict"], found.steps[name, host]["reason"]) == ("error", MISSING)
        assert found.steps["free", host]["verdict"] == "passed"
    assert names(boxed / "outside") == []
    assert left() == []
