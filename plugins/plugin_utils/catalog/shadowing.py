# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python files that hide a folder: of `a.py` and `a/` beside it, Python imports the file, and nothing of the folder."""

# A plan asks for a thousand paths, so they are text here.
# ruff: noqa: PTH118, PTH206

from __future__ import annotations

import os
from pathlib import Path

SUFFIX = ".py"


def hiding_file(folder: str, relative_path: str) -> str:
    """The file that hides the one at `place` in a folder of drop-ins from Python, empty where none does."""
    parts = relative_path.split(os.sep)
    files = (os.sep.join((folder, *parts[:end])) + SUFFIX for end in range(1, len(parts)))
    return next(filter(os.path.isfile, files), "")


def hidden_folder(file: Path) -> Path | None:
    """The folder that a Python file, there or not yet, hides; None where it has no Python files in it."""
    folder = file.with_suffix("")
    return folder if any(folder.rglob(f"*{SUFFIX}")) else None
