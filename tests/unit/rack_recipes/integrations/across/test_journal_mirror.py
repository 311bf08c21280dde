# SPDX-License-Identifier: GPL-3.0-or-later

"""A journal that is shown in Ansible's output on one machine, and kept on another."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from controller_process import wait_for
from rack_recipes.errors import UsageError
from rack_recipes.integrations.across.journal_mirror import JournalMirror
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader, has_ended
from rack_recipes.run.earlier_run import EarlierRun
from rack_recipes.run.missing_results_and_artifacts import transfer_record
from rack_recipes.run.processes import ECHO
from rack_recipes.run.recorder import echo_journal
from rack_recipes.run.recorder.echo_journal import AT_ONCE, JournalEcho
from rack_recipes.run.run_folders import MIRROR, is_run_held

ID = "20261201-100000-abcdef"
TIME = now()
RUN = {"kind": "run", "time": TIME, "run": ID, "recipe": {"path": "r.yml"}, "steps": [], "hosts": []}
ARTIFACT = {"kind": "artifact", "stage": 1, "n": 1, "host": "r1", "step": "trace", "name": "t", "sha256": "a" * 64}
ARTIFACT |= {"attempt": 1, "time": TIME, "size": 1, "media_type": "text/plain"}
END = {"kind": "end", "time": TIME, "status": "failed", "exit_code": 1, "counts": {}}


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The folder of a run on its controller, with a journal of more bytes than are shown at once."""
    folder = tmp_path / "there" / ID
    append(folder / "journal.jsonl", [RUN])
    append(folder / "journal.jsonl", [{"kind": "warning", "time": TIME, "text": "x" * 1000} for _ in range(100)])
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "trace").write_text("attached")
    return folder


@pytest.fixture
def shown(there: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that show its journal."""
    monkeypatch.setenv(ECHO, "1")
    lines: list[str] = []
    echo = JournalEcho.begin(there / "journal.jsonl", lines.append)
    assert echo
    echo.end()
    return lines


def test_nothing_is_shown_where_nobody_asks(there: Path):
    assert JournalEcho.begin(there / "journal.jsonl", print) is None


def test_a_controller_with_nothing_new_says_that_it_is_alive(there: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(echo_journal, "PAUSE", 0.01)
    lines: list[str] = []
    JournalEcho(there / "journal.jsonl", lines.append)
    wait_for("a line without bytes", lambda: lines and lines[-1].endswith(" "), 20)
    mirror = JournalMirror(there.parent / "here" / ID)
    mirror.take_event({"stdout": lines[-1]})
    assert not mirror.journal.exists()


def test_a_part_is_kept_as_it_grows_and_completed_by_what_comes_back(there: Path, shown: list[str], tmp_path: Path):
    mirror = JournalMirror(tmp_path / "here" / ID)
    assert len(shown) > 2
    assert max(map(len, shown)) < 2 * AT_ONCE
    for line in (*shown, *shown, "TASK [other words]"):  # what comes twice is there once
        mirror.take_event({"stdout": f"{line}\r\n"})
    assert mirror.journal.read_bytes() == (there / "journal.jsonl").read_bytes()
    assert is_run_held(mirror.folder)
    append(there / "journal.jsonl", [END])
    mirror.complete(there.parent)
    assert not is_run_held(mirror.folder)
    assert has_ended(mirror.journal)
    assert (mirror.folder / "artifacts" / "trace").read_text() == "attached"
    assert not (mirror.folder / MIRROR).exists()


def test_files_come_along_where_the_whole_journal_is_here_already(there: Path, tmp_path: Path, shown: list[str]):
    mirror = JournalMirror(tmp_path / "here" / ID)
    for line in shown:
        mirror.take_event({"stdout": line})
    mirror.complete(there.parent)
    assert (mirror.folder / "artifacts" / "trace").exists()


def test_a_part_whose_controller_is_gone_gets_an_end_and_lacks_its_files(there: Path, tmp_path: Path, shown: list[str]):
    mirror = JournalMirror(tmp_path / "here" / ID)
    mirror.take_event({"stdout": shown[0]})
    append(mirror.journal, [ARTIFACT, transfer_record(ARTIFACT)])
    mirror.complete(tmp_path / "nothing")
    last = [*JournalReader(mirror.journal).records("transfer")][-1]
    assert (last["path"], last["note"]) == (None, "it was on a controller that is gone")
    earlier = EarlierRun(mirror.journal)
    earlier._stages = lambda _steps: {1}  # type: ignore[method-assign]
    earlier.catch_up()
    assert earlier.missing_artifacts(["trace"], "r1") == {1: [ARTIFACT]}
    (end,) = JournalReader(mirror.journal).records("end")
    assert end["status"] == "interrupted"


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({**RUN, "run": "20261201-100000-000000"}, "the journal of the pack is of run"),
        ({**RUN, "time": "yesterday"}, "journal.jsonl, line 2: .*so it is not the journal of a run"),
    ],
)
def test_what_is_no_journal_of_this_run_is_refused(spoilt: dict[str, Any], said: str, there: Path, tmp_path: Path):
    shutil.rmtree(there)
    append(there / "journal.jsonl", [spoilt])
    with pytest.raises(UsageError, match=said):
        JournalMirror(tmp_path / "here" / ID).complete(there.parent)
