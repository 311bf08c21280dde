# SPDX-License-Identifier: GPL-3.0-or-later

"""A session with a network device is told to Ansible, and one that is lost is ended."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.connection import recv_data, send_data

from rack_recipes.run.host.host_answer import HostAnswer
from rack_recipes.run.stage.persistent_connection import end_lost_session

LONGEST = 60  # seconds until somebody asks


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[list[str]]:
    """What the process that keeps the session is asked; its socket is `tmp_path / "s"`."""
    methods: list[str] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        server.settimeout(LONGEST)
        thread = threading.Thread(target=_serve, args=(server, methods))
        thread.start()
        yield methods
        with socket.socket(socket.AF_UNIX) as last:  # where nobody has asked, the thread waits still
            last.connect(str(tmp_path / "s"))
        thread.join()


def _serve(server: socket.socket, methods: list[str]) -> None:
    client, _address = server.accept()
    with client:
        data = recv_data(client)
        if not data:
            return
        request = json.loads(data)
        methods.append(request["method"])
        send_data(client, json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": ""}).encode())


def an_action(path: object) -> Any:
    return SimpleNamespace(_connection=SimpleNamespace(socket_path=path), _task=SimpleNamespace(args={"number": 1}))


@pytest.mark.parametrize(("verdict", "methods"), [("unreachable", ["reset"]), ("failed", [])])
def test_a_session_that_is_lost_is_ended(asked: list[str], tmp_path: Path, verdict: str, methods: list[str]):
    action = an_action(tmp_path / "s")
    end_lost_session(action, HostAnswer("ended", 0, ({"kind": "step", "verdict": verdict},)))
    assert asked == methods
    assert action._task.args == {"number": 1, "_ansible_socket": str(tmp_path / "s")}


def test_one_that_is_gone_already_is_no_problem(tmp_path: Path):
    end_lost_session(an_action(tmp_path / "gone"), HostAnswer("ended", 0, ({"verdict": "unreachable"},)))


def test_a_host_with_a_shell_has_none():
    action = an_action(None)
    end_lost_session(action, HostAnswer("ended", 0, ({"verdict": "unreachable"},)))
    assert action._task.args == {"number": 1}
