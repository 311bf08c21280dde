# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole way to a host and back, through a shell of this machine instead of Ansible's connection."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError

from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import find_folder
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError
from ansible_collections.rack.recipes.plugins.plugin_utils.stage import remote_executor
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.host_answer import HostAnswer
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.remote_executor import RemoteExecutor, Unreachable
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request import request
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.request import (
    Request,
    StageInputs,
    make_request,
    stage_id,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.worker_stop import Interrupted, WorkerStop

SCRIPT = '#!/bin/sh\nsleep ${RACK_PARAM_SECONDS:-0}\necho \'{"status": "ok"}\'\n'
SIDECAR = "description: Waits\nwrites: []\n"
LOOK = """
import gc
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet

class Look(Scriptlet):
    'Looks whether garbage is collected while steps run.'
    options = {}
    reads = ()

    def run(self, ctx, params):
        assert gc.isenabled() and gc.get_freeze_count()
"""
HERE = {"ansible_python_interpreter": sys.executable}


class Connection:
    """The options of a connection."""

    become = None
    has_pipelining = True

    def __init__(self, transport: str = "local", **options: str) -> None:
        self.transport = transport
        self.options: dict[str, Any] = options

    def get_option(self, name: str) -> Any:
        return self.options.get(name)

    def set_option(self, name: str, value: Any) -> None:
        self.options[name] = value


class Shell:
    """What an action plugin offers of its connection; `faults` are raised first, one for each command."""

    def __init__(
        self, *faults: str | Exception, delegate_to: str | None = None, pong: dict[str, Any] | None = None
    ) -> None:
        self.faults = [*faults]
        self.commands: list[str] = []
        self.pings = 0
        self.pong = pong or {}
        self._task = SimpleNamespace(delegate_to=delegate_to)
        self._templar = SimpleNamespace(template=lambda value: value.replace("{{ here }}", sys.executable))
        self._connection = Connection()
        self.tmp = ""
        self.becomes_unprivileged = False

    def _low_level_execute_command(self, command: str, in_data: bytes) -> dict[str, Any]:
        self.commands.append(command)
        if self.faults:
            fault = self.faults.pop(0)
            raise fault if isinstance(fault, Exception) else AnsibleConnectionFailure(fault)
        done = subprocess.run(["sh", "-c", command], input=in_data, capture_output=True, check=False, timeout=60)
        return {"rc": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}

    def get_shell_option(self, _option: str, default: str) -> str:
        return self.tmp or default

    def _is_become_unprivileged(self) -> bool:
        return self.becomes_unprivileged

    def _execute_module(self, module_name: str, task_vars: Any) -> dict[str, Any]:
        self.pings += 1
        return self.pong


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scriptlets").mkdir()
    (tmp_path / "scriptlets/wait.sh").write_text(SCRIPT)
    (tmp_path / "scriptlets/wait.yml").write_text(SIDECAR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote_executor, "PAUSE", 0.01)
    request._found.cache_clear()


@pytest.fixture
def around() -> Iterator[StageInputs]:
    """Of the first stage of a run of its own; what it left on this machine is removed in the end."""
    found = StageInputs(f"test-{uuid.uuid4().hex}", "r1", (Path("scriptlets"),), 1, 60.0)
    yield found
    folder = find_folder(stage_id(found.run_id, 1, found.host))
    if folder:
        shutil.rmtree(folder)


@pytest.fixture
def asked(around: StageInputs) -> Request:
    """A stage of one step."""
    step = {"name": "s", "type": "shell", "module": "wait", "args": {}, "success": "none"}
    return make_request(1, [step], around)


def verdicts(answers: list[HostAnswer]) -> list[str]:
    return [record["verdict"] for answer in answers for record in answer.records if record["kind"] == "step"]


def slow(asked: Request, seconds: float, attach: float) -> Request:
    step = {**asked.message["steps"][0], "args": {"seconds": seconds}}
    return Request({**asked.message, "attach": attach, "steps": [step]}, asked.files)


def test_a_stage_in_one_round_trip(asked: Request):
    shell = Shell()
    answers = [*RemoteExecutor(shell, HERE, 60).stage(asked)]
    assert [answer.state for answer in answers] == ["ended"]
    assert verdicts(answers) == ["passed"]
    assert len(shell.commands) == 1


@pytest.mark.parametrize(("kind", "starts"), [("shell", 0), ("python", 1)])
def test_what_a_host_has_installed_is_there_for_python_steps_alone(
    kind: str, starts: int, around: StageInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "scriptlets/look.py").write_text(LOOK)
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed/sitecustomize.py").write_text(f"print('x', file=open({str(tmp_path / 'starts')!r}, 'a'))")
    (tmp_path / "starts").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "installed"))
    step = {"name": "s", "type": kind, "module": {"shell": "wait", "python": "look"}[kind], "success": "none"}
    made = make_request(1, [{**step, "args": {}}], around)
    [answer] = RemoteExecutor(Shell(), HERE, 60).stage(made)
    assert verdicts([answer]) == ["passed"], answer
    assert len((tmp_path / "starts").read_text().split()) == starts


