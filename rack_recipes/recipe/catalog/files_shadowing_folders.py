# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds Python files that hide a folder: if `a.py` is beside the folder `a`, Python imports nothing from the folder."""

# Paths are plain strings here because a plan looks up a thousand of them.
# ruff: noqa: PTH118, PTH206

from __future__ import annotations

import os
from pathlib import Path

SUFFIX = ".py"


def hiding_file(folder: str, relative_path: str) -> str:
    """Return the path of the file that hides the file at `relative_path` in a folder, or an empty string."""
    parts = relative_path.split(os.sep)
    files = (os.sep.join((folder, *parts[:end])) + SUFFIX for end in range(1, len(parts)))
    return next(filter(os.path.isfile, files), "")


def hidden_folder(file: Path) -> Path | None:
    """Return the folder with Python files that a Python file hides, None if there is none. The file need not exist."""
    folder = file.with_suffix("")
    return folder if any(folder.rglob(f"*{SUFFIX}")) else None
