# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a stage as text, as far as they hold no templates.

Ansible goes through every value of a task's arguments for each host: 20 ms for a hundred steps, more than all else that
is done for a host here. A text without templates costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ansible.utils.vars import transform_to_native_types

MARKS = ("{{", "{%", "{#")

Said = Mapping[str, Any]
Packed = list[Said | str]


def packed(steps: Sequence[Said | str]) -> Packed:
    """The steps, each stretch of them without templates as the JSON text of a list."""
    native = [(step, "" if isinstance(step, str) else _text(step)) for step in steps]
    found: Packed = []
    for is_plain, stretch in groupby(native, lambda each: bool(each[1])):
        parts = list(stretch)
        found += [f"[{','.join(text for _step, text in parts)}]"] if is_plain else [step for step, _text in parts]
    return found


def _text(step: Said) -> str:
    """A step as JSON; empty where it holds a template, or is a module's, to which trusted text is more than text."""
    if step.get("type") == "ansible":
        return ""
    text = json.dumps(transform_to_native_types(dict(step)))
    return "" if any(mark in text for mark in MARKS) else text


def unpacked(steps: Sequence[Said | str]) -> list[Said]:
    """All steps, in their order; what is no text of ours stays as it is."""
    found: list[Said] = []
    for each in steps:
        found += _steps(each) if isinstance(each, str) else [each]
    return found


def _steps(text: str) -> list[Any]:
    try:
        steps = json.loads(text)
    except ValueError:
        return [text]
    return steps if isinstance(steps, list) else [text]
