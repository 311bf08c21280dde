# SPDX-License-Identifier: GPL-3.0-or-later

"""A run in progress, observed from outside: its processes, and what its controller and its hosts have written."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import decode
from call_rack_recipes import COMMAND, Done, environment, rack_recipes
from rack_recipes.journal.reader import JournalReader
from rack_recipes.journal.step_results_and_end_status import Results

WAYS = ("rack-recipes", "ansible-playbook")
HEARING = ("env", "--default-signal=HUP")  # what ignores a signal, such as tests under nohup, lets its children do so
BASES = ("/var/tmp", "/tmp")
MARK = "CONTROLLER_OF_A_TEST"  # an environment variable, by which all processes of a controller are found
PATIENCE = 180.0  # seconds, for a machine that does other things, too

Record = dict[str, Any]
Key = tuple[str, int, str, int]  # kind, stage, host, number


def wait_for(what: str, found: Callable[[], Any], seconds: float = PATIENCE) -> float:
    """Wait until something is found. Return the seconds that it took."""
    started = time.monotonic()
    while not found():
        assert time.monotonic() - started < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)
    return time.monotonic() - started


def running(words: str) -> list[int]:
    """The processes with this command line."""
    return [pid for pid in _pids() if _read(pid, "cmdline").replace(b"\0", b" ").strip() == words.encode()]


def command_lines() -> Counter[str]:
    """How many processes have each command line. One look for all: tests look often, and each look takes a while."""
    lines = (_read(pid, "cmdline").replace(b"\0", b" ").strip() for pid in _pids())
    return Counter(line.decode(errors="replace") for line in lines)


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


@dataclass(frozen=True)
class Controller:
    """A controller with run folders and a store of its own; `child` is its first process."""

    folder: Path
    way: str
    words: tuple[str, ...]
    env: dict[str, object]
    child: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls,
        name: str,
        way: str,
        recipe: str,
        rack: Any,
        hosts: Iterable[str],
        *more: str,
        prefix: tuple[str, ...] = (),
        terminal: int | None = None,
        **env: object,
    ) -> Controller:
        """Run a recipe by the command, or by `ansible-playbook` alone, with the output in files or on a terminal."""
        folder = Path(name).absolute()
        folder.mkdir(exist_ok=True)
        words = ("-i", str(rack.inventory), "--limit", ",".join(hosts)) if rack else ()
        own = {
            "RACK_RECIPES_RUNS": folder / "runs",
            "RACK_RECIPES_DB": f"sqlite:///{folder}/results.db",
            **env,
            MARK: f"{folder}/",
        }
        command = {
            "rack-recipes": [sys.executable, "-c", COMMAND, "run", recipe],
            "ansible-playbook": ["ansible-playbook", "rack.recipes.run", "-e", f"recipe={recipe}"],
        }[way]
        with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
            leader = () if terminal is None else ("setsid", "--ctty")  # of a session with this terminal
            child = subprocess.Popen(
                [*leader, *HEARING, *prefix, *command, *words, *more],
                start_new_session=terminal is None,
                stdin=subprocess.DEVNULL if terminal is None else terminal,
                stdout=stdout if terminal is None else terminal,
                stderr=stderr if terminal is None else terminal,
                env=environment(**own),
            )
        return cls(folder, way, words, own, child)

    def said(self) -> str:
        """Return all output so far."""
        logs = (*self.folder.glob("std*"), *self.folder.glob("runs/*/*.log"))
        return "\n".join(path.read_text(errors="replace") for path in logs)

    def answer(self) -> dict[str, Any]:
        """What the command printed."""
        found: dict[str, Any] = json.loads((self.folder / "stdout").read_text())
        return found

    @property
    def journal(self) -> Path:
        """The run's journal."""
        return min(self.folder.glob("runs/*/journal.jsonl"))  # later ones go on from it

    @property
    def run_id(self) -> str:
        """The run's name."""
        return self.journal.parent.name

    def has_begun(self) -> bool:
        """Whether there is a run."""
        return any(b'"kind":"run"' in path.read_bytes() for path in self.folder.glob("runs/*/journal.jsonl"))

    def records(self) -> list[Record]:
        """The journal's records; none of them may be damaged in its middle."""
        return [line.record for line in JournalReader(self.journal).read() if line.record is not None]

    def ends(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Verdict and reason of each (step, host)."""
        found = Results()
        for record in self.records():
            if record["kind"] == "step":
                found.add(record)
        return {place: (end.verdict, end.reason) for place, end in found.ended.items()}

    def last(self) -> Record:
        """The record of the run's end."""
        return [record for record in self.records() if record["kind"] == "end"][-1]

    def stored(self) -> tuple[tuple[str, int], dict[tuple[str, str], str]]:
        """Status and exit code of the run in the store, and the verdicts there."""
        with closing(sqlite3.connect(self.folder / "results.db")) as store:
            runs = store.execute("SELECT status, exit_code FROM runs WHERE run_id = ?", [self.run_id]).fetchall()
            steps = store.execute("SELECT step, host, verdict FROM steps WHERE run_id = ?", [self.run_id]).fetchall()
        ((status, code),) = runs
        return (status, code), {(step, host): verdict for step, host, verdict in steps}

    def processes(self) -> list[int]:
        """Return its processes on the controller, without ssh's masters, which Ansible keeps for the next command."""
        marker = f"{MARK}={self.env[MARK]}".encode()
        mine = (pid for pid in _pids() if marker in _read(pid, "environ"))
        return [pid for pid in mine if b"[mux]" not in _read(pid, "cmdline")]

    def signal(self, number: int) -> None:
        """Send a signal to its first process, if it is still there."""
        self.child.send_signal(number)

    def ended(self) -> int:
        """Wait until it and all its processes have ended. Return its exit code as a shell gives it."""
        code = self.child.wait(PATIENCE)
        wait_for(f"the end of {self.processes()}", lambda: not self.processes(), 20)
        return code if code >= 0 else 128 - code

    def run(self, *more: object, **env: object) -> Done:
        """Run the command with the same run folders and store."""
        return rack_recipes(*more, **{**self.env, **env})

    def resumed(self, recipe: str, *more: object, **env: object) -> Done:
        """Go on from the run in the same way."""
        return self.run("run", recipe, "--json", "--resume", self.run_id, *self.words, *more, **env)

    def on_hosts(self) -> dict[Key, Record]:
        """Return the records of this run that the hosts still have. All hosts are this machine."""
        found = {}
        for path in self.stages():
            for line in _lines(path / "journal.jsonl"):
                record = decode(line)
                if record is not None:
                    found[key_of(record)] = record
        return found

    def stages(self) -> list[Path]:
        """The folders of this run's stages on its hosts."""
        bases = (Path(base, f"rack-recipes-{os.geteuid()}") for base in BASES)
        return [path for base in bases if base.is_dir() for path in base.glob(f"{self.run_id}-*")]

    def lost(self) -> list[Key]:
        """Return the records that hosts have sent, or still have, and that the journal does not have."""
        known = {key_of(record) for record in self.records()}
        return [key for key in self.on_hosts() if key[0] in ("step", "delta") and key not in known]


def key_of(record: Record) -> Key:
    """Return the key that identifies a record of a host."""
    return record["kind"], record.get("stage", 0), record.get("host", ""), record.get("n", 0)


def _lines(path: Path) -> list[bytes]:
    with suppress(FileNotFoundError):
        return [line for line in path.read_bytes().split(b"\n") if line.endswith(b"}")]
    return []
