# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets `pip install -e .` give Python and Ansible this checkout as the collection rack.recipes.

Both search every folder of sys.path for `ansible_collections/rack/recipes`. A checkout may lie anywhere, under
any name, so an editable install names a folder outside of it that holds nothing but a link with that path, and one
to the package rack_recipes.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EditableCollection(BuildHookInterface[Any]):
    """Points an editable install's .pth file to a folder in which the checkout is a collection."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Act on editable wheels only; the others hold the files themselves, and an editable one must hold none."""
        if self.target_name == "wheel" and version == "editable":
            self.build_config.target_config["dev-mode-dirs"] = [str(link_checkout(Path(self.root).resolve()))]
            self.build_config.target_config["force-include"] = {}


def link_checkout(root: Path) -> Path:
    """Make the folder for the checkout at `root`, the same one each time, and return it."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    folder = data / "rack-recipes" / hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    _link(folder / "ansible_collections" / "rack" / "recipes", root)
    _link(folder / "rack_recipes", root / "rack_recipes")
    return folder


def _link(link: Path, target: Path) -> None:
    if not (link.is_symlink() and link.readlink() == target):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target, target_is_directory=True)
