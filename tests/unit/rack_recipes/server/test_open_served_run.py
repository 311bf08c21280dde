# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.run import run_folders
from rack_recipes.server import open_served_run
from rack_recipes.server.open_served_run import bring_to_disk, open_run
from rack_recipes.settings import Settings


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    """Settings with the test's folder of runs; a run is held only as long as the test."""
    held: set[Path] = set()

    def hold(folder: Path) -> None:
        if folder in held:
            raise UsageError("held")
        held.add(folder)

    monkeypatch.setattr(open_served_run, "hold_run_until_exit", hold)
    monkeypatch.setattr(os, "register_at_fork", lambda **_hooks: None)
    return Settings(runs=str(tmp_path / "runs"))


def kinds(journal: Path) -> list[str]:
    return [line.record["kind"] for line in JournalReader(journal).read() if line.record]


def test_the_first_server_begins_a_run(settings):
    run = open_run(settings)
    assert (run.journal, run.hooks) == (Path(settings.runs, run.run_id, "journal.jsonl"), None)
    assert run_folders.run_record(run.journal)["served"] is True


def test_the_next_server_goes_on_with_it(settings, monkeypatch):
    first = open_run(settings)
    monkeypatch.setattr(open_served_run, "hold_run_until_exit", lambda _folder: None)
    assert open_run(settings).run_id == first.run_id
    assert kinds(first.journal) == ["run", "run"]
    assert open_run(settings, first.run_id[:16]).run_id == first.run_id
    assert open_run(settings, new=True).run_id != first.run_id


def test_a_run_has_one_server(settings):
    run = open_run(settings)
    with pytest.raises(UsageError) as raised:
        open_run(settings)
    assert str(raised.value) == f"run {run.run_id} is served already: use that server, or begin another run with --new"
    assert kinds(run.journal) == ["run"]


def recipe_run(settings: Settings) -> Path:
    journal = Path(settings.runs, "20260101-000000-abcdef", "journal.jsonl")
    append(journal, [{"kind": "run", "run": journal.parent.name, "time": "2026-01-01T00:00:00.000000Z"}])
    return journal


def test_a_run_of_a_recipe_is_joined_while_it_goes_on(settings):
    journal = recipe_run(settings)
    with run_folders.hold_run(journal.parent):
        run = open_run(settings, "20260101")
    assert (run.journal, run.hooks) == (journal, None)
    assert kinds(journal) == ["run"]


def test_a_run_of_a_recipe_that_is_over_is_refused(settings):
    journal = recipe_run(settings)
    with pytest.raises(UsageError) as raised:
        open_run(settings, "20260101")
    assert str(raised.value) == f"run {journal.parent.name} is over: name one that goes on, or leave out --run"
    assert open_run(settings).run_id != journal.parent.name


def test_a_run_that_is_not_there(settings):
    with pytest.raises(UsageError, match="there is no run '2025' in"):
        open_run(settings, "2025")


def test_merge_rules_are_in_the_record_and_hooks_are_called(settings, tmp_path):
    hook = tmp_path / "scriptlets" / "site" / "longest.py"
    hook.parent.mkdir(parents=True)
    hook.write_text("def merge(key, base, theirs, ours):\n    return max(theirs, ours, key=len)\n")
    rules = (("a.*", "deep_merge"), ("names_*", "hook site.longest"))
    run = open_run(Settings(runs=settings.runs, merge=rules, scriptlets=(str(tmp_path / "scriptlets"),)))
    merge = run_folders.run_record(run.journal)["merge"]
    assert merge[0] == {"keys": "a.*", "policy": "deep_merge"}
    assert merge[1]["digest"].startswith("sha256:")
    assert run.hooks is not None


def test_a_journal_and_its_folders_are_brought_to_the_disk(settings, monkeypatch):
    journal, synced = open_run(settings).journal, []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink()))
    bring_to_disk(journal)
    assert synced == [journal, *[*journal.parents][:4]]


def test_what_cannot_be_brought_to_the_disk_is_told(settings, monkeypatch):
    def fail(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal = open_run(settings).journal
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UsageError) as raised:
        bring_to_disk(journal)
    assert str(raised.value) == f"--durability fsync: {journal} cannot be brought to the disk: Input/output error"
