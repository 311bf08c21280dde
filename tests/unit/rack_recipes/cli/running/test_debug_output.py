# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
from pathlib import Path

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import log, step
from rack_recipes.cli.running.run_ansible import DebugLog
from rack_recipes.journal.append import append


def test_log_records_are_shown_as_they_come(tmp_path: Path):
    path = tmp_path / "R1/journal.jsonl"
    shown = io.StringIO()
    trace = DebugLog.of(path, shown)
    assert not trace.has_more()
    append(path, [log("start", "{}"), step("a", "r1"), log("process", "ls\x1b[31m exit code 0\nls")])
    assert trace.has_more()
    trace.show()
    assert shown.getvalue() == (
        "12:00:00.000 R1 a@r1 start: {}\n"
        "12:00:00.000 R1 a@r1 process: ls [31m exit code 0\n"
        "12:00:00.000 R1 a@r1 process: ls\n"
    )
    assert not trace.has_more()
    append(path, [log("end", "passed", host="")])
    assert trace.has_more()
    trace.show()
    assert shown.getvalue().endswith("12:00:00.000 R1 a@run end: passed\n")