def test_a_longer_stage_is_polled_and_nothing_comes_twice(asked: Request, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote_executor, "POLL_WAIT", 0.1)
    shell = Shell()
    answers = [*RemoteExecutor(shell, HERE, 60).stage(slow(asked, 0.5, 0.05))]
    assert answers[0].state == "running"
    assert answers[-1].state == "ended"
    assert verdicts(answers) == ["passed"]
    assert len(shell.commands) == len(answers) > 1


def test_the_clocks_are_compared_however_long_the_host_keeps_the_answer(asked: Request):
    """Here they are one; half of the time on the way is what cannot be told."""
    (answer,) = RemoteExecutor(Shell(), HERE, 60).stage(slow(asked, 1.5, 60.0))
    assert answer.clock
    assert answer.clock[1] >= 1.5
    assert answer.ahead is not None
    assert abs(answer.ahead) < 0.7  # on a busy machine; without what the host kept it would be more


def test_a_lost_answer_is_asked_for_again(asked: Request):
    shell = Shell("the connection went away", "and again")
    assert verdicts([*RemoteExecutor(shell, HERE, 60).stage(asked)]) == ["passed"]
    assert len(shell.commands) == 3


def test_a_cut_answer_counts_as_a_lost_connection(asked: Request, monkeypatch: pytest.MonkeyPatch):
    shell = Shell()
    run = Shell._low_level_execute_command
    cuts = itertools.chain([-10], itertools.repeat(None))

    def cut(self: Shell, command: str, in_data: bytes) -> dict[str, Any]:
        done = run(self, command, in_data)
        return {**done, "stdout": done["stdout"][: next(cuts)]}

    monkeypatch.setattr(Shell, "_low_level_execute_command", cut)
    assert verdicts([*RemoteExecutor(shell, HERE, 60).stage(asked)]) == ["passed"]


def test_a_host_that_was_never_there_is_not_waited_for(asked: Request):
    shell = Shell("ssh: connect to host r1 port 22:\n  No route to host", "unused")
    with pytest.raises(Unreachable) as caught:
        [*RemoteExecutor(shell, HERE, 60).stage(asked)]
    assert str(caught.value) == "ssh: connect to host r1 port 22: No route to host"
    assert (caught.value.exit_code, len(shell.commands)) == (3, 1)


def test_a_host_that_does_not_come_back_is_given_up(asked: Request):
    shell = Shell("the connection went away", *["ssh: connect to host r1 port 22: refused"] * 1000)
    with pytest.raises(Unreachable) as caught:
        [*RemoteExecutor(shell, HERE, 0.1).stage(asked)]
    assert str(caught.value) == "lost, and not back within 0.1 s: the connection went away"
    assert len(shell.commands) > 2


