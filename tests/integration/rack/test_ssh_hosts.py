# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import python_interpreters
import service_supervisor
import ssh_hosts
from service_supervisor import ServiceError
from ssh_hosts import Rack

CLI = [sys.executable, ssh_hosts.__file__]
# Leaves its parent and its session, as a daemon does, and tells its process id.
DAEMON = "setsid sh -c 'sleep 1000 & echo $!' >pid </dev/null 2>/dev/null; cat pid"


def run(command: list[str]) -> str:
    stdin = subprocess.DEVNULL  # one of its own: ssh sets flags on it, which others would find
    done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "did not happen within 60 s"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    return service_supervisor.start_time(pid) > 0


def processes_of(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in text:
            found.append(text)
    return found


def test_sessions_skip_the_start_files_of_the_user(rack: Rack) -> None:
    assert run(rack.ssh("r02", "echo $HOME")) == str(rack.folder / "r02")


def test_a_killed_host_takes_its_sessions_along_and_no_other_host(rack: Rack) -> None:
    daemon = int(run(rack.ssh("r03", f"cd; {DAEMON}")))
    other = int(run(rack.ssh("r04", f"cd; {DAEMON}")))
    session = subprocess.Popen(rack.ssh("r03", "sleep 1000"), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = rack.pids()
    rack.kill("r03")
    assert session.wait(60) == 255
    assert (lives(daemon), lives(other)) == (False, True)
    assert rack.pids() == {name: pid for name, pid in before.items() if name != "r03"}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((rack.members["r03"].address, rack.members["r03"].port))
    rack.revive("r03")
    assert run(rack.ssh("r03", "echo back")) == "back"
    rack.kill("r04")
    rack.revive("r04")


def test_stop_leaves_no_process_and_no_file() -> None:
    with Rack(3) as rack:
        daemon = int(run(rack.ssh("r01", f"cd; {DAEMON}")))
        session = subprocess.Popen(rack.ssh("r02", "sleep 1000"), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: len(rack.processes()) > 6)
        running = rack.processes()
        assert daemon in running
    assert [pid for pid in running if lives(pid)] == []
    assert session.wait(60) == 255
    assert not rack.folder.exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_nothing_is_left_when_the_owner_dies(tmp_path: Path, number: int, code: int) -> None:
    script = f"echo $$ >{tmp_path}/child; exec sleep 1000"
    command = [*CLI, "run", "--count", "2", "--folder", str(tmp_path), "--", "sh", "-c", script]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as owner:
        try:
            wait_until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
            child = int((tmp_path / "child").read_text())
            owner.send_signal(number)
            assert owner.wait(60) == code
        finally:
            owner.kill()
    assert lives(child) == (number == signal.SIGKILL)  # the command is not the rack's to end
    if number == signal.SIGKILL:
        os.kill(child, signal.SIGKILL)
    wait_until(lambda: not processes_of(tmp_path))


def test_a_host_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    rack = Rack(1, tmp_path / "rack")
    host = rack.members["r01"]
    taken = socket.create_server((host.address, host.port))
    with taken, pytest.raises(ServiceError, match=r"r01 does not answer .*Address already in use"):
        rack.start()
    assert processes_of(tmp_path) == []


def test_listed_interpreters_replace_those_found(monkeypatch: pytest.MonkeyPatch) -> None:
    version, path = list(python_interpreters.find().items())[-1]
    monkeypatch.setenv("RACK_PYTHONS", str(path))
    assert python_interpreters.find() == {version: path}
    monkeypatch.setenv("RACK_PYTHONS", "python3")
    with pytest.raises(ServiceError, match="RACK_PYTHONS: python3 is not the absolute path"):
        python_interpreters.find()


def test_a_plain_user_needs_no_root(plain_user: Callable[..., str]) -> None:
    login = 'F=${RACK_INVENTORY%/*}; P=$(sed -n "s/^ListenAddress .*://p" $F/r02.conf); '
    login += f'ssh -i $F/id -p $P {ssh_hosts.SSH_OPTIONS} 127.0.1.2 "id -un; echo \\$HOME"; echo $F'
    answer = plain_user("ssh_hosts.py", "run", "--count", "2", "--", "sh", "-c", login).split()
    assert answer == ["nobody" if os.geteuid() == 0 else service_supervisor.user(), f"{answer[2]}/r02", answer[2]]
    assert processes_of(Path(answer[2])) == []
