# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a stage on their way through Ansible's templates.

As text: Ansible goes through every value of a task's arguments for each host, 20 ms for a hundred steps, more than all
else that is done for a host here; and where one template cannot be filled in, it runs nothing of the task. A text
without templates costs nothing. A step that holds some stays in this process, which the workers are forked from.

They are filled in with a mark on each reference: what a template brings in may be a host's text, and is never a
reference, whatever it looks like.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from ansible.errors import AnsibleError
from ansible.template import is_trusted_as_template, trust_as_template
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.language.references import FOREIGN
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.step_message import KNOWN, truth

ANSIBLE = "ansible"  # the type of a step that is a module of Ansible's
MARKS = ("{{", "{%", "{#")
OPENING = re.compile(r"\$\{(?![{%#])")  # of a reference, and not a sign before a template
MARK = secrets.token_hex(8)  # behind each of them; workers inherit it, and nobody else can know it
WRITTEN = f"rack_recipes_written:{MARK}:"  # before the number of a step that holds templates

Said = Mapping[str, Any]
Template = Callable[[Any], Any]

PLAIN = KNOWN | {"module", "type", "function", "hosts", "idx"}

_written: dict[int, Said] = {}  # by its id, which nothing else can have as long as it is here; workers inherit it


def packed(steps: Sequence[Said]) -> list[str]:
    """The steps as texts: each stretch of them without templates as the JSON of a list, another one by its number."""
    native = [(step, _text(step)) for step in steps]
    found: list[str] = []
    for is_plain, stretch in groupby(native, lambda each: bool(each[1])):
        parts = list(stretch)
        found += (
            [f"[{','.join(text for _step, text in parts)}]"] if is_plain else [_number(step) for step, _none in parts]
        )
    return found


def _number(step: Said) -> str:
    _written[id(step)] = step
    return f"{WRITTEN}{id(step)}"


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
    if step.get("type") == ANSIBLE:
        return ""
    text = json.dumps(transform_to_native_types(dict(step)))
    return "" if any(mark in text for mark in MARKS) else text


def unpacked(steps: Sequence[Said | str]) -> list[Said]:
    """All steps as they were written, in their order; what is no text of ours stays as it is."""
    found: list[Said] = []
    for each in steps:
        found += _steps(each) if isinstance(each, str) else [each]
    return found


def filled(step: Said, template: Template) -> Said:
    """A step with its templates filled in, if it has any; what they bring in is data.

    Of a step whose `when` came out as false nothing else is looked at. Where a template cannot be filled in, the step
    is one that says why (`unfit`), and its neighbours are none the worse for it.
    """
    if id(step) not in _written:
        return step
    when = step.get("when", True)
    rest = {name: value for name, value in step.items() if name != "when" or not isinstance(value, str)}
    try:
        if not (truth(template(when)) if isinstance(when, str) else when):
            return {**_plain(step), "when": False}
        found: Said = unmarked(template(marked(rest)))
    except AnsibleError as error:
        return {**_plain(step), "invalid": _problem(step, template, error)}
    except UsageError as error:
        return {**_plain(step), "invalid": str(error)}
    return found


def _plain(step: Said) -> dict[str, Any]:
    """What the step says without a template, of that what is not given to it."""
    return {name: value for name, value in step.items() if name in PLAIN}


def _problem(step: Said, template: Template, error: AnsibleError) -> str:
    """Which part of a step cannot be filled in, and why."""
    parts = {"when": step.get("when"), **{name: value for name, value in step.items() if name != "args"}}
    parts.update({f"args.{name}": value for name, value in (step.get("args") or {}).items()})
    for name, value in parts.items():
        try:
            template(marked(value))
        except AnsibleError as why:
            return f"{name}: {why}"
    return str(error)


def _steps(text: str) -> list[Any]:
    if text.startswith(WRITTEN):
        return [_written[int(text.removeprefix(WRITTEN))]]
    try:
        steps = json.loads(text)
    except ValueError:
        return [text]
    return steps if isinstance(steps, list) else [text]
