# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import StageRun

STEP = {"name": "a", "args": {}, "depends_on": [], "after": [], "scope": "host", "timeout": None, "parallel": False}


def test_a_field_that_the_executor_does_not_know_is_refused(tmp_path):
    context = {"own": {}, "run": {}, "hosts": {}}
    request = {"run": "r", "stage": 1, "host": "h", "settled": {}, "slots": 1, "context": context}
    request["steps"] = [STEP, {**STEP, "name": "b", "weight": 3, "color": "red"}]
    records: list[dict] = []
    with pytest.raises(ValueError, match="step 'b' has fields that this executor does not know: color, weight"):
        StageRun(request, Launcher(request, str(tmp_path), ""), records.append, lambda: True)
    assert records == []
