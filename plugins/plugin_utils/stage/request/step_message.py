# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A step as the executor is told of it: what a compiled step says in the recipe's words, the rest filled in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.context_values import bounded
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.dependencies import label_of

Said = Mapping[str, Any]

# Passed on where a step says them; the executor knows the defaults.
AS_SAID = frozenset(("loop", "matrix", "continue_on_fail", "always", "priority", "tags", "skip"))
PARTS = frozenset(("retry", "repeat", "limits"))
KNOWN = frozenset(  # also of a step that cannot be run
    ("name", "depends_on", "after", "scope", "continue_on_fail", "always", "priority", "skip")
)
NEEDED = frozenset(("name", "module"))
RARE = AS_SAID | PARTS | {"when", "locks", "sandbox", "cache_key"}
TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def check_stage(arguments: Said) -> None:
    """Raise UsageError for arguments of a stage task that no compiled recipe has."""
    number, steps, locks = (arguments.get(name) for name in ("number", "steps", "locks"))
    sound = isinstance(number, int) and isinstance(steps, list) and steps and isinstance(locks or {}, Mapping)
    if not sound or not all(isinstance(step, Mapping) and step.keys() >= NEEDED for step in steps or ()):
        raise UsageError("a stage needs its number and its steps, as a compiled recipe has them")


def to_message(step: Said, program: Said, held_there: Collection[str]) -> dict[str, Any]:
    """The step with its `program`; `held_there` names the locks that are the host's own.

    Raises UsageError for a `when` that came out as neither true nor false.
    """
    if "invalid" in step:
        return {**to_message({name: step[name] for name in step if name in KNOWN}, {}, ()), "invalid": step["invalid"]}
    rare = RARE & step.keys()
    return {
        "name": step["name"],
        "args": step.get("args") or {},
        "depends_on": [said if isinstance(said, str) else label_of(said) for said in step.get("depends_on") or ()],
        "after": list(step.get("after") or ()),
        "scope": step.get("scope", "host"),
        "timeout": step.get("timeout"),
        "parallel": step.get("parallel", False),
        "success": _success(step.get("success")),
        **(_rare(step, rare, held_there) if rare else {}),
        **program,
    }


def truth(said: Any) -> bool:
    """What the Jinja expression of a `when` came out as. Raises UsageError where that is neither true nor false."""
    found = said if isinstance(said, bool) else TRUTH.get(str(said).strip().lower())
    if found is None:
        raise UsageError(f"when: expected true or false, got {bounded(repr(said))}")
    return found


def _rare(step: Said, said: AbstractSet[str], held_there: Collection[str]) -> dict[str, Any]:
    """What most steps do not say."""
    return {
        **{name: step[name] for name in sorted(AS_SAID & said) if step[name] not in (None, False)},
        **{name: _given(step[name]) for name in sorted(PARTS & said) if step[name]},
        **_when(step),
        **_locks(step, held_there),
        **_sandbox(step),
        **({"cache": True} if step.get("cache_key") else {}),
    }


def _success(said: Any) -> dict[str, Any]:
    return {"none": True} if said == "none" else dict(said or {})


def _given(part: Said) -> dict[str, Any]:
    return {name: value for name, value in part.items() if value is not None}


def _when(step: Said) -> dict[str, Any]:
    """False, or conditions."""
    said = step.get("when", True)
    if isinstance(said, Mapping):
        return {"when": [said]}
    if isinstance(said, (list, tuple)):
        return {"when": list(said)}
    return {} if truth(said) else {"when": False}


def _sandbox(step: Said) -> dict[str, Any]:
    """What the sandbox allows. Whatever else stands there must not mean that there is none."""
    said = step.get("sandbox", False)
    if said is None or said is False:
        return {}
    if said is not True and not isinstance(said, Mapping):
        raise UsageError(f"sandbox: expected true or a mapping, got {bounded(repr(said))}")
    return {"sandbox": {} if said is True else _given(said)}


def _locks(step: Said, held_there: Collection[str]) -> dict[str, Any]:
    names = [name for name in step.get("locks") or () if name in held_there]
    return {"locks": names} if names else {}
