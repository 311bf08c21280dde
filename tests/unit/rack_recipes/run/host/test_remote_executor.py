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
from ansible.utils.display import Display

from ansible_collections.rack.recipes.plugins.module_utils.runner.host_folders import find_folder
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import MARK
from rack_recipes.errors import RackError
from rack_recipes.run.host import host_request, remote_executor
from rack_recipes.run.host.find_python import BEGUN
from rack_recipes.run.host.host_answer import ECHOES, SILENT_BEFORE, HostAnswer
from rack_recipes.run.host.host_request import Request, StageInputs, make_request, stage_id
from rack_recipes.run.host.remote_executor import RemoteExecutor, Unreachable
from rack_recipes.run.host.worker_stop import Interrupted, WorkerStop

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

    def __init__(self, *faults: str | Exception, delegate_to: str | None = None, executable: str = "/bin/sh") -> None:
        self.faults = [*faults]
        self.commands: list[str] = []
        self._play_context = SimpleNamespace(executable=executable)
        self._task = SimpleNamespace(delegate_to=delegate_to)
        self._templar = SimpleNamespace(template=lambda value: value.replace("{{ here }}", sys.executable))
        self._connection = Connection()
        self.tmp = ""
        self.becomes_unprivileged = False

    def _low_level_execute_command(
        self, command: str, in_data: bytes = b"", *, sudoable: bool = True
    ) -> dict[str, Any]:
        assert bool(in_data) is sudoable, "only a command that runs nothing becomes nobody"
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


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scriptlets").mkdir()
    (tmp_path / "scriptlets/wait.sh").write_text(SCRIPT)
    (tmp_path / "scriptlets/wait.yml").write_text(SIDECAR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote_executor, "PAUSE", 0.01)
    host_request._found.cache_clear()


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
    assert str(caught.value).startswith("ssh: connect to host r1 port 22: No route to host; see ansible_host, ")
    assert (caught.value.exit_code, len(shell.commands)) == (3, 1)


def test_a_host_that_does_not_come_back_is_given_up(asked: Request):
    shell = Shell("the connection went away", *["ssh: connect to host r1 port 22: refused"] * 1000)
    with pytest.raises(Unreachable) as caught:
        [*RemoteExecutor(shell, HERE, 0.1).stage(asked)]
    assert str(caught.value) == "lost, and not back within 0.1 s: the connection went away"
    assert len(shell.commands) > 2


REFUSED = "ssh: connect to host h1 port 22: Connection refused"
REFUSED_TOLD = f"{REFUSED}; see ansible_host, ansible_port, and whether `ssh` reaches it from here"
UNTOLD = "Data could not be sent to remote host 'h1'. Make sure this host can be reached over SSH: Broken pipe"
WENT = "the connection went away"


