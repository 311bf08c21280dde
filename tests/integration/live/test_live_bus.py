# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps on several hosts talk to each other while they run, over real SSH."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.integration.server.server_process import UnixConnection, served
from call_rack_recipes import COMMAND, environment, rack_recipes, results, write_recipe
from service_supervisor import user

TIMEOUT = 120  # seconds


def pair(module: str, kind: str = "python", **more: Any) -> list[dict[str, Any]]:
    """A step on each of two hosts, each with the other one's name."""
    names = ("r01", "r02")
    return [
        {
            "name": f"on_{host}",
            "type": kind,
            "module": module,
            "hosts": host,
            "args": {"other": other, **({} if kind == "shell" else {"first": host == "r01"})},
            **more,
        }
        for host, other in zip(names, reversed(names), strict=True)
    ]


def leftovers(own: str) -> list[Path]:
    """The sockets of live steps: on hosts, where they stand below /tmp, and those of the server of one run."""
    return [*Path("/tmp").glob("rack-recipes.*"), *Path(own).glob("rack-recipes-*/steps.sock")]


def run(rack: Any, steps: list[dict[str, Any]], *more: str, limit: str = "r01,r02") -> Any:
    with tempfile.TemporaryDirectory() as own:
        before = leftovers(own)
        words = ["run", write_recipe(steps), "-i", rack.inventory, "--limit", limit, *more, "--json"]
        done = rack_recipes(*words, TMPDIR=own)
        until = time.monotonic() + TIMEOUT
        while [path for path in leftovers(own) if path not in before]:
            assert time.monotonic() < until, "nothing is left on the hosts, nor here"
            time.sleep(0.05)
    return done


def test_two_hosts_meet_in_the_middle_of_a_stage(talkers, rack):
    done = run(rack, pair("talk.meets"), "--serve")
    assert (done.code, done.answer["counts"]) == (0, {"passed": 2}), results().steps
    found = results()
    assert found.context["port.seen_v1", "r02"] == 5001
    assert found.context["hosts.count_v1", ""] == 2
    assert [row[2:4] for row in found.measurements if row[2] == "won"] == [("won", 1)]
    journal = next((talkers / ".rack-recipes" / "runs").iterdir()) / "journal.jsonl"
    assert "s3cr3t-one" not in journal.read_text(), "what has the name of a secret is masked"
    whom = {record["who"] for line in journal.read_text().splitlines() if (record := _delta(line))}
    assert {"on_r01", "on_r02", "on_r01@r01", "on_r02@r02"} == whom


def _delta(line: str) -> Any:
    text = line[line.index("{") :] if "{" in line else "{}"
    record = json.loads(text)
    return record if record.get("kind") == "delta" else None


def test_shell_scriptlets_meet(talkers, rack):
    done = run(rack, pair("talk.tells", "shell"), "--serve")
    assert done.answer["counts"] == {"passed": 2}, results().steps
    found = results().context
    assert (found["got.text_v1", "r01"], found["got.text_v1", "r02"]) == ("hello  r02", "hello  r01")
    assert (found["uses_v1", ""], [host for key, host in found if key == "first.host_v1"]) in [
        (2, ["r01"]),
        (2, ["r02"]),
    ]


def test_one_of_them_aborts(talkers, rack):
    steps = [
        {"name": "waits", "type": "python", "module": "talk.waits", "hosts": "r01"},
        {"name": "aborts", "type": "python", "module": "talk.waits", "hosts": "r02", "args": {"abort": True}},
    ]
    done = run(rack, steps, "--serve")
    assert results().steps["waits", "r01"]["reason"] == "Aborted: all waiting was aborted by r02: link is down"
    assert (done.code, results().steps["aborts", "r02"]["verdict"]) == (1, "passed")


def test_without_a_server_the_step_says_what_to_do(talkers, rack):
    steps = [{"name": "waits", "type": "python", "module": "talk.waits", "hosts": "r01"}]
    done = run(rack, steps)
    reason = results().steps["waits", "r01"]["reason"]
    assert (done.code, reason.partition(" (")[0]) == (
        1,
        "NoServer: no context server serves this run: start the run with `rack-recipes run --serve`",
    )


def test_a_host_that_forwards_no_sockets_is_an_error_of_live_steps_only(talkers, rack):
    config = rack.folder / "r02.conf"
    before = config.read_text()
    rack.kill("r02")
    config.write_text(f"AllowStreamLocalForwarding no\n{before}")
    rack.revive("r02")
    try:
        steps = [{"name": "waits", "type": "python", "module": "talk.waits", "hosts": "r02", "args": {"seconds": 1}}]
        done = run(rack, steps, "--serve")
        reason = results().steps["waits", "r02"]["reason"]
        assert reason.startswith("NoServer: the SSH server of this host does not forward Unix sockets"), reason
        assert done.code == 1
    finally:
        rack.kill("r02")
        config.write_text(before)
        rack.revive("r02")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user without a password")
