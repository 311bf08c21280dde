# SPDX-License-Identifier: GPL-3.0-or-later

"""Import the files of this collection from Python's cache of bytecode, in processes of Ansible.

Ansible's loader of collections compiles each file in each process, which takes 0.05 s of CPU of every run. With the
finder below Python loads them as it loads all others: compiled once, and kept in `__pycache__`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

OURS = "ansible_collections.rack.recipes.plugins."


class BytecodeFinder:
    """Finds modules of this collection for `import`; see importlib.abc.MetaPathFinder.

    Packages, other collections and names without a file here, such as redirected ones, stay with Ansible.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how to load the file of a module, or None where the name is none of ours."""
        if path and name.startswith(OURS):
            for folder in path:
                file = Path(folder, f"{name.rpartition('.')[2]}.py")
                if file.is_file():
                    return spec_from_file_location(name, file)
        return None


def import_cached_bytecode() -> None:
    """Ask that finder right before Ansible's; what is asked before Ansible's stays before it. No Ansible, no change."""
    if BytecodeFinder in sys.meta_path:
        return
    for place, finder in enumerate(sys.meta_path):
        if type(finder).__module__.startswith("ansible."):
            sys.meta_path.insert(place, BytecodeFinder)
            return
