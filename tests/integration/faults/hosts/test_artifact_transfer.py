# SPDX-License-Identifier: GPL-3.0-or-later

"""Attached files arrive complete on the controller, even if the connection is cut in the middle of a file."""

from __future__ import annotations

import csv
import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

import reliability_sweeps
from call_rack_recipes import Done, answer, called_here, rack_recipes, results, run_recipe, shell, write_recipe

SIZE = 5_000_000
DATA = random.Random(7).randbytes(SIZE)
DIGEST = hashlib.sha256(DATA).hexdigest()
PIECE = 4 * 2**20  # bytes that come in one answer
CAPTURE = f'''"""Leaves a capture."""

import random

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Capture(Scriptlet):
    """Attaches a large file, the same on each host."""

    writes = ("a.capture_v1",)

    def run(self, ctx, params):
        with open("capture.bin", "wb") as file:
            file.write(random.Random(7).randbytes({SIZE}))
        ctx.set("a.capture_v1", ctx.attach("capture.bin", "capture.bin", "application/octet-stream")["sha256"])
'''
NOTE = """#!/bin/sh
mkdir notes
echo "$RACK_HOST was here" >notes/note.txt
echo '{"status": "ok", "artifacts": [{"name": "note.txt", "path": "notes/note.txt", "media_type": "text/plain"}]}'
"""
# A host's Python that kills its own ssh session when it is asked for the rest of a file: each stage once, or always.
CUT = """#!{python} -S
import json, os, signal, subprocess, sys

def session(pid):
    while True:
        with open("/proc/%d/stat" % pid) as file:
            name, _end, rest = file.read().partition("(")[2].rpartition(")")
        if name.startswith("sshd"):
            return pid
        pid = int(rest.split()[1])

data = sys.stdin.buffer.read()
head, _newline, rest = data.partition(b"\\n")
message = json.loads(rest[: int(head.split()[0])])
if "artifacts" in message:
    with open("{folder}/asked", "a") as log:
        log.write(json.dumps([message["id"], message["artifacts"]]) + "\\n")
    once = "{folder}/" + message["id"]
    if max(offset for _digest, offset in message["artifacts"]):
        if os.path.exists("{folder}/always") or not os.path.exists(once):
            open(once, "w").close()
            os.kill(session(os.getpid()), signal.SIGKILL)
            sys.exit(1)
sys.exit(subprocess.run([sys.executable, *sys.argv[1:]], input=data).returncode)
"""


@pytest.fixture
def recipe(project: Path) -> str:
    """A recipe of which each host leaves a large file and a small text."""
    folder = project / "scriptlets" / "a"
    folder.mkdir(parents=True)
    (folder / "capture.py").write_text(CAPTURE)
    (folder / "note.sh").write_text(NOTE)
    (folder / "note.yml").write_text("description: Leaves a note\nreads: []\nwrites: []\n")
    capture = {"name": "capture", "module": "a.capture", "success": {"ctx_has_keys": ["a.capture_v1"]}}
    return write_recipe([capture, {**shell("note"), "module": "a.note"}])


class Cutting:
    """What the hosts' Python notes down, and is told."""

    def __init__(self, folder: Path, rack: Any) -> None:
        self.folder = folder / "cutting"
        self.folder.mkdir()
        self.python = self.folder / "python3"
        self.python.write_text(CUT.format(python=rack.members["r01"].python, folder=self.folder))
        self.python.chmod(0o755)
        self.inventory = rack.inventory

    def run(self, recipe: str, *options: str, **env: object) -> Done:
        python = f"ansible_python_interpreter={self.python}"
        return run_recipe(recipe, "-e", python, *options, on=self, hosts="r01,r02", **env)

    def offsets(self) -> list[list[int]]:
        """From where on each stage was asked for the large file, stage by stage."""
        found: dict[str, list[int]] = {}
        for line in (self.folder / "asked").read_text().splitlines():
            stage, wanted = json.loads(line)
            found.setdefault(stage, []).extend(offset for digest, offset in wanted if digest == DIGEST)
        return list(found.values())


def attached(run_id: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The artifacts of a run as `show` tells them, by name and host."""
    rows = answer("show", run_id)["artifacts"]
    return {(row["name"], row["host"]): row for row in rows}


def kept(run_id: str) -> dict[str, bytes]:
    """The files of a run, by the names that they lie under."""
    folder = Path(".rack-recipes/runs", run_id, "artifacts")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_connection_that_is_cut_in_the_middle_of_a_file(recipe: str, rack: Any, project: Path):
    with reliability_sweeps.sweep(
        "host: connection cut in the middle of an artifact", "it goes on where it was, digest equal"
    ) as made:
        cutting = Cutting(project, rack)
        done = cutting.run(recipe)
        assert done.code == 0, done.stderr
        run_id = done.answer["run_id"]
        assert cutting.offsets() == [[0, PIECE, PIECE]] * 2
        notes = {host: f"{host} was here\n".encode() for host in ("r01", "r02")}
        digests = {host: hashlib.sha256(note).hexdigest() for host, note in notes.items()}
        assert kept(run_id) == {DIGEST: DATA, **{digests[host]: notes[host] for host in notes}}
        found, context = attached(run_id), results(run_id).context
        for host in notes:
            row, note = found["capture.bin", host], found["note.txt", host]
            assert (row["path"], row["size"], row["note"]) == (f"artifacts/{DIGEST}", SIZE, None)
            assert (note["path"], note["sha256"]) == (f"artifacts/{digests[host]}", digests[host])
            assert context["a.capture_v1", host] == DIGEST
        assert not Path(".rack-recipes/runs", run_id, "partial").exists()
        made.done = 2
    assert f"capture.bin  capture  r01   5,000,000 B  artifacts/{DIGEST}" in called_here("show")[0]
    report = rack_recipes("report", "--format", "csv", "--format", "md", "--full", "--to", "report")
    assert report.code == 0, report.stderr
    with Path("report/csv/artifacts.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = [(row["host"], row["name"], row["sha256"]) for row in csv.DictReader(file)]
    assert rows == [
        (host, name, one["sha256"]) for host in notes for (name, at), one in sorted(found.items()) if at == host
    ]
    assert "note\\.txt" in Path("report/report-full.md").read_text(encoding="utf-8")


def test_a_file_that_never_comes_is_named_and_can_be_had_later(recipe: str, rack: Any, project: Path):
    cutting = Cutting(project, rack)
    always = cutting.folder / "always"
    always.touch()
    done = cutting.run(recipe, RACK_RECIPES_RECONNECT_TIMEOUT=2)
    run_id = done.answer["run_id"]
    assert (done.code, done.answer["status"]) == (0, "ok"), done.stderr
    said = " ".join(done.stderr.split())
    found = attached(run_id)
    for host in ("r01", "r02"):
        missing = found["capture.bin", host]
        assert missing["path"] is None
        assert missing["note"].startswith("lost, and not back within 2 s: ")
        assert f"artifact capture.bin of step capture on {host} is missing: lost, and not back within 2 s" in said
    assert "missing: lost, and not back" in called_here("show")[0]
    always.unlink()
    done = cutting.run(recipe, "--resume", run_id)
    assert done.code == 0, done.stderr
    answer("flush", run_id)
    assert kept(run_id)[DIGEST] == DATA
    assert {row["path"] is None for row in attached(run_id).values()} == {False}
    assert cutting.offsets()[0][-1] == PIECE  # it went on where it was