REFUSED = "ssh: connect to host h1 port 22: Connection refused"
UNTOLD = "Data could not be sent to remote host 'h1'. Make sure this host can be reached over SSH: Broken pipe"
WENT = "the connection went away"


@pytest.mark.parametrize(
    ("faults", "commands", "reason"),
    [
        ([UNTOLD, REFUSED], 2, REFUSED),
        ([UNTOLD] * 10_000, None, UNTOLD),
        ([UNTOLD, WENT] * 10_000, None, f"lost, and not back within 0.1 s: {WENT}"),
    ],
    ids=["it was never there", "nothing else is told", "it went"],
)
def test_where_ssh_had_not_yet_told_why_it_is_asked_again(
    asked: Request, faults: list[str], commands: int | None, reason: str
):
    """It closes its input a moment before it ends, and Ansible may look in between."""
    shell = Shell(*faults)
    with pytest.raises(Unreachable) as caught:
        list(RemoteExecutor(shell, HERE, 0.1).stage(asked))
    assert str(caught.value) == reason
    assert len(shell.commands) == commands or commands is None


def test_a_host_that_was_there_is_waited_for_even_where_it_cannot_be_reached(
    asked: Request, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(remote_executor, "POLL_WAIT", 0.05)
    shell = Shell()
    stage = RemoteExecutor(shell, HERE, 60).stage(slow(asked, 0.3, 0.05))
    answers = [next(stage)]
    shell.faults = ["ssh: connect to host r1 port 22: No route to host"] * 3
    answers += stage
    assert verdicts(answers) == ["passed"]


def test_a_worker_stops_once_its_parent_is_gone(asked: Request, monkeypatch: pytest.MonkeyPatch):
    stage = RemoteExecutor(Shell(), HERE, 60).stage(asked)
    monkeypatch.setattr(os, "getppid", lambda: -1)
    with pytest.raises(Unreachable, match="the controlling process is gone"):
        next(stage)


def test_a_host_without_python_answers_nothing(asked: Request):
    answers = [*RemoteExecutor(Shell(), {"ansible_python_interpreter": "/nowhere/python3"}, 60).stage(asked)]
    assert [answer.state for answer in answers] == ["silent"]
    assert answers[0].reason == "Python is missing: /nowhere/python3"


def test_a_python_that_is_too_old_is_told(asked: Request, tmp_path: Path):
    old = tmp_path / "python2.7"
    say = "import sys; sys.version_info, sys.version = (2, 7, 18), '2.7.18 (default)'; exec(sys.argv[-1])"
    old.write_text(f"#!{sys.executable}\n{say}\n")
    old.chmod(0o755)
    [answer] = RemoteExecutor(Shell(), {"ansible_python_interpreter": str(old)}, 60).stage(asked)
    assert answer.reason == f"Python is too old: {old} is 2.7.18, and 3.9 or newer is needed"


@pytest.mark.parametrize(
    ("error", "reason", "kind"),
    [
        (AnsibleError("Incorrect sudo password"), "the become password is wrong: sudo refused it", RackError),
        (AnsibleConnectionFailure("Timeout (12s) waiting for privilege escalation prompt: "), "no answer", RackError),
        (AnsibleConnectionFailure("Failed to create temporary directory."), "temporary folder", RackError),
        (AnsibleError("no such\nplugin"), "no such plugin", RackError),
        (AnsibleAuthenticationFailure("Invalid/incorrect password"), "Invalid/incorrect password", Unreachable),
    ],
)
def test_what_asking_again_would_not_mend_is_asked_once(
    asked: Request, error: Exception, reason: str, kind: type[Exception]
):
    shell = Shell(error)
    with pytest.raises(RackError, match=reason) as caught:
        [*RemoteExecutor(shell, HERE, 60).stage(asked)]
    assert (type(caught.value), len(shell.commands)) == (kind, 1)


def test_a_slow_prompt_is_waited_for_once_the_password_was_right(asked: Request, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote_executor, "POLL_WAIT", 0.05)
    shell = Shell()
    stage = RemoteExecutor(shell, HERE, 60).stage(slow(asked, 0.3, 0.05))
    answers = [next(stage)]
    shell.faults = ["Timeout (12s) waiting for privilege escalation prompt: "]
    assert verdicts([*answers, *stage]) == ["passed"]


def test_files_that_went_with_a_reboot(asked: Request, monkeypatch: pytest.MonkeyPatch):
    there = RemoteExecutor(Shell(), HERE, 60)
    first = HostAnswer("running", 0, boot_id="one")
    for boot_id, state in (("two", "rebooted"), ("one", "unknown")):
        answers = iter([first, HostAnswer("unknown", 0, boot_id=boot_id)])
        monkeypatch.setattr(there, "_ask", lambda *_asked, answers=answers: next(answers))
        assert [answer.state for answer in there.stage(asked)] == ["running", state]


def test_the_stage_is_where_the_user_wants_temporary_files(asked: Request, tmp_path: Path):
    shell = Shell()
    shell.tmp = str(tmp_path / "tmp's")
    assert verdicts([*RemoteExecutor(shell, HERE, 60).stage(asked)]) == ["passed"]
    base = tmp_path / "tmp's" / f"rack-recipes-{os.geteuid()}"
    assert (base / asked.message["id"] / "ended").exists()
    assert verdicts([*RemoteExecutor(shell, HERE, 60).collect(asked.message["id"], 60.0)]) == ["passed"]
    shell.becomes_unprivileged = True
    assert [answer.state for answer in RemoteExecutor(shell, HERE, 60).collect(asked.message["id"], 60.0)] == [
        "unknown"
    ]


@pytest.mark.parametrize(
    ("connection", "patience", "expected"),
    [
        (Connection("ssh"), 120, "-o ServerAliveInterval=15 -o ServerAliveCountMax=3"),
        (Connection("ssh", ssh_extra_args="-v"), 24, "-v -o ServerAliveInterval=3 -o ServerAliveCountMax=3"),
        (Connection("ssh", ssh_args="-o ServerAliveInterval=60"), 120, None),
        (Connection("local"), 120, None),
    ],
)
def test_ssh_notices_a_host_that_went_without_a_word(connection: Connection, patience: float, expected: str | None):
    shell = Shell()
    shell._connection = connection
    RemoteExecutor(shell, HERE, patience)
    assert connection.options.get("ssh_extra_args") == expected


FOUND = {"discovered_interpreter_python": sys.executable}


@pytest.mark.parametrize(
    ("task_vars", "delegate_to", "pings"),
    [
        (HERE, None, 0),
        ({"ansible_facts": FOUND}, None, 0),
        ({"ansible_python_interpreter": "auto_silent", "ansible_facts": FOUND}, None, 0),
        ({}, None, 1),
        ({"ansible_python_interpreter": "auto"}, None, 1),
        ({"ansible_python_interpreter": "/of/the/host", "ansible_delegated_vars": {"localhost": HERE}}, "localhost", 0),
        ({"ansible_python_interpreter": "/of/the/host", "ansible_delegated_vars": {"localhost": {}}}, "localhost", 1),
    ],
)
def test_the_interpreter_is_the_one_of_the_host_that_is_asked(
    asked: Request, task_vars: dict[str, Any], delegate_to: str | None, pings: int
):
    shell = Shell(delegate_to=delegate_to, pong={"ping": "pong", "ansible_facts": FOUND})
    there = RemoteExecutor(shell, task_vars, 60)
    assert verdicts([*there.stage(asked)]) == ["passed"]
    assert shell.pings == pings
    assert there.facts == (FOUND if pings else {})
    assert shell.commands[0].startswith(sys.executable)


def test_a_host_that_does_not_answer_a_ping_is_unreachable(asked: Request):
    shell = Shell(pong={"unreachable": True, "msg": "Could not resolve hostname r1"})
    with pytest.raises(Unreachable, match="Could not resolve hostname r1"):
        [*RemoteExecutor(shell, {}, 60).stage(asked)]


def test_without_a_discovery_there_is_a_usual_place(asked: Request):
    shell = Shell(pong={"ping": "pong"})
    [*RemoteExecutor(shell, {}, 60).stage(asked)]
    assert shell.commands[0].startswith("/usr/bin/python3 ")


def test_the_interpreter_may_be_a_template(asked: Request) -> None:
    """As in an inventory that says `ansible_python_interpreter: "{{ ansible_playbook_python }}"`."""
    answers = RemoteExecutor(Shell(), {"ansible_python_interpreter": "{{ here }}"}, 60).stage(asked)
    assert verdicts([*answers]) == ["passed"]


def test_a_stage_that_was_started_before_is_collected(asked: Request, monkeypatch: pytest.MonkeyPatch):
    """One that still runs is waited for; what is not there is told."""
    monkeypatch.setattr(remote_executor, "POLL_WAIT", 0.1)
    there = RemoteExecutor(Shell(), HERE, 60)
    stage = there.stage(slow(asked, 0.5, 0.05))
    assert next(stage).state == "running"
    answers = [*there.collect(asked.message["id"], 60.0)]
    assert answers[-1].state == "ended"
    assert verdicts(answers) == ["passed"]
    assert [answer.state for answer in there.collect("nothing-there", 60.0)] == ["unknown"]
    assert [answer.state for answer in stage][-1] == "ended"


def has_begun(stage: str) -> bool:
    return (Path(find_folder(stage) or "/nowhere") / "journal.jsonl").exists()


def test_a_worker_that_is_told_to_end_has_the_steps_on_its_host_ended(asked: Request):
    stopping = WorkerStop()

    def tell() -> None:
        until = time.monotonic() + 30
        while not has_begun(asked.message["id"]) and time.monotonic() < until:
            time.sleep(0.02)
        if has_begun(asked.message["id"]):
            os.kill(os.getpid(), signal.SIGTERM)

    telling = threading.Thread(target=tell)
    telling.start()
    answers: list[HostAnswer] = []
    with stopping.catch_signals(), pytest.raises(Interrupted, match=r"^the run was interrupted$"):
        answers.extend(RemoteExecutor(Shell(), HERE, 60, stopping).stage(slow(asked, 600, 60)))
    telling.join(60)
    answers.extend(RemoteExecutor(Shell(), HERE, 60).collect(asked.message["id"], 60.0))
    [record] = [record for record in answers[-1].records if record["kind"] == "step"]
    assert (answers[-1].state, record["reason"]) == ("ended", "stopped: the run was interrupted")


def test_a_worker_that_was_told_ends_the_steps_as_an_orphan_too(asked: Request, monkeypatch: pytest.MonkeyPatch):
    """A second signal has ended Ansible meanwhile."""
    stopping = WorkerStop()
    stage = RemoteExecutor(Shell(), HERE, 60, stopping).stage(slow(asked, 600, 0.05))
    assert next(stage).state == "running"
    stopping.is_requested = True
    monkeypatch.setattr(os, "getppid", lambda: -1)
    answers: list[HostAnswer] = []
    with pytest.raises(Interrupted, match=r"^the run was interrupted$"):
        answers.extend(stage)
    [record] = [record for record in answers[-1].records if record["kind"] == "step"]
    assert (answers[-1].state, record["reason"]) == ("ended", "stopped: the run was interrupted")


def test_a_worker_that_was_told_before_it_asked_begins_nothing(asked: Request):
    stopping, shell = WorkerStop(), Shell()
    stopping.is_requested = True
    there = RemoteExecutor(shell, HERE, 60, stopping)
    assert there.halted() == "the run was interrupted"
    with pytest.raises(Interrupted):
        [*there.stage(asked)]
    with pytest.raises(Interrupted):
        there.pieces(asked.message["id"], [])
    with pytest.raises(Interrupted):
        there.wait(60)
    assert shell.commands == []
