# SPDX-License-Identifier: GPL-3.0-or-later

"""Stopping a run from another process: the right process is found, told once, and the journal says by whom."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import JOURNAL
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.step_results_and_end_status import stop_of
from rack_recipes.run.run_folders import hold_run, is_run_held
from rack_recipes.run.stop_run import controller_of, stop_parts, stop_run

HOLDS = """
import signal, sys
from pathlib import Path
from rack_recipes.run.run_folders import hold_run_until_exit
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
hold_run_until_exit(Path(sys.argv[1]))
print("held", flush=True)
print(signal.sigwait([signal.SIGTERM]), flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "R1"
    made.mkdir()
    append(made / JOURNAL, [{"kind": "run", "run": "R1", "time": "2026-11-29T10:00:00.000000Z"}])
    return made


@pytest.fixture
def controller(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the run and waits for SIGTERM."""
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(folder)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_the_controller_is_told_and_the_journal_says_by_whom(folder, controller):
    assert stop_run(folder, "token:alice") == controller.pid
    assert controller.stdout.readline() == f"{signal.SIGTERM.value}\n"
    records = [row[2] for row in JournalReader(folder / JOURNAL).read()]
    assert (records[-1]["kind"], records[-1]["text"]) == ("warning", "token:alice has stopped this run")
    assert stop_of(records[-1]) == {"by": "token:alice", "time": records[-1]["time"]}


def test_who_only_looks_whether_it_goes_on_is_not_its_controller(folder, controller):
    with (folder / "lock").open("rb"):
        assert is_run_held(folder)
        assert controller_of(folder) == controller.pid


def test_a_run_that_does_not_go_on_here_is_told(folder):
    for _time in ("no lock", "a free lock"):
        with pytest.raises(UsageError, match="run R1 does not go on here: stop it on the machine, and as the user"):
            stop_run(folder, "alice")
        (folder / "lock").touch()
    append(
        folder / JOURNAL, [{"kind": "end", "time": "2026-11-29T11:00:00.000000Z", "status": "failed", "exit_code": 1}]
    )
    with pytest.raises(UsageError, match=r"run R1 has ended \(failed\): there is nothing to stop"):
        stop_run(folder, "alice")
    with pytest.raises(UsageError, match=r"no part of run night goes on here \(failed\): stop each"):
        stop_parts("night", [folder, folder], "alice")


def test_the_context_of_a_server_is_not_stopped(tmp_path):
    folder = tmp_path / "R2"
    folder.mkdir()
    append(folder / JOURNAL, [{"kind": "run", "run": "R2", "time": "2026-11-29T10:00:00.000000Z", "served": True}])
    with (
        hold_run(folder),
        pytest.raises(UsageError, match="R2 is the context of a server: end `rack-recipes serve` itself"),
    ):
        stop_run(folder, "alice")
