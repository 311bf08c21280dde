# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How this program starts a Python of its own, such as the command `rack-recipes`.

The working folder is not searched for modules: a file `json.py` there must not stand for Python's.
"""

from __future__ import annotations

import os
import sys

PYTHON = (sys.executable, "-P")
CALL = "from rack_recipes.cli.main import main; main()"
PATH = "PYTHONPATH"


def environment(*folders: str) -> dict[str, str]:
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
