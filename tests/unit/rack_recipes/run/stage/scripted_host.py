# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that gives the answers that a test has prepared."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import encode
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import MARK
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import TASK
from rack_recipes.run.host.find_python import BEGUN, TRIES

REASONS = {"refused": "no space left", "killed": " (out of memory: the kernel killed 1 process meanwhile)"}

FOUND = f"{TRIES}/usr/bin/python3.11\n{BEGUN}\n"


class Host:
    """A host that answers each request with the next prepared state and records. It keeps the requests.

    Its records are of the stage that it is asked for.
    """

    def __init__(self, *answers: tuple[str, list[dict[str, Any]]] | Exception | dict[str, Any]) -> None:
        self.answers = [*answers]
        self.asked: list[dict[str, Any]] = []
        self._stage = 1  # which its records are of
        self.clock: dict[str, list[float]] = {}  # what it says of its clock
        self._task = SimpleNamespace(delegate_to=None, check_mode=False, no_log=False, _uuid=TASK)
        self._templar = SimpleNamespace(template=lambda value: value)
        self._loader = SimpleNamespace(_vault=SimpleNamespace(secrets=None))
        self._play_context = SimpleNamespace(no_log=False, executable="/bin/sh")
        self._connection = SimpleNamespace(transport="test", become=None)

    def _low_level_execute_command(self, _command: str, in_data: bytes) -> dict[str, Any]:
        sizes, _other, rest = in_data.partition(b"\n")
        message = json.loads(rest[: int(sizes.split()[0])])
        self.asked.append(message)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            return answer
        state, records = answer
        self._stage = message.get("stage", self._stage)
        records = [{**record, "stage": self._stage} if "stage" in record else record for record in records]
        status = {"state": state, "offset": 1, "boot_id": "b", "reason": REASONS.get(state, ""), **self.clock}
        text = f"\n{MARK}{message['id']}\n{b''.join(map(encode, records)).decode()}\n{json.dumps(status)}\n"
        return {"rc": 0, "stdout": text, "stderr": FOUND}

    def get_shell_option(self, _option: str, default: str) -> str:
        return default
