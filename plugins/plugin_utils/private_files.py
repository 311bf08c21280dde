# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and folders that only their owner may read: all that a run leaves behind."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils import file_descriptors

FILE_MODE, FOLDER_MODE = file_descriptors.FILE_MODE, file_descriptors.FOLDER_MODE


def make_private(folder: Path) -> None:
    """Make the folder and those above it that are missing, each for its owner alone. Raises OSError."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(FOLDER_MODE, exist_ok=True)
