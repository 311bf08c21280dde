# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.running.report_outcome import report_of
from ansible_collections.rack.recipes.plugins.plugin_utils.report.status_file import NAME


@pytest.fixture
def log(tmp_path: Path) -> Path:
    made = tmp_path / "ansible.log"
    made.write_text("some output\n")
    return made


def test_the_files_are_told_wherever_they_are(log: Path):
    (log.parent / NAME).write_text(json.dumps({"files": ["/team/report.md", "/team/csv/counts.csv"]}))
    assert report_of(log.parent, log) == {"report": ["/team/csv/counts.csv", "/team/report.md"]}


def test_the_reason_is_told_where_there_is_none(log: Path):
    (log.parent / NAME).write_text(json.dumps({"error": "no room"}))
    assert report_of(log.parent, log) == {"report": [], "report_error": f"no room ({log})"}


def test_an_empty_log_tells_nothing_more(log: Path):
    log.write_text("")
    assert report_of(log.parent, log)["report_error"] == "Ansible did not come to it (Ansible's output)"


@pytest.mark.parametrize(("check", "why"), [(False, "Ansible did not come to it"), (True, "check mode writes none")])
def test_a_task_that_was_not_run_is_told(check: bool, why: str, log: Path):
    (log.parent / "report").mkdir()
    (log.parent / "report" / "report.md").write_text("an older one")
    assert report_of(log.parent, log, check=check) == {"report": [], "report_error": f"{why} ({log})"}
