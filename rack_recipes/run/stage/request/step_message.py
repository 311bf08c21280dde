# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message that describes a step to the executor, made of the compiled step and of the program that it runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import bounded
from rack_recipes.errors import UsageError
from rack_recipes.recipe.steps_to_and_from_data import check_step, label_of

Data = Mapping[str, Any]

ANSIBLE = "ansible"  # the type of a step that is a module of Ansible's

# Fields of a compiled step that the executor is not told of: the controller acts on them, or they choose the program.
# Every other field is sent where a step has it.
NOT_SENT = frozenset(("idx", "hosts", "writes", "module", "type", "function", "reads"))
RENAMED = {"cache_key": "cache"}  # the host has to know only that there is one
# The fields that count even where a step cannot be run.
OF_INVALID = frozenset(
    ("name", "depends_on", "after", "scope", "continue_on_fail", "always", "priority", "skip", "invalid", "when")
)
REQUIRED = frozenset(("name", "module"))
TRUTH_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def check_stage(arguments: Data) -> None:
    """Raise UsageError for arguments of a stage task that no compiled recipe has."""
    number, steps, locks = (arguments.get(name) for name in ("number", "steps", "locks"))
    is_stage = isinstance(number, int) and isinstance(steps, list) and steps and isinstance(locks or {}, Mapping)
    if not is_stage or not all(isinstance(step, Mapping) and step.keys() >= REQUIRED for step in steps or ()):
        raise UsageError("a stage needs its number and its steps, as a compiled recipe has them")


def to_message(step: Data, program: Data, host_locks: Collection[str]) -> dict[str, Any]:
    """The message of a step. `host_locks` names the locks that the executor handles, which are those of one host.

    Of a step that is `invalid` only its place among the others is sent. Raises UsageError for a field that no step
    has, for a `when` that is neither true nor false, and for a `sandbox` that is neither true nor a mapping.
    """
    if "invalid" in step:
        return _message({name: value for name, value in step.items() if name in OF_INVALID}, ())
    check_step(step)
    return {**_message(step, host_locks), **program}


def is_true(value: Any) -> bool:
    """What the Jinja expression of a `when` came out as. Raises UsageError where that is neither true nor false."""
    found = value if isinstance(value, bool) else TRUTH_WORDS.get(str(value).strip().lower())
    if found is None:
        raise UsageError(f"when: expected true or false, got {bounded(repr(value))}")
    return found


def _message(step: Data, host_locks: Collection[str]) -> dict[str, Any]:
    message = {
        "name": step["name"],
        "args": step.get("args") or {},
        "depends_on": [*map(label_of, step.get("depends_on") or ())],
        "after": list(step.get("after") or ()),
        "scope": step.get("scope", "host"),
        "timeout": step.get("timeout"),
        "parallel": step.get("parallel", False),
        "success": _success(step.get("success")),
    }
    for name, written in step.items():
        if name in message or name in NOT_SENT:
            continue
        value = CONVERTED[name](written, host_locks) if name in CONVERTED else None if written is False else written
        if value is not None:
            message[RENAMED.get(name, name)] = value
    return message


def _success(written: Any) -> dict[str, Any]:
    return {"none": True} if written == "none" else dict(written or {})


def _part(written: Data | None, _host_locks: Collection[str]) -> Data | None:
    """Only what is set: the executor knows the defaults."""
    return {name: value for name, value in written.items() if value is not None} if written else None


def _when(written: Any, _host_locks: Collection[str]) -> list[Any] | bool | None:
    """Conditions, or false; None where nothing keeps the step from running."""
    if isinstance(written, Mapping):
        return [written]
    if isinstance(written, (list, tuple)):
        return list(written)
    return None if is_true(written) else False


def _sandbox(written: Any, host_locks: Collection[str]) -> Data | None:
    """What the sandbox allows. Any other value must not mean that there is none."""
    if written is None or written is False:
        return None
    if written is not True and not isinstance(written, Mapping):
        raise UsageError(f"sandbox: expected true or a mapping, got {bounded(repr(written))}")
    return {} if written is True else _part(written, host_locks) or {}


def _locks(written: Any, host_locks: Collection[str]) -> list[str] | None:
    return [name for name in written or () if name in host_locks] or None


CONVERTED: Mapping[str, Callable[[Any, Collection[str]], Any]] = {
    **dict.fromkeys(("retry", "repeat", "limits"), _part),
    "when": _when,
    "locks": _locks,
    "sandbox": _sandbox,
    "cache_key": lambda written, _host_locks: True if written else None,
}
