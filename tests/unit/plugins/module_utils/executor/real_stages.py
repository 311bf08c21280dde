# SPDX-License-Identifier: GPL-3.0-or-later

"""Run real stages in tests: with real child processes, in a working folder of their own."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.executor.child import sandbox
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import StageRun
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet

DEFAULTS = {
    "args": {},
    "options": None,
    "reads": None,
    "depends_on": [],
    "after": [],
    "scope": "host",
    "timeout": None,
    "parallel": False,
    "success": {"none": True},
}
OK = 'echo \'{"status":"ok"}\'\n'


class Pass(Scriptlet):
    """What passes."""

    def run(self, ctx, params):
        pass


class Fail(Scriptlet):
    """What fails."""

    def run(self, ctx, params):
        raise Failed("too hot")


def step(name, **fields):
    """One step of a request."""
    return {**DEFAULTS, "name": name, **fields}


def python(scriptlet, name="", **fields):
    """A step that runs a class of the test."""
    return step(name or scriptlet.__name__, kind="python", **{"class": scriptlet}, **fields)


def does(statement):
    """A class whose `run` does `statement`."""
    names = {"Failed": Failed, "os": os, "resource": resource, "signal": signal, "sys": sys}
    exec(f"def run(self, ctx, params):\n    {statement}\n", names)
    return type("Probe", (Scriptlet,), {"run": names["run"]})


def request(*steps, own=None, run=None, hosts=None, **fields):
    """A stage of these steps; `own`, `run` and `hosts` are the context, as values or as [version, value]."""
    context = {"own": own or {}, "run": run or {}, "hosts": hosts or {}}
    whole = {
        "run": "run1",
        "stage": 1,
        "host": "r1",
        "slots": 4,
        "settled": {},
        "steps": list(steps),
        "context": context,
    }
    return {**whole, **fields}


def no_sandbox():
    """Return why this machine cannot make a sandbox; an empty text if it can."""
    try:
        start = sandbox.box({}, "/")
    except ValueError as error:
        return str(error)
    done = subprocess.run([*start, "true"], stderr=subprocess.PIPE, check=False)
    return done.stderr.decode().strip()


class Ran:
    """The records of a stage that has run."""

    def __init__(self, records, told=()):
        self.told = list(told)  # apart from the records
        self.records = json.loads(json.dumps(records))  # as the journal has them
        self.steps = {record["step"]: record for record in self.records if record["kind"] == "step"}
        self.deltas = [record for record in self.records if record["kind"] == "delta"]
        self.verdicts = {name: record["verdict"] for name, record in self.steps.items()}
        self.reasons = {name: record["reason"] for name, record in self.steps.items()}

    @property
    def only(self):
        """The record of the only step."""
        (record,) = self.steps.values()
        return record

    @property
    def attempt(self):
        """The only attempt of the only step."""
        (attempt,) = self.only["attempts"]
        return attempt

    @property
    def outcome(self):
        """Verdict and reason of the only step."""
        return self.only["verdict"], self.only["reason"]


class Work:
    """A working folder, and the folder of compiled programs beside it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.cache = self.folder.parent / "programs"
        self.artifacts = self.folder.parent / "artifacts"
        self.cache.mkdir()

    def script(self, text, name="script", file="", **fields):
        """A step that runs a shell script, or what its first line says."""
        path = self.folder / (file or f"{name}.sh")
        path.write_text(text)
        return step(name, kind="shell", file=path.name, **fields)

    def source(self, text, name="program", digest="sha256:1", **fields):
        """A step that compiles and runs a C source."""
        (self.folder / f"{name}.c").write_text(text)
        return step(name, kind="native", file=f"{name}.c", digest=digest, **fields)

    def launcher(self, whole):
        return Launcher(whole, str(self.folder), str(self.cache), str(self.artifacts))

    def run(self, *steps, alive=lambda: True, halts=str, **fields):
        """Run a stage to its end."""
        records = []
        whole = request(*steps, **fields)
        launcher = self.launcher(whole)
        StageRun(whole, launcher, records.append, alive, halts).run()
        return Ran(records, launcher.secrets.entries)


def children_of(pid):
    """The processes whose parent is `pid`, zombies too, without the servers that other tests have started."""
    found = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [each for each in found if b"service_supervisor" not in _command_line(each)]


def _command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_alive(pid):
    """Whether a process runs, and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")


def has_died(pid, seconds=60):
    """Whether a process ends within some seconds."""
    until = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not is_alive(pid)


def open_files():
    """How many file descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))


def wait_for(condition, seconds=60):
    """What `condition` returns, as soon as that is true."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found
