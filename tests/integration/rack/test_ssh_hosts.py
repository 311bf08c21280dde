# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import python_interpreters
import service_supervisor
import ssh_hosts
from service_supervisor import ServiceError
from ssh_hosts import Rack

CLI = [sys.executable, ssh_hosts.__file__]
# The command line, told to end at the moment at which its command has been started and nobody knows of it yet.
TOLD_TOO_SOON = """
import runpy, signal, subprocess, sys
start = subprocess.Popen.__init__
def told(popen, command, **options):
    start(popen, command, **options)
    if command[0] == "sleep":
        print(popen.pid, flush=True)
        signal.raise_signal(int(number))
subprocess.Popen.__init__ = told
program, number, *sys.argv[1:] = sys.argv[1:]
runpy.run_path(program, run_name="__main__")
"""
# Leaves its parent and its session, as a daemon does, and tells its process id.
DAEMON = "setsid sh -c 'sleep 1000 & echo $!' >pid </dev/null 2>/dev/null; cat pid"


@pytest.fixture(autouse=True)
def _without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts are under test, not what the checkout's ansible.cfg plugs into Ansible."""
    monkeypatch.chdir(tmp_path)


def run(command: list[str]) -> str:
    stdin = subprocess.DEVNULL  # one of its own: ssh sets flags on it, which others would find
    done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def ansible(name: str) -> str:
    """The program beside this Python; that folder need not be on PATH."""
    return str(Path(sys.executable).with_name(name))


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


def test_hosts_take_the_versions_in_turn(rack: Rack) -> None:
    versions = list(python_interpreters.find())
    assert [host.version for host in rack.members.values()] == [versions[n % len(versions)] for n in range(8)]


def test_ansible_reaches_every_host(rack: Rack) -> None:
    facts = ["-m", "ansible.builtin.setup", "-a", "gather_subset=!all,!min,python", "--one-line"]
    lines = run([ansible("ansible"), "-i", str(rack.inventory), "rack", *facts]).splitlines()
    answers = {line.split()[0]: json.loads(line.split("=>")[1])["ansible_facts"]["ansible_python"] for line in lines}
    versions = {name: "{major}.{minor}.{micro}".format(**answer["version"]) for name, answer in answers.items()}
    assert versions == {name: host.version for name, host in rack.members.items()}


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


def test_two_racks_at_once_do_not_touch_each_other(rack: Rack) -> None:
    with Rack(2) as second, Rack(2, first_address="127.0.9.1") as third:
        assert second.members["r01"].address == rack.members["r01"].address
        assert third.members["r02"].address == "127.0.9.2"
        for one in (rack, second, third):
            assert run(one.ssh("r01", "echo $HOME")) == str(one.folder / "r01")
    assert run(rack.ssh("r01", "echo here")) == "here"


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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_is_ended_by_a_signal_that_comes_while_it_starts(tmp_path: Path, number: int, code: int) -> None:
    words = f"run --count 1 --folder {tmp_path} -- sleep 1000".split()
    told = [sys.executable, "-c", TOLD_TOO_SOON, ssh_hosts.__file__, str(int(number)), *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(ssh_hosts.__file__).parent)}
    done = subprocess.run(told, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert (done.returncode, lives(int(done.stdout))) == (code, False), done.stderr


def test_hosts_die_with_their_supervisor() -> None:
    rack = Rack(2)
    rack.start()
    sshd = rack.pids()
    os.kill(rack.processes()[0], signal.SIGKILL)
    wait_until(lambda: not any(map(lives, sshd.values())))
    rack.stop()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Path]:
    """The folder of two hosts that the command line has started."""
    folder = tmp_path / "with space"
    assert run([*CLI, "start", "--count", "2", "--folder", str(folder)]) == str(folder / "inventory.yml")
    yield folder
    run([*CLI, "stop", "--folder", str(folder)])  # again, for most


def test_stop_ends_the_hosts_of_its_folder(started: Path) -> None:
    run([*CLI, "stop", "--folder", str(started)])
    state = json.loads((started / "state.json").read_text())
    assert not any(lives(pid) for pid, _other in (state["supervisor"], *state["services"].values()))
    assert processes_of(started) == []


def test_a_folder_holds_one_rack_at_a_time(started: Path) -> None:
    command = [*CLI, "start", "--folder", str(started)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"ssh_hosts.py: a rack runs in {started} already\n"


def test_run_passes_the_inventory_and_the_exit_code_on() -> None:
    script = 'grep -c ansible_port "$RACK_INVENTORY"; exit 7'
    command = [*CLI, "run", "--count", "3", "--", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "3\n")
    assert "Python 3." in done.stderr


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


def test_hosts_that_share_a_server_are_hosts_of_their_own(tmp_path: Path):
    with Rack(3, tmp_path / "rack", first_address="127.0.31.1", shared=2) as rack:
        assert [*rack.pids()] == ["r01", "r02", "r03"]
        assert len({*rack.pids().values()}) == 2
        homes = [run(rack.ssh(name, "echo $HOME")) for name in rack.hosts]
        assert homes == [str(rack.folder / name) for name in rack.hosts]
        rack.kill("r02")
        assert [*rack.pids()] == ["r03"]
        rack.revive("r02")
        assert [*rack.pids()] == ["r01", "r02", "r03"]
