# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context server of a run: a process that begins with the run, and ends by itself when the run is over."""

from __future__ import annotations

import os
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from rack_recipes.collection_path import ROOT
from rack_recipes.errors import UsageError
from rack_recipes.private_files import FILE_MODE
from rack_recipes.run.current_run import Run
from rack_recipes.run.own_command import CALL, PYTHON, environment

SOCKET, LOG = "ctx.sock", "server.log"
LONGEST_PATH = 107  # bytes of a socket's path; see unix(7)
NEEDED = ("starlette", "uvicorn")


def check_packages() -> None:
    """Raise UsageError if the packages of the server are not installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise UsageError(
            f"--serve needs the Python packages {', '.join(missing)}: `pip install 'rack-recipes[server]'` brings them"
        )


def start(run: Run) -> None:
    """Start it, and do not wait: it is needed by steps on the live bus alone, and these wait for it."""
    (run.folder / LOG).touch(FILE_MODE)
    options = ["serve", "--run", run.run_id, "--with-run", "--socket", str(_socket(run.folder))]
    with (run.folder / LOG).open("ab") as log:
        subprocess.Popen(
            [*PYTHON, "-c", CALL, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**environment(ROOT), "RACK_RECIPES_RUNS": str(run.folder.parent.absolute())},
            start_new_session=True,  # an interrupt at the terminal must not end it before the steps
        )


def _socket(folder: Path) -> Path:
    """The socket for other programs: in the run's folder, unless its path is too long for a socket."""
    path = folder / SOCKET
    return path if len(os.fsencode(path)) <= LONGEST_PATH else Path(tempfile.mkdtemp(prefix="rack-recipes-")) / SOCKET
