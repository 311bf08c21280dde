# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import (
    FIRST,
    SECOND,
    Writer,
    attempt,
)
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import delta
from rack_recipes.archive import prune_runs
from rack_recipes.errors import RackError
from rack_recipes.journal.append import append

OLDEST = "20261101-090000-bbbbbb"
COMMAND = "from rack_recipes.cli.main import main; main()"


def stored() -> list[str]:
    return [run["run_id"] for run in call("runs", "--json").answer["runs"]]


def folders(runs: Path) -> list[str]:
    return sorted(path.name for path in runs.iterdir() if not path.name.startswith("."))


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_by_number(runs: Path):
    size = size_of(runs / FIRST)
    done = call("prune", "--keep", "1", "--json")
    assert done.code == 0
    assert done.answer == {
        "status": "ok",
        "dry_run": False,
        "removed": [{"run_id": FIRST, "size": size, "why": "1 is newer", "from": "its folder"}],
        "compressed": [],
        "kept": [],
        "failed": [],
        "freed": size,
    }
    assert folders(runs) == [SECOND]
    assert stored() == [SECOND, FIRST]
    assert call("show", FIRST).code == 0


def test_by_age_and_size(runs: Path):
    assert call("prune", "--older-than", "100w", "--json").answer["removed"] == []
    done = call("prune", "--max-size", str(size_of(runs / SECOND)), "--json")
    assert [run["run_id"] for run in done.answer["removed"]] == [FIRST]
    assert folders(runs) == [SECOND]


def test_what_would_go_is_what_goes(runs: Path):
    before = folders(runs), stored(), sorted(runs.rglob("*"))
    words = ("prune", "--keep", "1", "--compress", "--store", "--json")
    plan = call(*words, "--dry-run").answer
    assert (folders(runs), stored(), sorted(runs.rglob("*"))) == before
    done = call(*words).answer
    assert plan["dry_run"] is True
    for part in ("removed", "kept", "failed"):
        assert plan[part] == done[part]
    assert [run["run_id"] for run in plan["compressed"]] == [run["run_id"] for run in done["compressed"]] == [SECOND]
    assert done["compressed"][0]["saved"] > 0


def test_rows_too(runs: Path):
    done = call("prune", "--keep", "1", "--store")
    assert done.code == 0
    assert f"removed from its folder and the store  {FIRST}" in done.out
    assert "\nremoved: 1, compressed: 0, kept: 0, freed: " in done.out
    assert (folders(runs), stored()) == ([SECOND], [SECOND])
    assert call("prune", "--keep", "1", "--store", "--vacuum", "--json").answer["removed"] == []


def test_logs_and_no_results(runs: Path):
    wordy = [attempt("failed") | {"stderr": "too early"}, attempt("failed", 2) | {"stdout": "out", "stderr": "too hot"}]
    run = Writer(OLDEST)
    run.begin("sha256:1", ("burn",))
    run.step("burn", "leaf1", "failed", "hot", attempts=wordy)
    run.end("failed", 1, failed=1)
    done = call("prune", "--keep", "2", "--logs")
    assert f"removed from its folder and its logs in the store  {OLDEST}" in done.out
    assert (folders(runs), stored()) == ([FIRST, SECOND], [SECOND, FIRST, OLDEST])
    (left,) = call("show", OLDEST, "--json").answer["steps"]
    assert (left["verdict"], left["reason"], left["stderr"]) == ("failed", "hot", prune_runs.TAKEN_OUT)
    assert "too" not in json.dumps(left)
    assert [one["try"] for one in left["attempts"]] == [1, 2]
    assert "removed: 0, compressed: 0" in call("prune", "--keep", "2", "--logs").out
    assert call("prune", "--keep", "2", "--logs", "--store").code == 2


def test_rows_of_a_run_whose_folder_is_gone(runs: Path):
    call("prune", "--keep", "1")
    assert call("prune", "--keep", "0", "--dry-run", "--json").answer["removed"][0]["run_id"] == SECOND
    done = call("prune", "--keep", "1", "--store", "--json")
    assert [(run["run_id"], run["from"]) for run in done.answer["removed"]] == [(FIRST, "the store")]
    assert stored() == [SECOND]


