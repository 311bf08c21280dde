# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a stage on their way through Ansible's templates.

As text, as far as they hold none: Ansible goes through every value of a task's arguments for each host, 20 ms for a
hundred steps, more than all else that is done for a host here. A text without templates costs nothing.

And where they hold some, with a mark on each reference: what a template brings in may be a host's text, and is never a
reference, whatever it looks like.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from ansible.template import is_trusted_as_template, trust_as_template
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.language.references import FOREIGN

MARKS = ("{{", "{%", "{#")
MARKED = "rack_recipes_marked"  # a word of a step whose references have marks
OPENING = re.compile(r"\$\{(?![{%#])")  # of a reference, and not a sign before a template
MARK = secrets.token_hex(8)  # behind each of them; workers inherit it, and nobody else can know it

Said = Mapping[str, Any]
Packed = list[Said | str]


def packed(steps: Sequence[Said | str]) -> Packed:
    """The steps, each stretch of them without templates as the JSON text of a list."""
    native = [(step, "" if isinstance(step, str) else _text(step)) for step in steps]
    found: Packed = []
    for is_plain, stretch in groupby(native, lambda each: bool(each[1])):
        parts = list(stretch)
        found += (
            [f"[{','.join(text for _step, text in parts)}]"] if is_plain else [_marked(step) for step, _text in parts]
        )
    return found


def _marked(step: Said | str) -> Said | str:
    return step if isinstance(step, str) else {**marked(step), MARKED: True}


def marked(value: Any) -> Any:
    """The same with a mark on each reference that stands in its texts, before any template is filled in."""
    return _mapped(value, lambda text: OPENING.sub(f"${{{MARK}", text))


def unmarked(value: Any) -> Any:
    """The same with its references as they were; what looks like one without a mark came out of a template."""
    return _mapped(value, lambda text: text.replace("${", FOREIGN).replace(f"{FOREIGN}{MARK}", "${"))


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Every text in a value that may have a reference, changed; Ansible's trust in it stays as it is."""
    if isinstance(value, str):
        if "${" not in value:
            return value
        changed = change(value)
        return trust_as_template(changed) if is_trusted_as_template(value) else changed
    if isinstance(value, Mapping):
        return {name: _mapped(item, change) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mapped(item, change) for item in value]
    return value


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
        found += _steps(each) if isinstance(each, str) else [_unmarked(each)]
    return found


def _unmarked(step: Any) -> Any:
    if not isinstance(step, Mapping) or MARKED not in step:
        return step
    return {name: value for name, value in unmarked(step).items() if name != MARKED}


def _steps(text: str) -> list[Any]:
    try:
        steps = json.loads(text)
    except ValueError:
        return [text]
    return steps if isinstance(steps, list) else [text]
