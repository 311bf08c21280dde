# SPDX-License-Identifier: GPL-3.0-or-later

"""What the task that writes a report leaves for the command that asked for it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run
from rack_recipes.errors import RackError
from rack_recipes.report.report_formats_and_status import NAME, ReportStatus, read_report_status, write_with_status
from rack_recipes.run.current_run import Run, RunInputs, set_current

SECRET = "hunter2-and-more"
WRITTEN = {"changed": True, "files": ["out/report.md", f"out/{SECRET}/report.html"]}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """The run of this process, which has a secret."""
    made = a_run(tmp_path, inputs=RunInputs(mask=Mask([SECRET])))
    set_current(made)
    yield made
    set_current(None)


def fail() -> dict[str, Any]:
    raise RackError(f"no room for {SECRET}")


def test_the_files_are_noted_without_secrets_for_the_owner_alone(run: Run):
    assert write_with_status(lambda: WRITTEN) is WRITTEN
    assert read_report_status(run.folder) == ReportStatus(("out/report.md", "out/********/report.html"))
    assert stat.S_IMODE((run.folder / NAME).stat().st_mode) == 0o600


def test_so_is_the_error_and_it_is_raised(run: Run):
    write_with_status(lambda: WRITTEN)
    with pytest.raises(RackError, match=f"no room for {SECRET}"):
        write_with_status(fail)
    assert read_report_status(run.folder) == ReportStatus(error="no room for ********")


def test_without_a_run_nothing_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert write_with_status(lambda: WRITTEN) is WRITTEN
    assert not [*tmp_path.iterdir()]


def test_a_note_that_cannot_be_written_is_none(run: Run):
    (run.folder / NAME).mkdir()
    assert write_with_status(lambda: WRITTEN) is WRITTEN
    assert read_report_status(run.folder) is None


@pytest.mark.parametrize("text", [None, "", '{"files": ["out/rep'])
def test_a_note_that_is_not_whole_is_none(text: str | None, tmp_path: Path):
    if text is not None:
        (tmp_path / NAME).write_text(text)
    assert read_report_status(tmp_path) is None
