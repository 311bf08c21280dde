# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The digest of all inputs of a step. An earlier result may be reused where it is the same again."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.language.fingerprint import fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.executor.shared_by_steps import StageState
    from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope

    Record = dict[str, Any]
    Step = dict[str, Any]


def inputs_of(state: StageState, step: Step, params: Record, scope: Scope) -> str:
    """The fingerprint of the scriptlet, its arguments and files, what it reads, and what judges it.

    Empty for a scriptlet without a digest, and for one on the live bus. Secrets among the arguments are hidden from
    now on.
    """
    state.secrets.add_arguments(step.get("options"), params)
    if "digest" not in step or step.get("live"):  # nobody knows what a step reads live
        return ""
    given = [step.get("module"), step.get("function"), params, *_criteria(step, scope)]
    given += [step["sandbox"]] if "sandbox" in step else []
    read, files = state.context.read_by(step), _files(state, params)
    return fingerprint(step["digest"], given, read, state.host, files, state.secrets.key_for)


def _criteria(step: Step, scope: Scope) -> list[Any]:
    """What judges the step, and the values that it refers to."""
    until = step["retry"].get("until") if "retry" in step else None
    criteria = [step.get("success"), step.get("repeat"), until]
    if not (until or step.get("repeat") or (step.get("success") or {}).get("values")):
        return criteria
    from ansible_collections.rack.recipes.plugins.module_utils.language import references

    keys, others = references.keys_in(criteria), references.keys_of_others(criteria)
    values = {key: scope.ctx.get(key) for key in keys if key in scope.ctx}
    return [*criteria, scope.words["params"], values, {key: scope.ctx.values(key) for key in others}]


def _files(state: StageState, params: Record) -> dict[str, str]:
    """The project's file, or those of a folder, that the step was given; they travel with the stage."""
    src = params.get("src")
    if not state.digests or not isinstance(src, str):
        return {}
    import posixpath

    name = posixpath.normpath(src)
    if src.endswith("/"):
        below = "" if name == "." else f"{name}/"
        return {path: digest for path, digest in state.digests.items() if path.startswith(below)}
    return {name: state.digests[name]} if name in state.digests else {}
