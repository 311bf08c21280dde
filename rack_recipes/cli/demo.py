# SPDX-License-Identifier: GPL-3.0-or-later

"""The command demo: two of our recipes on hosts of its own, with their reports."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.cli.running.run_end_summary import shown_reports
from rack_recipes.errors import UsageError
from rack_recipes.lab.loopback_hosts import find_programs, inventory_of, ssh_hosts
from rack_recipes.recipe.recipe_names import file_of
from rack_recipes.run.start_python import CALL, PYTHON, python_environment

HOSTS = 6
RECIPES = ("rack.recipes.host_inventory", "rack.recipes.numbers")
NUMBERS = Path("data/numbers.csv")  # what the second recipe reads
INVENTORY = "hosts.json"
HERE = {"here": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}


@takes(
    """
    [FOLDER]  where the runs and their reports go (default: rack-recipes-demo)
    examples:
    rack-recipes demo
    rack-recipes demo /tmp/demo
    """
)
def demo(options: argparse.Namespace) -> Answer:
    """Run two of our recipes, and write their reports: what a host is made of, and numbers in a file.

    They run on six SSH hosts that the demo starts at loopback addresses, and on this machine; without sshd on this
    machine alone. It needs no root and no project, and leaves nothing but its folder.
    """
    folder = Path(options.folder or "rack-recipes-demo")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: expected a folder, or a new one")
    (folder / NUMBERS).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file_of(RECIPES[1]).parents[1] / NUMBERS, folder / NUMBERS)
    with _hosts(folder):
        runs = {recipe: _run(recipe, folder) for recipe in RECIPES}
    code = next((code for code, _answer in runs.values() if code), 0)
    if options.json:
        return {"status": "failed" if code else "ok", "runs": [answer for _code, answer in runs.values()]}, code
    return "".join(_told(folder, runs)), code


@contextmanager
def _hosts(folder: Path) -> Iterator[None]:
    """Hosts for the block, with their inventory in the folder. SIGTERM ends them, too."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    programs = find_programs()
    if not programs:
        sys.stderr.write("there is no sshd here, so the demo has this machine alone\n")
        (folder / INVENTORY).write_text(inventory_of(HERE), encoding="utf-8")
        yield
        return
    with ssh_hosts(HOSTS, programs) as hosts:
        (folder / INVENTORY).write_text(inventory_of({**hosts, **HERE}), encoding="utf-8")
        yield


def _run(recipe: str, folder: Path) -> tuple[int, dict[str, Any]]:
    """Run a recipe in the folder; the exit code and the answer."""
    words = ["run", recipe, "-i", INVENTORY, "--report"]
    sys.stderr.write(f"$ rack-recipes {' '.join(words)}\n")
    sys.stderr.flush()
    command = [*PYTHON, "-c", CALL, *words]
    ended = subprocess.run(
        command, cwd=folder, env=python_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
    )
    return ended.returncode, json.loads(ended.stdout)


def _told(folder: Path, runs: dict[str, tuple[int, dict[str, Any]]]) -> Iterator[str]:
    for recipe, (_code, answer) in runs.items():
        yield f"{recipe}: {answer['status']}\n"
        yield from (f"  {folder}/{path}\n" for path in shown_reports(answer.get("report", ())))
    name = "rack-recipes"
    command = name if shutil.which(name) else shlex.quote(str(Path(PYTHON[0]).with_name(name)))
    yield f"see also: cd {folder} && {command} show; on your own hosts: {command} new project lab\n"
