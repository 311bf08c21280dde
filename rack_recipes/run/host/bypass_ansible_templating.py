# SPDX-License-Identifier: GPL-3.0-or-later

"""How the steps of a stage get past Ansible's templating, and how their own templates are filled in.

Ansible goes through every value of a task's arguments for each host. For a hundred steps this takes 20 ms, more than
all else that is done for a host here. Where one template of a task cannot be filled in, Ansible runs nothing of it.
So before the workers are forked, the arguments of a stage task become texts without templates, which cost nothing
(`pack`). Steps without templates become JSON. A step with templates stays in the memory of the process, which the
workers inherit, and its text is only its number. A worker reads the texts (`unpack`) and fills in the templates of one
step after the other (`fill_in`).

Each reference `${...}` that the recipe's author wrote gets a mark before templates are filled in. What a template
brings in has none: it may be a host's text, and is never a reference, whatever it looks like.
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
from rack_recipes.errors import UsageError
from rack_recipes.run.host.host_request import ANSIBLE, NOT_SENT, OF_INVALID, UNMET, is_true

TEMPLATE_MARKS = ("{{", "{%", "{#")
OPENING = re.compile(r"\$\{(?![{%#])")  # of a reference, and not a `$` before a template
MARK = secrets.token_hex(8)  # behind each opening; workers inherit it, and no host can know it
NUMBERED = f"rack_recipes_step:{MARK}:"  # before the number of a step with templates

Data = Mapping[str, Any]
Template = Callable[[Any], Any]

# What is kept of a step whose templates are not filled in; none of these fields may hold one.
WITHOUT_TEMPLATES = (OF_INVALID - {"when"}) | NOT_SENT - {"reads", "writes"}


class TemplatedStep(dict[str, Any]):
    """A compiled step with templates, and its number among those of this process, by which workers find it."""

    def __init__(self, step: Data) -> None:
        super().__init__(step)
        self.number = len(_templated)
        _templated.append(self)


_templated: list[TemplatedStep] = []


def pack_steps(steps: Sequence[Data]) -> list[str]:
    """The steps as texts: the JSON of each stretch without templates, the number of each step that has some."""
    packed: list[str] = []
    for is_plain, stretch in groupby(map(_pack_step, steps), lambda text: text.startswith("{")):
        texts = [*stretch]
        packed += [f"[{','.join(texts)}]"] if is_plain else texts
    return packed


def unpack_steps(packed: Sequence[Data | str]) -> list[Data]:
    """The steps of these texts, in their order; what `pack` has not made stays as it is."""
    steps: list[Data] = []
    for each in packed:
        steps += _unpack_text(each) if isinstance(each, str) else [each]
    return steps


def fill_in(step: Data, template: Template) -> Data:
    """A step with its templates filled in, if it has any.

    Where its `when` comes out as false, nothing else of it is looked at. Where a template cannot be filled in, only
    this step is lost: its field `invalid` says why. Its conditions stay: one that does not hold skips the step.
    """
    if not isinstance(step, TemplatedStep):
        return step
    when = step.get("when", True)
    rest = {name: value for name, value in step.items() if name != "when" or not isinstance(value, str)}
    try:
        if not (is_true(template(when)) if isinstance(when, str) else when):
            return {**_without_templates(step), "when": {UNMET: when} if isinstance(when, str) else False}
        filled: Data = unmark(template(mark(rest)))
    except AnsibleError as error:
        problem = _problem(step, template, error)
        return {**_without_templates(step), **_conditions(step, template), "invalid": problem}
    except UsageError as error:
        return {**_without_templates(step), "invalid": str(error)}
    return filled


def mark(value: object) -> Any:
    """The same with a mark on each reference in its texts, to be used before a template is filled in."""
    return _change_texts(value, lambda text: OPENING.sub(f"${{{MARK}", text))


def unmark(value: object) -> Any:
    """The same with its references as they were. What looks like one without a mark came out of a template."""
    return _change_texts(value, lambda text: text.replace("${", FOREIGN).replace(f"{FOREIGN}{MARK}", "${"))


def _change_texts(value: object, change: Callable[[str], str]) -> Any:
    """Change every text in a value that may have a reference; Ansible's trust in it as a template is kept."""
    if isinstance(value, str):
        if "${" not in value:
            return value
        changed = change(value)
        return trust_as_template(changed) if is_trusted_as_template(value) else changed
    if isinstance(value, Mapping):
        return {name: _change_texts(item, change) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_change_texts(item, change) for item in value]
    return value


def _pack_step(step: Data) -> str:
    """JSON of a step without templates, else its number. To a module of Ansible's, trusted text is more than text."""
    if not isinstance(step, TemplatedStep) and step.get("type") != ANSIBLE:
        text = json.dumps(transform_to_native_types(dict(step)))
        if not any(opening in text for opening in TEMPLATE_MARKS):
            return text
    templated = step if isinstance(step, TemplatedStep) else TemplatedStep(step)
    return f"{NUMBERED}{templated.number}"


def _unpack_text(text: str) -> list[Any]:
    if text.startswith(NUMBERED):
        return [_templated[int(text.removeprefix(NUMBERED))]]
    try:
        steps = json.loads(text)
    except ValueError:
        return [text]
    return steps if isinstance(steps, list) else [text]


def _without_templates(step: Data) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name in WITHOUT_TEMPLATES}


def _conditions(step: Data, template: Template) -> dict[str, Any]:
    """The conditions of a step with their templates filled in; nothing where it has none, or they cannot be."""
    when = step.get("when", True)
    if isinstance(when, (str, bool)):
        return {}
    try:
        return {"when": unmark(template(mark(when)))}
    except AnsibleError:
        return {}


UNDEFINED = re.compile(r"'(\w+)' is undefined")
NO_PART = re.compile(r"has no attribute '(\w+)'")


def _problem(step: Data, template: Template, error: AnsibleError) -> str:
    """Which part of a step cannot be filled in, why, and what to do."""
    parts = {"when": step.get("when"), **{name: value for name, value in step.items() if name != "args"}}
    parts.update({f"args.{name}": value for name, value in (step.get("args") or {}).items()})
    for name, value in parts.items():
        try:
            template(mark(value))
        except AnsibleError as why:
            return f"{name}: {why}{_advice(str(why), str(value))}"
    return str(error)


def _advice(why: str, template: str) -> str:
    """What to do where a template needs a variable that nobody has set, or a group that the inventory does not have."""
    if variable := UNDEFINED.search(why):
        return f": the inventory or -e gives {variable[1]} a value"
    part = NO_PART.search(why)
    is_group = part and re.search(rf"\bgroups(\.|\[['\"]){part[1]}\b", template)
    return f": the inventory has no group {part[1]}" if part and is_group else ""