def test_a_step_of_another_user_reaches_the_server(talkers, rack):
    names = {"become": True, "become_user": "nobody", "become_method": "su", "become_flags": "-s /bin/sh"}
    variables = {f"ansible_{name}": value for name, value in names.items()}
    variables["ansible_python_interpreter"] = "/usr/bin/python3"  # the hosts' own lie in root's home
    done = run(rack, pair("talk.meets"), "--serve", "-e", json.dumps(variables))
    assert done.answer["counts"] == {"passed": 2}, results().steps


def test_steps_in_a_sandbox_meet(talkers, rack):
    """Their /run and /tmp are empty, they have no network, and still they reach the server."""
    done = run(rack, pair("talk.meets", sandbox=True), "--serve")
    assert done.answer["counts"] == {"passed": 2}, results().steps


def test_steps_for_devices_meet_through_their_delegates(talkers, rack):
    devices = {
        "bmc1": {"through": "r01", "other": "bmc2", "first": True},
        "bmc2": {"through": "r02", "other": "bmc1", "first": False},
    }
    Path("devices.yml").write_text(json.dumps({"devices": {"hosts": devices}}))
    args = {"other": "{{ other }}", "first": "{{ first }}"}
    step = {"name": "meets", "type": "python", "module": "talk.meets", "delegate_to": "{{ through }}", "args": args}
    done = run(rack, [step], "--serve", "-i", "devices.yml", limit="bmc1,bmc2")
    assert done.answer["counts"] == {"passed": 2}, results().steps
    assert {row["host"]: row["through"] for row in results().steps.values()} == {"bmc1": "r01", "bmc2": "r02"}


def test_steps_behind_a_jump_host_meet(talkers, rack):
    config = Path("ssh.config").absolute()
    key = rack.variables("r03")["ansible_ssh_private_key_file"]
    config.write_text(f"Host *\n  IdentityFile {key}\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n")
    jump = rack.members["r03"]
    arguments = f"-F {config} -o ProxyJump={user()}@{jump.address}:{jump.port}"
    done = run(rack, pair("talk.meets"), "--serve", "-e", json.dumps({"ansible_ssh_common_args": arguments}))
    assert done.answer["counts"] == {"passed": 2}, results().steps


def test_a_step_goes_on_after_the_loss_of_its_connection_and_of_the_server(talkers, rack, monkeypatch):
    step = {"name": "waits", "type": "python", "module": "talk.waits", "hosts": "r01"}
    step["args"] = {"on_lost": "wait", "seconds": TIMEOUT}
    with tempfile.TemporaryDirectory(prefix="cp") as control:
        monkeypatch.setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", control)
        words = ["run", write_recipe([step]), "-i", str(rack.inventory), "--limit", "r01", "--serve", "--json"]
        line = [sys.executable, "-c", COMMAND, *words]
        with subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True
        ) as run:
            folder = wait_until(lambda: next((talkers / ".rack-recipes" / "runs").glob("*/server.json"), None)).parent
            first = UnixConnection(str((folder / "ctx.sock").relative_to(talkers)))  # its whole path is too long
            assert first.ask("GET", f"/messages/waits?wait={TIMEOUT}").status == 200
            first.close()
            os.kill(json.loads((folder / "server.json").read_text())["pid"], signal.SIGKILL)
            for master in masters(control):
                os.kill(master, signal.SIGKILL)
            with served("--run", folder.name) as server:
                assert server.ask("POST", "/messages/go", {"port": 7}).status == 200
                printed, log = run.communicate(timeout=TIMEOUT)
        for master in masters(control):
            os.kill(master, signal.SIGTERM)
    assert json.loads(printed)["counts"] == {"passed": 1}, (log, results().steps["waits", "r01"]["reason"])
    assert results().context["got_v1", "r01"] == {"port": 7}


def wait_until(find: Callable[[], Any]) -> Any:
    until = time.monotonic() + TIMEOUT
    while not (found := find()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def masters(folder: str) -> list[int]:
    """The processes that hold Ansible's connections, whose sockets lie in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if folder in path.read_text(errors="replace") and "[mux]" in path.read_text(errors="replace"):
                found.append(int(path.parent.name))
    return found
