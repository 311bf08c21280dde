# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request to a delegate: the stage of many hosts in one message, with what they share in it once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rack_recipes.run.stage.request.request import Request, stage_id

AT_ONCE = 32  # hosts that a delegate tests at the same time: most of them wait for their device
OWN = frozenset(("id", "host", "collected"))  # never shared, since each host has its own


def group_id(run_id: str, number: int, delegate: str) -> str:
    """The name of the folder of a stage that `delegate` runs for many hosts. No stage of one host has it."""
    return stage_id(run_id, number, f"\0{delegate}")


def group_request(name: str, requests: Sequence[Request], collected: Sequence[str]) -> Request:
    """One request, with the id `name`, for the stage of several hosts.

    `collected` names the folders that the delegate may forget.
    """
    messages = [request.message for request in requests]
    texts = [{field: json.dumps(value) for field, value in message.items()} for message in messages]
    shared = {
        field: value
        for field, value in messages[0].items()
        if field not in OWN and all(text.get(field) == texts[0][field] for text in texts)
    }
    hosts = [_own(message, shared) for message in messages]
    files = {name: path for request in requests for name, path in request.files}
    message = {**shared, "id": name, "collected": [*collected], "hosts": hosts, "at_once": AT_ONCE}
    return Request(message, tuple(sorted(files.items())))


def _own(message: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in message.items() if field not in shared and field not in OWN - {"host"}}
