# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure

from rack_recipes.run.stage.connect_steps_to_server import NoForward, SocketForward

FOLDER = "/tmp/rack-recipes.abc"
SSH = """#!/bin/sh
echo "$@" >> "$0.log"
[ -z "$SAYS" ] || { echo "$SAYS" >&2; exit 255; }
"""


class Connection:
    """Ansible's ssh connection, as far as it is used; its ssh is a script."""

    def __init__(self, program: Path) -> None:
        self.program = str(program)
        self.sshpass_pipe: Any = os.pipe()

    def get_option(self, name: str) -> str:
        return {"ssh_executable": self.program, "host": "leaf1"}[name]

    def _build_command(self, program: str, _subsystem: str, *more: str) -> list[bytes]:
        return [b"sshpass", b"-d7", program.encode(), b"-o", b"ControlPath=cp", *map(os.fsencode, more)]


@pytest.fixture
def connection(tmp_path) -> Connection:
    program = tmp_path / "ssh"
    program.write_text(SSH)
    program.chmod(0o755)
    return Connection(program)


class Host:
    """A host that notes its commands."""

    def __init__(self, **answers: Any) -> None:
        self.commands: list[str] = []
        self.answer = {"rc": 0, "stdout": f"banner\nrack.recipes folder {FOLDER}\n", "stderr": "", **answers}

    def __call__(self, command: str) -> Any:
        self.commands.append(command)
        return self.answer


def test_each_connection_binds_a_fresh_name(connection):
    host = Host()
    forward = SocketForward(connection, host, "/c/steps.sock", for_others=False)
    forward.open()
    forward.renew()
    forward.close()
    assert forward.path == f"{FOLDER}/live"
    asked = Path(f"{connection.program}.log").read_text().splitlines()
    options = "-o ControlPath=cp"
    assert asked == [
        f"{options} -O forward -R {FOLDER}/1.sock:/c/steps.sock leaf1",
        f"{options} -O forward -R {FOLDER}/2.sock:/c/steps.sock leaf1",
        f"{options} -O cancel -R {FOLDER}/2.sock:/c/steps.sock leaf1",
    ]
    assert host.commands[1:] == [
        f"mv -f {FOLDER}/1.sock {FOLDER}/live",
        f"mv -f {FOLDER}/2.sock {FOLDER}/live",
        f"rm -rf {FOLDER}",
    ]
    assert connection.sshpass_pipe is None


def test_another_user_gets_the_right_to_the_socket_before_it_is_in_its_place(connection):
    host = Host()
    SocketForward(connection, host, "/c/steps.sock", for_others=True).open()
    assert host.commands[1] == f"chmod 711 {FOLDER} && chmod 666 {FOLDER}/1.sock && mv -f {FOLDER}/1.sock {FOLDER}/live"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("mux_client_forward: forwarding request failed", "the SSH server of this host does not forward Unix sockets"),
        ('No ControlPath specified for "-O" command', "this needs a ControlMaster"),
        ("Control socket connect(cp): No such file or directory", "this needs a ControlMaster"),
    ],
)
def test_ssh_refuses(connection, monkeypatch, said, reason):
    monkeypatch.setenv("SAYS", said)
    with pytest.raises(NoForward, match=reason):
        SocketForward(connection, Host(), "/c/steps.sock", for_others=False).open()


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (
            {"stdout": "", "stderr": "mktemp: read-only"},
            "no folder for the socket could be made in /tmp: mktemp: read-",
        ),
        ({"rc": 1, "stderr": "mv: no"}, "the socket cannot be put in its place: mv: no"),
    ],
)
def test_the_host_refuses(connection, answers, reason):
    with pytest.raises(NoForward, match=reason):
        SocketForward(connection, Host(**answers), "/c/steps.sock", for_others=False).open()


def test_what_was_never_opened_is_closed_without_a_word(connection):
    host = Host()
    SocketForward(connection, host, "/c/steps.sock", for_others=False).close()
    assert not host.commands


def test_a_host_that_is_gone_is_left_alone(connection):
    forward = SocketForward(connection, Host(), "/c/steps.sock", for_others=False)
    forward.open()

    def gone(_command: str) -> Any:
        raise AnsibleConnectionFailure("gone")

    forward._run = gone
    forward.close()
    connection.program = f"{sys.executable}-none"
    forward.close()
