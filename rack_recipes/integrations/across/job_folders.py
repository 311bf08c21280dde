# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders that ansible-runner sends to controllers: of a part, and of the small jobs before it and to stop it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rack_recipes.errors import UsageError
from rack_recipes.integrations.across.runner_pipe import Job
from rack_recipes.integrations.across.split_inventory import GROUP_VARS, HOST_VARS
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.run.processes import ECHO, PART, RUN_ID, STARTED_BY

MIB = 1024**2
LARGEST = 64 * MIB  # of a project, which is sent to each controller
PLAYBOOK = "rack-recipes-part.yml"
PYTHON = ["{{ ansible_playbook_python }}", "-P"]
VERSION = [*PYTHON, "-c", "from rack_recipes.version import VERSION; print(VERSION)"]
STOP = [*PYTHON, "-m", "rack_recipes.run.stop_by_id"]
OWN_STORE = "sqlite:///.rack-recipes/results.db"
RECORDER = "rack.recipes.recorder"


@dataclass(frozen=True, slots=True)
class PartJob:
    """What all parts of a run are sent.

    Without `has_own_store` the parts use the database that their settings name. `earlier` is the folder of the run that
    is resumed.
    """

    playbook: Path
    variables: Mapping[str, Any]
    arguments: Sequence[str]
    started_by: str
    has_own_store: bool = True
    earlier: Path | None = None


def command_job(folder: Path, argv: Sequence[str]) -> Job:
    """A job that runs a command on the controller itself."""
    task = {"name": "Ask", "ansible.builtin.command": {"argv": [*argv]}, "changed_when": False}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    _write(folder / "project" / PLAYBOOK, json.dumps([play]))
    return Job(folder, PLAYBOOK, "command")


def part_job(
    folder: Path, sent: PartJob, run_id: str, name: str, inventory: Mapping[str, Any], files: Sequence[Path]
) -> Job:
    """The job of a part with its run's id, its name and its inventory; it gets a copy of the project's `files`.

    Its run's folder is among what ansible-runner brings back.
    """
    project = folder / "project"
    make_private(project)
    for path in files:
        make_private((project / path).parent)
        shutil.copy2(path, project / path)
    shutil.copy2(sent.playbook, project / PLAYBOOK)
    runs = Path("..", "artifacts", run_id, "runs")
    environment = {
        RUN_ID: run_id,
        PART: name,
        ECHO: "1",
        STARTED_BY: sent.started_by,
        "RACK_RECIPES_RUNS": str(runs),
        "ANSIBLE_CALLBACKS_ENABLED": RECORDER,
        **({"RACK_RECIPES_DB": OWN_STORE} if sent.has_own_store else {}),
    }
    _write(folder / "inventory" / "hosts.json", json.dumps(inventory))
    _write(folder / "env" / "extravars", json.dumps(sent.variables))
    _write(folder / "env" / "cmdline", shlex.join(sent.arguments))
    _write(folder / "env" / "envvars", json.dumps(environment))
    if sent.earlier:
        shutil.copytree(sent.earlier, project / runs / sent.earlier.name)
    return Job(folder, PLAYBOOK, run_id)


def project_files(left_out: Collection[Path]) -> list[Path]:
    """The files of this folder that a controller needs: no hidden ones, no virtual environments.

    Nor those that are `left_out`, or in a folder that is; this folder itself never is.

    Raises UsageError where they are too large to be sent.
    """
    out = {path.resolve() for path in left_out}
    found = [*_files(Path(), out)]
    size = sum(path.stat().st_size for path in found)
    if size > LARGEST:
        largest = max(found, key=lambda path: path.stat().st_size)
        raise UsageError(
            f"--across sends the files of this folder to each controller, and they have {size // MIB} MiB, the largest "
            f"is {largest}: run it in a folder that has the project alone"
        )
    return found


def _files(folder: Path, out: Collection[Path]) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        path = folder / entry.name
        if entry.name.startswith(".") or entry.name == "__pycache__" or path.resolve() in out:
            continue
        is_elsewhere = entry.is_symlink() and str(path) not in (GROUP_VARS, HOST_VARS)  # these are often shared
        if entry.is_dir() and not (path / "pyvenv.cfg").exists() and not is_elsewhere:
            yield from _files(path, out)
        elif entry.is_file():
            yield path


def _write(path: Path, text: str) -> None:
    make_private(path.parent)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