def test_compressed_journals_are_read_as_before(runs: Path):
    shown, watched = call("show", SECOND).out, call("watch", SECOND)
    done = call("prune", "--compress")
    assert "\nremoved: 0, compressed: 2, kept: 0, freed: " in done.out
    assert sorted(path.name for path in (runs / FIRST).iterdir()) == ["journal.jsonl.gz", "lock"]
    assert call("show", SECOND).out == shown
    assert call("watch", SECOND) == watched
    assert call("flush", SECOND).answer == {**call("flush", SECOND).answer, "rows": 0}
    assert call("flush", SECOND, "--db", "sqlite:///other.db").answer["rows"] > 0
    assert call("show", SECOND, "--db", "sqlite:///other.db").out == shown
    assert call("prune", "--compress").out == "removed: 0, compressed: 0, kept: 0, freed: 0 B\n"


def test_what_is_kept_says_why(runs: Path):
    call("pin", FIRST)
    append(runs / SECOND / "journal.jsonl", [delta("late_v1", 1, n=99)])
    done = call("prune", "--keep", "0", "--store", "--json")
    assert done.answer["removed"] == []
    assert [(run["run_id"], run["because"]) for run in done.answer["kept"]] == [
        (FIRST, "pinned"),
        (SECOND, f"its results are not all in the store: rack-recipes flush {SECOND}"),
    ]
    assert call("flush", SECOND).code == 0
    with (runs / SECOND / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = call("prune", "--keep", "0", "--store")
        assert f"kept  {SECOND}" in done.out
        assert "it still goes on, or another run goes on from it" in done.out
    assert [run["run_id"] for run in call("prune", "--keep", "0", "--json").answer["removed"]] == [SECOND]
    assert folders(runs) == [FIRST]


def test_a_folder_that_cannot_be_removed_is_told_and_the_rest_goes_on(runs: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(folder: Path) -> None:
        if folder.name == FIRST:
            raise RackError("no right to do this")
        original(folder)

    original = prune_runs.remove_folder
    monkeypatch.setattr(prune_runs, "remove_folder", refuse)
    done = call("prune", "--keep", "0", "--store", "--json")
    assert (done.code, done.answer["status"]) == (1, "error")
    assert [(run["run_id"], run["reason"]) for run in done.answer["failed"]] == [(FIRST, "no right to do this")]
    assert [run["run_id"] for run in done.answer["removed"]] == [SECOND]
    assert stored() == [FIRST]  # whose folder is there


def test_a_run_with_damaged_lines_is_kept_unless_it_is_asked_for(runs: Path):
    journal = runs / FIRST / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"host":"leaf2"', b'"hosT":"leaf2"'))
    call("flush", FIRST)
    done = call("prune", "--keep", "1", "--json").answer
    assert [(run["run_id"], run["because"].partition(":")[0]) for run in done["kept"]] == [
        (FIRST, "its journal has damaged lines (3)")
    ]
    done = call("prune", "--keep", "1", "--damaged", "--json").answer
    assert ([run["run_id"] for run in done["removed"]], done["kept"]) == ([FIRST], [])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "rack-recipes prune: expected --older-than, --keep, --max-size or --compress; see --help"),
        (["--store"], "rack-recipes prune: expected --older-than, --keep, --max-size or --compress; see --help"),
        (["--older-than", "x"], "argument --older-than: expected an age of at most 100 years such as 90d"),
        (["--keep", "-1"], "--keep"),
        (["--max-size", "big"], "argument --max-size: expected a size such as 10GiB"),
    ],
)
def test_what_cannot_be_asked_for(words: list[str], text: str, runs: Path):
    done = call("prune", *words)
    assert done.code == 2
    assert text in done.err
    assert folders(runs) == [FIRST, SECOND]


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, [SECOND]), ("\n", 2, [FIRST, SECOND])])
def test_who_looks_on_is_asked(answer: str, code: int, left: list[str], runs: Path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", COMMAND, "prune", "--keep", "1"]
    running = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(ours, 1024)
    os.write(ours, f"{answer}\n".encode())
    out, _err = running.communicate(timeout=60)
    assert running.returncode == code
    assert b"remove 1 run, " in said
    assert folders(runs) == left
    assert (b"removed: 1," in out) == (code == 0)
    os.close(ours)


def test_a_script_is_not_asked(runs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert call("prune", "--keep", "1", "--yes").code == 0
    assert folders(runs) == [SECOND]


def test_a_store_that_is_away(runs: Path):
    done = call("prune", "--keep", "0", "--db", "sqlite:////proc/nowhere/results.db", "--json")
    assert (done.code, done.answer["exit_code"]) == (5, 5)
    assert folders(runs) == [FIRST, SECOND]


def test_a_compressed_journal_can_be_resumed_from(runs: Path):
    from rack_recipes.run.earlier_run import find_earlier

    call("prune", "--compress")
    earlier = find_earlier(runs, FIRST, "", {"test_id": "BURN"}, {})
    assert earlier is not None
    assert earlier.run_id == FIRST
    assert sorted(path.name for path in (runs / FIRST).iterdir()) == ["journal.jsonl", "lock"]
    assert json.loads(call("prune", "--keep", "0", "--json").out)["kept"][0]["run_id"] == FIRST


@pytest.mark.parametrize("words", [["prune", "--keep", "1"], ["prune", "--compress"], ["pin"], ["export"]])
def test_a_project_without_runs(words: list[str], project: Path):
    done = call(*words)
    assert (done.code, done.out) == (5, "")
    assert done.err.endswith("there is no store yet, it is made by the first run\n")
    assert [path.name for path in project.iterdir()] == ["ansible.cfg"]


def test_telling_what_would_go_makes_no_store(runs: Path):
    done = call("prune", "--keep", "0", "--store", "--dry-run", "--db", "sqlite:///new.db")
    assert done.code == 5
    assert not Path("new.db").exists()


NOWHERE = "sqlite:////proc/nowhere/results.db"


def test_in_both_places(runs: Path):
    for _again in range(2):
        done = call("pin", FIRST[:8])
        assert done.answer == {"status": "ok", "run_id": FIRST, "pinned": True, "folder": True, "store": True}
    assert (runs / FIRST / "pinned").exists()
    assert [run["pinned"] for run in call("runs", "--json").answer["runs"]] == [False, True]
    assert call("pin", FIRST, "--off").answer["pinned"] is False
    assert not (runs / FIRST / "pinned").exists()
    assert [run["pinned"] for run in call("runs", "--json").answer["runs"]] == [False, False]


def test_the_newest_one(runs: Path):
    assert call("pin").answer["run_id"] == SECOND


def test_one_that_only_the_store_has(runs: Path):
    call("prune", "--keep", "0")
    done = call("pin", FIRST)
    assert done.answer == {"status": "ok", "run_id": FIRST, "pinned": True, "folder": False, "store": True}
    assert [run["run_id"] for run in call("prune", "--keep", "0", "--store", "--json").answer["removed"]] == [SECOND]


def test_one_that_is_not_stored(runs: Path):
    call("db", "upgrade", "--db", "sqlite:///empty.db")
    done = call("pin", FIRST, "--db", "sqlite:///empty.db")
    assert (done.answer["folder"], done.answer["store"]) == (True, False)
    assert call("flush", FIRST, "--db", "sqlite:///empty.db").code == 0
    assert call("runs", "--db", "sqlite:///empty.db").out.splitlines()[1].endswith("; pinned")


def test_without_the_store_the_folder_is_marked(runs: Path):
    done = call("pin", FIRST, "--db", NOWHERE)
    assert (done.code, done.answer["store"]) == (0, False)
    assert done.err.startswith("only in the run's folder: ")
    assert (runs / FIRST / "pinned").exists()
    assert not Path("/proc/nowhere").exists()
    assert call("prune", "--keep", "0", "--json").answer["kept"][0]["because"] == "pinned"


def test_a_run_that_is_nowhere(runs: Path):
    done = call("pin", "2025")
    assert (done.code, done.err) == (2, "there is no run '2025' in the store\n")
    assert call("pin", "2025", "--db", NOWHERE).code == 5
    assert call("pin", "2026").code == 2