@pytest.mark.parametrize(
    ("faults", "commands", "reason"),
    [
        ([UNTOLD, REFUSED], 2, REFUSED_TOLD),
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


def test_who_is_asked_again_for_a_reason_is_asked_without_input(asked: Request):
    """However busy the machine is, ssh then ends only after it has said why."""
    shell = Shell(UNTOLD, REFUSED)
    shell._connection = Retries("ssh")
    with pytest.raises(Unreachable, match=REFUSED):
        list(RemoteExecutor(shell, HERE, 60).stage(asked))
    assert (len(shell.commands), shell.commands[1]) == (2, ":")
    back = Shell(UNTOLD)
    back._connection = Retries("ssh")
    assert verdicts([*RemoteExecutor(back, HERE, 60).stage(asked)]) == ["passed"]
    assert back.commands[1] == ":"


class Hangs(Shell):
    """One whose commands take that many seconds and print that much first."""

    def __init__(self, seconds: float = 60, printed: str = "") -> None:
        super().__init__()
        self.wait, self.printed = seconds, printed

    def _low_level_execute_command(
        self, command: str, in_data: bytes = b"", *, sudoable: bool = True
    ) -> dict[str, Any]:
        self.commands.append(command)
        time.sleep(self.wait)
        return {"rc": 0, "stdout": self.printed, "stderr": ""}


HUNG = r"^no answer from r1 within [\d.]+ s; see whether `ssh r1 true` ends"
SILENT_LAST = "no answer from r1 within 180 s; see ..."
R1 = {**HERE, "inventory_hostname": "r1"}


def test_a_host_that_does_not_answer_is_unreachable(asked: Request):
    """It is asked once, and not again for the files of its steps."""
    shell = Hangs()
    there = RemoteExecutor(shell, R1, 60)
    there.answer_timeout = 0.05
    quick = Request({**asked.message, "attach": 0}, asked.files)
    with pytest.raises(Unreachable, match=HUNG):
        list(there.stage(quick))
    for ask in (lambda: there.pieces(asked.message["id"], []), lambda: there.within_limits(lambda: None)):
        with pytest.raises(Unreachable, match=HUNG):
            ask()
    assert len(shell.commands) == 1


def test_a_poll_that_is_not_answered_keeps_what_came_before(asked: Request, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote_executor, "POLL_WAIT", 0.05)
    shell = Shell()
    there = RemoteExecutor(shell, R1, 60)
    there.answer_timeout = 1
    stage = there.stage(slow(asked, 5, 0.05))
    assert next(stage).state == "running"
    monkeypatch.setattr(shell, "_low_level_execute_command", Hangs()._low_level_execute_command)
    with pytest.raises(Unreachable, match=HUNG):
        list(stage)


def test_a_host_that_gave_no_answer_before_is_not_waited_for_as_long(asked: Request, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote_executor, "SECOND_LOOK", 0.05)
    shell = Hangs()
    there = RemoteExecutor(shell, R1, 60, was_given_up=lambda: SILENT_LAST)
    with pytest.raises(Unreachable, match=HUNG):
        there.look_again()
    assert shell.commands == [":"]
    RemoteExecutor(shell, R1, 60).look_again()
    assert shell.commands == [":"]
    back = RemoteExecutor(Shell(), R1, 60, was_given_up=lambda: SILENT_LAST)
    monkeypatch.setattr(remote_executor, "SECOND_LOOK", 60)
    back.look_again()
    assert verdicts([*back.stage(asked)]) == ["passed"]


def test_what_a_host_sends_for_a_stage_has_an_end(asked: Request, monkeypatch: pytest.MonkeyPatch):
    """However often it says that more follows."""
    monkeypatch.setattr(remote_executor, "OF_STAGE", 1000)
    monkeypatch.setattr(remote_executor, "OF_STEP", 1000)
    name = asked.message["id"]
    status = '{"state": "running", "offset": 9, "boot_id": "x"}'
    shell = Hangs(0, f"{MARK}{name}\n{' ' * 300}\n{status}\n")
    with pytest.raises(RackError, match=r"^r1 sends results without an end: more than 0 MiB in one stage"):
        list(RemoteExecutor(shell, R1, 60).stage(asked))
    assert len(shell.commands) == 5


def test_a_host_that_sends_back_what_it_is_sent(asked: Request, tmp_path: Path):
    echo = tmp_path / "echo"
    echo.write_text("#!/bin/sh\nexec head -c 2000\n")
    echo.chmod(0o755)
    [answer] = RemoteExecutor(Shell(), {"ansible_python_interpreter": str(echo)}, 60).stage(asked)
    assert (answer.state, answer.reason) == ("silent", ECHOES)


@pytest.mark.parametrize(("retries", "transport", "seconds"), [(0, "ssh", 5), (3, "ssh", 125), (3, "local", 5)])
def test_where_ansible_tries_again_to_connect_there_is_time_for_it(retries: int, transport: str, seconds: float):
    shell = Shell()
    shell._connection = Connection(transport, reconnection_retries=str(retries), timeout="10")
    there = RemoteExecutor(shell, R1, 60)
    there.answer_timeout = 5
    assert there._limit().seconds == seconds


CLOSED = "Data could not be sent. Make sure this host can be reached over ssh: "
KEX = f"{CLOSED}kex_exchange_identification: Connection closed by remote host"
CUT = f"{CLOSED}{BEGUN}\nclient_loop: send disconnect: Broken pipe"
REFUSES = f"{CLOSED}{SILENT_BEFORE}"


class Retries(Connection):
    """One whose retries somebody has set, or nobody."""

    def get_option_and_origin(self, _name: str) -> tuple[Any, str]:
        return self.options.get("retries", 0), "host: r1" if "retries" in self.options else "default"


@pytest.mark.parametrize(
    ("faults", "options", "commands", "reason"),
    [
        ([KEX], {}, 4, KEX),
        ([KEX], {"retries": 2}, 1, KEX),
        ([CLOSED], {}, 4, REFUSES.replace("  ", " ")),
        ([KEX, REFUSED], {}, 2, REFUSED_TOLD),
        ([CUT], {}, None, "lost, and not back within 0.2 s: " + CUT.replace(f"{BEGUN}\n", "")),
        ([KEX, CUT, REFUSED], {}, None, "lost, and not back within 0.2 s: " + CUT.replace(f"{BEGUN}\n", "")),
    ],
    ids=["refused", "Ansible has tried", "without a word", "then away", "lost", "lost after it was refused"],
)
def test_what_ends_before_a_login_is_not_lost(
    asked: Request, faults: list[str], options: dict[str, Any], commands: int | None, reason: str
):
    """A host that lets nobody in is tried again a few times. The last fault stays."""
    shell = Shell(*faults, *[faults[-1]] * 1000)
    shell._connection = Retries("ssh", **options)
    with pytest.raises(Unreachable) as caught:
        list(RemoteExecutor(shell, HERE, 0.2).stage(asked))
    assert str(caught.value) == reason
    assert len(shell.commands) == commands or commands is None


def test_a_host_that_an_earlier_stage_gave_up_is_tried_once(asked: Request):
    shell = Shell(*[KEX] * 10)
    shell._connection = Retries("ssh")
    with pytest.raises(Unreachable, match="kex_exchange"):
        list(RemoteExecutor(shell, HERE, 60, was_given_up=lambda: KEX).stage(asked))
    assert len(shell.commands) == 1
    assert verdicts([*RemoteExecutor(Shell(), HERE, 60, was_given_up=lambda: KEX).stage(asked)]) == ["passed"]


@pytest.mark.parametrize(
    ("options", "commands", "reason"), [({}, 2, REFUSED_TOLD), ({"retries": 0}, 1, UNTOLD)], ids=["as usual", "as set"]
)
def test_a_host_that_an_earlier_stage_gave_up_is_asked_for_its_reason(
    asked: Request, options: dict[str, Any], commands: int, reason: str
):
    """On a busy machine Ansible may see that ssh takes no input before ssh has said why."""
    shell = Shell(UNTOLD, REFUSED)
    shell._connection = Retries("ssh", **options)
    with pytest.raises(Unreachable) as caught:
        list(RemoteExecutor(shell, HERE, 60, was_given_up=lambda: KEX).stage(asked))
    assert (str(caught.value), len(shell.commands)) == (reason, commands)


def test_a_host_that_refuses_for_a_moment_is_tested(asked: Request):
    shell = Shell(KEX, CLOSED)
    shell._connection = Retries("ssh")
    assert verdicts([*RemoteExecutor(shell, HERE, 60).stage(asked)]) == ["passed"]


@pytest.mark.parametrize("fault", [KEX, CLOSED, REFUSED])
def test_a_host_that_an_earlier_stage_reached_is_waited_for(asked: Request, fault: str):
    """It may be rebooting."""
    shell = Shell(*[fault] * 6)
    shell._connection = Retries("ssh")
    there = RemoteExecutor(shell, HERE, 60, was_reached=lambda: True)
    assert verdicts([*there.stage(asked)]) == ["passed"]
    shell.faults = [fault] * 1000
    with pytest.raises(Unreachable, match=r"^lost, and not back within 0.1 s: "):
        list(RemoteExecutor(shell, HERE, 0.1, was_reached=lambda: True).stage(asked))


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
    python = old(tmp_path / "python2.7", (2, 7, 18))
    [answer] = RemoteExecutor(Shell(), {"ansible_python_interpreter": python}, 60).stage(asked)
    assert answer.reason == f"Python is too old: {python} is 2.7.18, and 3.9 or newer is needed"


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


@pytest.mark.parametrize(("tmp", "place"), [("", "'/var/tmp/"), ("~/fast", "expanduser('~/fast'))+'/")])
def test_the_program_for_the_host_uses_the_user_s_folder(tmp: str, place: str):
    program = remote_executor.boot(tmp)
    assert place in program
    assert ("'/var/tmp/" in program) is (not tmp)


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
    assert verdicts([*RemoteExecutor(shell, HERE, 60).collect(asked.message["id"], 60.0, 1)]) == ["passed"]
    shell.becomes_unprivileged = True
    assert [answer.state for answer in RemoteExecutor(shell, HERE, 60).collect(asked.message["id"], 60.0, 1)] == [
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
SEARCHED = {"ansible_interpreter_python_fallback": ["/nowhere/python3", sys.executable, "unused"]}


@pytest.mark.parametrize(
    ("task_vars", "delegate_to", "is_searched"),
    [
        (HERE, None, False),
        ({"ansible_facts": FOUND}, None, False),
        ({"ansible_python_interpreter": "auto_silent", "ansible_facts": FOUND}, None, False),
        (SEARCHED, None, True),
        ({**SEARCHED, "ansible_python_interpreter": "auto"}, None, True),
        ({"ansible_python_interpreter": "/of/the/host", "ansible_delegated_vars": {"j1": HERE}}, "j1", False),
        ({"ansible_python_interpreter": "/of/the/host", "ansible_delegated_vars": {"j1": SEARCHED}}, "j1", True),
    ],
)
def test_the_interpreter_is_the_one_of_the_host_that_is_asked(
    asked: Request, task_vars: dict[str, Any], delegate_to: str | None, is_searched: bool, warnings: list[str]
):
    shell = Shell(delegate_to=delegate_to)
    there = RemoteExecutor(shell, {"inventory_hostname": "r1", **task_vars}, 60)
    assert verdicts([*there.stage(asked)]) == ["passed"]
    assert there.facts == (FOUND if is_searched else {})
    assert len(shell.commands) == 1
    assert shell.commands[0].startswith(sys.executable) is not is_searched
    assert [f"Host {delegate_to or 'r1'!r} is using" in text for text in warnings] == [True] * is_searched


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Ansible is to warn of."""
    told: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, msg, **_more: told.append(msg))
    return told


def test_what_was_found_is_used_from_then_on(asked: Request, monkeypatch: pytest.MonkeyPatch, warnings: list[str]):
    monkeypatch.setattr(remote_executor, "POLL_WAIT", 0.1)
    shell = Shell()
    answers = [*RemoteExecutor(shell, SEARCHED, 60).stage(slow(asked, 0.5, 0.05))]
    assert (verdicts(answers), len(warnings)) == (["passed"], 1)
    assert [command.startswith(sys.executable) for command in shell.commands[:2]] == [False, True]


@pytest.mark.parametrize("setting", ["auto_silent", "auto_legacy_silent"])
def test_a_silent_search_warns_of_nothing(asked: Request, setting: str, warnings: list[str]):
    there = RemoteExecutor(Shell(), {**SEARCHED, "ansible_python_interpreter": setting}, 60)
    assert (verdicts([*there.stage(asked)]), there.facts, warnings) == (["passed"], FOUND, [])


def test_the_setting_of_the_environment_counts_where_no_variable_is_set(
    asked: Request, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ANSIBLE_PYTHON_INTERPRETER", "/of/the/environment")
    [answer] = RemoteExecutor(Shell(), SEARCHED, 60).stage(asked)
    assert answer.reason == "Python is missing: /of/the/environment"
    assert verdicts([*RemoteExecutor(Shell(), HERE, 60).stage(asked)]) == ["passed"]


def test_a_host_where_no_python_is_found(asked: Request, warnings: list[str]):
    names = ["/nowhere/python3", "python-of-nobody"]
    there = RemoteExecutor(Shell(), {"ansible_interpreter_python_fallback": names, "inventory_hostname": "r1"}, 60)
    [answer] = there.stage(asked)
    assert answer.reason == "Python is missing: there is none of /nowhere/python3, python-of-nobody"
    assert warnings == [f"No python interpreters found for host 'r1' (tried {names!r})."]
    assert there.facts == {}


def fake(path: Path, text: str, interpreter: str = sys.executable) -> str:
    path.write_text(f"#!{interpreter}\n{text}\n")
    path.chmod(0o755)
    return str(path)


def old(path: Path, version: tuple[int, ...]) -> str:
    told = ".".join(map(str, version))
    return fake(path, f"import sys; sys.version_info, sys.version = {version}, {told!r}; exec(sys.argv[-1])")


def test_of_several_pythons_the_first_that_is_new_enough_runs(asked: Request, tmp_path: Path, warnings: list[str]):
    """One that cannot be started is passed over, and none of them takes the request."""
    broken = fake(tmp_path / "broken", "no program", "/nowhere/interpreter")
    shim = fake(tmp_path / "shim", "echo 'no such version' >&2; exit 127", "/bin/sh")
    names = [old(tmp_path / "python3.8", (3, 8, 18)), broken, shim, sys.executable]
    there = RemoteExecutor(Shell(), {"ansible_interpreter_python_fallback": names}, 60)
    assert (verdicts([*there.stage(asked)]), there.facts) == (["passed"], FOUND)
    assert len(warnings) == 1


def test_where_all_pythons_are_too_old_each_is_named(asked: Request, tmp_path: Path):
    names = [old(tmp_path / "python3.8", (3, 8, 18)), "/nowhere/python", old(tmp_path / "python 2", (2, 7, 18))]
    there = RemoteExecutor(Shell(), {"ansible_interpreter_python_fallback": names}, 60)
    [answer] = there.stage(asked)
    told = f"Python is too old: {names[0]} is 3.8.18, {names[2]} is 2.7.18, and 3.9 or newer is needed"
    assert (answer.state, answer.reason, there.facts) == ("silent", told, {})


def test_a_shell_that_is_not_posix_is_not_asked_to_search(asked: Request, warnings: list[str]):
    shell = Shell(executable="/usr/bin/fish")
    assert verdicts([*RemoteExecutor(shell, SEARCHED, 60).stage(asked)]) == ["passed"]
    assert shell.commands[0].startswith("/bin/sh -c ")


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
    answers = [*there.collect(asked.message["id"], 60.0, 1)]
    assert answers[-1].state == "ended"
    assert verdicts(answers) == ["passed"]
    assert [answer.state for answer in there.collect("nothing-there", 60.0, 1)] == ["unknown"]
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
    answers.extend(RemoteExecutor(Shell(), HERE, 60).collect(asked.message["id"], 60.0, 1))
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
