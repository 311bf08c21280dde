# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One scriptlet by itself: the step that an ordinary Ansible module runs, by the executor of the stages."""

from __future__ import annotations

import os

from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import StageRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_class import Scriptlet

ATTACHED = ("name", "sha256", "size")


def run_single(scriptlet: type[Scriptlet], params: dict[str, Any]) -> dict[str, Any]:
    """Verdict, reason, `context` (the keys set), measurements, stdout and stderr of one run of `scriptlet`.

    Without a run there is nowhere to keep what it attaches: `artifacts` has name, size and digest of each, if any.
    """
    records: list[dict[str, Any]] = []
    request = _request(scriptlet, params)
    StageRun(request, Launcher(request, work=os.getcwd(), cache=""), records.append, lambda: True).run()
    last = records[-1]
    tried = last["attempts"][-1] if last["attempts"] else {"stdout": "", "stderr": ""}
    attached = [{name: each[name] for name in ATTACHED} for each in records if each["kind"] == "artifact"]
    return {
        "verdict": last["verdict"],
        "reason": last["reason"],
        "context": {record["key"]: record["after"] for record in records if record["kind"] == "delta"},
        "measurements": last["measurements"],
        **({"artifacts": attached} if attached else {}),
        "stdout": tried["stdout"],
        "stderr": tried["stderr"],
    }


def _request(scriptlet: type[Scriptlet], params: dict[str, Any]) -> dict[str, Any]:
    """A stage of one step."""
    step = {
        "name": scriptlet.__name__,
        "kind": "python",
        "class": scriptlet,
        "args": {name: value for name, value in params.items() if value is not None},
        "options": scriptlet.options,
        "scope": scriptlet.scope,
        "depends_on": [],
        "after": [],
        "parallel": False,
        "success": {"none": True},
    }
    context: dict[str, Any] = {"own": {}, "run": {}, "hosts": {}}
    return {"run": "", "stage": 1, "host": "", "settled": {}, "steps": [step], "slots": 1, "context": context}
