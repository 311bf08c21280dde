# SPDX-License-Identifier: GPL-3.0-or-later

"""What a controller is told to be unfit for: each case is a real command, whose output ansible-runner reads."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.integrations.across import ask_controllers
from rack_recipes.integrations.across.ask_controllers import check_controllers
from rack_recipes.integrations.across.controllers_file import Controller
from rack_recipes.version import VERSION

pytestmark = pytest.mark.filterwarnings("default")  # ansible-runner leaves files open
RUNNING, EOF = {"status": "running"}, {"eof": True}


def answer(text: str, status: str, word: str = "stdout") -> list[dict[str, object]]:
    """What a worker writes whose task has said a text."""
    event = {"event": "runner_on_ok", "uuid": "u", "counter": 1, "stdout": "", "event_data": {"res": {word: text}}}
    return [RUNNING, event, {"status": status}, EOF]


WORKERS = {
    "fit": (answer(VERSION, "successful"), ""),
    "old": (
        answer("0.0.9", "successful"),
        f"it has rack-recipes 0.0.9, and this is {VERSION}: install the same version",
    ),
    "bare": (
        answer("python3: No module named 'rack_recipes'", "failed", "stderr"),
        "the Python of its ansible-playbook has no rack-recipes (python3: No module named",
    ),
    "broken": (answer("", "failed"), "its ansible-runner cannot run Ansible (failed)"),
    "cut": ([RUNNING], "its ansible-runner or the connection to it has ended"),
    "silent": ([], "it ended with exit code 0 before an `ansible-runner worker` answered: try the command by hand"),
    "odd": ([5], "what it sent cannot be read: argument of type 'int' is not"),
}
COMMANDS = {
    "closed": (
        "ssh -o BatchMode=yes -p 1 127.0.0.1 ansible-runner worker",
        "it cannot be reached (ssh: connect to host 127.0.0.1 port 1: Connection refused): try the command by hand",
    ),
    "without": (
        "sh -c no-such-runner",
        "it has no ansible-runner in its PATH (sh: 1: no-such-runner",
    ),
    "no file": (
        "/nowhere/ansible-runner worker",
        "this machine cannot start it (No such file or directory): name a program that is in PATH here",
    ),
    "chatty": ("echo hello", "no `ansible-runner worker` answers there, but 'hello': try the command by hand: it must"),
    "false": (
        "sh -c 'echo no >&2; exit 3'",
        "it ended with exit code 3 before an `ansible-runner worker` answered (no",
    ),
    "slow": ("sleep 60", "it gave no answer within 6 s"),
}


def test_each_controller_that_cannot_run_a_part_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ask_controllers, "ASKED", 6.0)
    controllers = [Controller(name, tuple(shlex.split(command))) for name, (command, _said) in COMMANDS.items()]
    for name, (lines, _said) in WORKERS.items():
        (tmp_path / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        program = f"import sys; sys.stdin.read(); sys.stdout.write(open({str(tmp_path / name)!r}).read())"
        controllers.append(Controller(name, (sys.executable, "-c", program)))
    with pytest.raises(UsageError) as error:
        check_controllers(controllers, tmp_path / "jobs", lambda: False)
    *told, last = str(error.value).splitlines()
    assert last == "nothing was run"
    commands = [
        f"controller {name} (`{shlex.join(shlex.split(one))}`): {said}" for name, (one, said) in COMMANDS.items()
    ]
    wanted = [*commands, *(f"{name}: {said}" for name, (_lines, said) in WORKERS.items() if said)]
    for name in WORKERS:
        told = [re.sub(rf"^controller {name} \(`.*?`\): ", f"{name}: ", line) for line in told]
    assert [line[: len(said)] for line, said in zip(told, wanted, strict=True)] == wanted


def test_an_interrupt_ends_the_asking_at_once(tmp_path: Path):
    check_controllers([Controller("slow", ("sleep", "60"))], tmp_path, lambda: True)
