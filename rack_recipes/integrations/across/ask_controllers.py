# SPDX-License-Identifier: GPL-3.0-or-later

"""Small commands on controllers, on the same way as the parts: whether they can run one, and that one is to stop."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rack_recipes.errors import UsageError
from rack_recipes.integrations.across.controllers_file import Controller
from rack_recipes.integrations.across.job_folders import STOP, VERSION, command_job
from rack_recipes.integrations.across.runner_pipe import Event, RunnerPipe
from rack_recipes.version import VERSION as HERE

ASKED = 60.0  # seconds for which an answer is waited for
PAUSE = 0.05


class Question(RunnerPipe):
    """A command that runs on a controller; `said` is what it has printed, or why it could not."""

    def __init__(self, controller: Controller, folder: Path, argv: Sequence[str]) -> None:
        super().__init__(controller, command_job(folder / "job", argv), folder / "back", self._note)
        self.said = ""

    def _note(self, event: Event) -> None:
        result: Mapping[str, object] = event.get("event_data", {}).get("res", {})
        if text := result.get("stdout") or result.get("stderr") or result.get("msg"):
            self.said = str(text).strip()

    def answers(self) -> bool:
        """Wait for the end; returns whether the command has ended well."""
        self.join(ASKED)
        if self.is_alive():
            self.kill()
            self.problem = f"it gave no answer within {ASKED:.0f} s"
        return not self.problem and self.status == "successful"


def check_controllers(controllers: Sequence[Controller], folder: Path, is_ended: Callable[[], bool]) -> None:
    """Ask all controllers at once for their version. Raises UsageError that names all that cannot run a part.

    It returns at once where `is_ended`.
    """
    asked = [Question(one, folder / f"ask-{one.name}", VERSION) for one in controllers]
    for question in asked:
        question.start()
    until = time.monotonic() + ASKED
    while any(question.is_alive() for question in asked) and time.monotonic() < until:
        if is_ended():
            for question in asked:
                question.kill()
            return
        time.sleep(PAUSE)
    for question in asked:
        if question.is_alive():
            question.kill()
            question.problem = f"it gave no answer within {ASKED:.0f} s"
    if wrong := [
        f"controller {one.controller.name} (`{shlex.join(one.controller.command)}`): {why}"
        for one in asked
        if (why := _unfit(one))
    ]:
        raise UsageError("\n".join([*wrong, "nothing was run"]))


def _unfit(asked: Question) -> str:
    """Why a controller cannot run a part; empty where it can."""
    if asked.problem:
        return asked.problem
    if asked.status == "successful":
        other = f"it has rack-recipes {asked.said}, and this is {HERE}: install the same version"
        return "" if asked.said == HERE else other
    last = (asked.said or asked.last_words()).rpartition("\n")[2]
    if "No module named" in last:
        return f"the Python of its ansible-playbook has no rack-recipes ({last}): `pip install rack-recipes` there"
    return f"its ansible-runner cannot run Ansible ({last})"


def ask_to_stop(controller: Controller, folder: Path, run_id: str, who: str) -> str:
    """Have a controller stop its part, as Ctrl-C does there; returns why that was not possible, else an empty text."""
    question = Question(controller, folder, [*STOP, run_id, who])
    question.start()
    if question.answers():
        return ""
    return f"it could not be asked to stop ({question.problem or question.said or question.last_words()})"
