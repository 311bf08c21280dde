# SPDX-License-Identifier: GPL-3.0-or-later

"""How a Python of our own starts: it searches no working folder for modules.

A file `json.py` there must not stand for Python's. The command calls this before anything else, so only what Python has
imported already is imported here.
"""

from __future__ import annotations

import os
import sys

PYTHON = (sys.executable, "-P")
CALL = "from rack_recipes.cli.main import main; main()"
PATH = "PYTHONPATH"


def python_environment(*folders: str) -> dict[str, str]:
    """The environment of this process, for a Python that searches `folders` first.

    An empty part of PYTHONPATH, as a colon at its end leaves, stands for the working folder. It is left out.
    """
    path = os.pathsep.join(filter(None, (*folders, *_path())))
    return {**os.environ, PATH: path} if path else {name: os.environ[name] for name in os.environ if name != PATH}


def leave_working_folder() -> None:
    """Search the working folder for no more modules, if nothing names it but an empty part of PYTHONPATH."""
    named = _path()
    if "" in named and "." not in named:
        try:
            here = os.getcwd()  # noqa: PTH109 - pathlib takes long to import
        except FileNotFoundError:
            return
        sys.path[:] = [folder for folder in sys.path if folder in named or folder != here]


def _path() -> list[str]:
    return os.environ[PATH].split(os.pathsep) if os.environ.get(PATH) else []
