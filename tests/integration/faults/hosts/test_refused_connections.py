# SPDX-License-Identifier: GPL-3.0-or-later

"""A host whose SSH server lets nobody in has run nothing: it is unreachable soon, and never said to be lost."""

from __future__ import annotations

import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from refusing_servers import LISTENS_ON, WAYS, RefusingServer

import reliability_sweeps
from call_rack_recipes import results, run_recipe, shell, write_inventory, write_recipe
from service_supervisor import free_port, program
from ssh_hosts import Rack

HOLDS = "unreachable within seconds, with the reason; no host is said to be lost"
QUIET, TALKATIVE = "-o LogLevel=ERROR", "-o LogLevel=INFO"
PAUSES = 1.25 * (1 + 2 + 4)  # seconds between the tries, at most


def inventory(known: dict[str, dict[str, Any]]) -> str:
    write_inventory(known)
    return "inventory.yml"


def with_level(variables: dict[str, Any], level: str) -> dict[str, Any]:
    options = str(variables["ansible_ssh_common_args"]).replace(QUIET, level)
    return {**variables, "ansible_ssh_common_args": options}


@contextmanager
def crowded(rack: Rack) -> Iterator[dict[str, Any]]:
    """A real sshd that takes one connection at a time, and somebody has it."""
    sshd, port = program("sshd", "openssh-server"), free_port(LISTENS_ON)
    config = (rack.folder / "r01.conf").read_text().replace("MaxStartups 200", "MaxStartups 1:100:1")
    address = rack.members["r01"].address
    path = Path("crowded.conf").absolute()
    path.write_text(
        config.replace(f"ListenAddress {address}:{rack.members['r01'].port}", f"ListenAddress {LISTENS_ON}:{port}")
    )
    server = subprocess.Popen([sshd, "-D", "-f", str(path), "-E", str(path.with_suffix(".log"))])
    try:
        with _occupied(port):
            yield {"ansible_host": LISTENS_ON, "ansible_port": port}
    finally:
        server.terminate()
        server.wait()


@contextmanager
def _occupied(port: int) -> Iterator[None]:
    deadline = time.monotonic() + 10
    while True:
        try:
            with socket.create_connection((LISTENS_ON, port), timeout=2) as connection:
                assert connection.recv(4) == b"SSH-"
                yield
                return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_many_hosts_that_let_nobody_in(steps: Path, rack: Rack):
    """Servers that close or reset each connection, and a real sshd that has too many, with and without ssh's words."""
    with reliability_sweeps.sweep("host: SSH server refuses connections", HOLDS) as made, ExitStack() as opened:
        servers = [opened.enter_context(RefusingServer(way)) for way in WAYS]
        places = [{"ansible_host": LISTENS_ON, "ansible_port": server.port} for server in servers]
        places += [opened.enter_context(crowded(rack)), places[0]]
        known = {
            f"{level[-5:].strip('=').lower()}_{n}": with_level({**rack.variables("r01"), **place}, level)
            for which, level in enumerate((QUIET, TALKATIVE))
            for n, place in enumerate(places)
            if reliability_sweeps.is_whole() or n % 2 == which
        }
        recipe = write_recipe([shell("ok"), shell("next", "ok", depends_on=["ok"])])
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        hosts = inventory({"fine": rack.variables("r02"), **known})
        done = run_recipe(recipe, on=hosts, ANSIBLE_FORKS=20)
        took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.code == 3, done.stderr
        found = results().steps
        assert found["ok", "fine"]["verdict"] == "passed"
        for host in known:
            row = found["ok", host]
            assert (row["verdict"], "lost" in row["reason"]) == ("unreachable", False), row
            assert "onnection" in row["reason"] or "Broken pipe" in row["reason"], row
        assert all(server.connections <= 4 * 4 for server in servers)
        made.done += 1
        made.found = {
            "hosts": len(known),
            "seconds": round(took, 1),
            "CPU seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        }
        assert took < 60 + PAUSES  # 120 s is what a lost host would be waited for


def test_a_host_that_refuses_for_a_moment_is_tested_all_the_same(steps: Path, rack: Rack):
    """Ansible's own setting says how often others are tried."""
    member = rack.members["r01"]
    with ExitStack() as opened:
        momentary = RefusingServer("closed in the key exchange", (member.address, member.port), range(1, 3))
        servers = {"busy": opened.enter_context(momentary)}
        for retries in (0, 1):
            servers[f"retries_{retries}"] = opened.enter_context(RefusingServer("closed after the banner"))
        places = {name: {"ansible_host": LISTENS_ON, "ansible_port": each.port} for name, each in servers.items()}
        for retries in (0, 1):
            places[f"retries_{retries}"]["ansible_ssh_retries"] = retries
        hosts = inventory({name: {**rack.variables("r01"), **place} for name, place in places.items()})
        done = run_recipe([shell("ok")], on=hosts)
        connections = {name: server.connections for name, server in servers.items()}
        assert (done.code, connections) == (3, {"busy": 3, "retries_0": 1, "retries_1": 2}), done.stderr
        verdicts = {"busy": "passed", "retries_0": "unreachable", "retries_1": "unreachable"}
        assert results().verdicts() == {("ok", name): verdict for name, verdict in verdicts.items()}


def test_a_host_that_was_reached_in_a_stage_before_is_waited_for(steps: Path, rack: Rack):
    """It may be rebooting: its SSH server refuses for longer than the tries last, and it comes back."""
    member = rack.members["r01"]
    gate = shell("gate", scope="run", args={"path": str(steps / "open")})
    (steps / "open").touch()
    recipe = write_recipe([shell("before", "ok"), gate, shell("after", "ok")])
    with RefusingServer("reset at once", (member.address, member.port), range(2, 9)) as server:
        place = {"ansible_host": LISTENS_ON, "ansible_port": server.port, "ansible_ssh_args": "-o ControlMaster=no"}
        hosts = inventory({"boots": {**rack.variables("r01"), **place}})
        done = run_recipe(recipe, on=hosts)
        assert (done.code, server.connections) == (0, 9), done.stderr
