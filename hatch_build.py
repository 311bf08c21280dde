# SPDX-License-Identifier: GPL-3.0-or-later

"""Hooks of the package's build: links that lead somewhere outside of the repository, and editable installs.

Pages of the repository link to each other by relative paths. What is published has only some of its files, so links to
the others become addresses.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

README = "README.md"
COLLECTION = "ansible_collections/rack/recipes"
REPOSITORY = "rack-recipes/rack.recipes"
PAGE, PICTURE = f"https://github.com/{REPOSITORY}/blob", f"https://raw.githubusercontent.com/{REPOSITORY}"
PICTURES = (".png", ".svg", ".webp")
RELATIVE = re.compile(r'(\]\(|\b(?:href|src|srcset)=")((?!\w+:)[^#)"\s]+)')


def with_addresses(text: str, page: str, ref: str, is_there: Callable[[str], bool] = lambda _path: False) -> str:
    """Return the Markdown of a page in the repository with addresses, at a tag or branch, in place of relative links.

    Links to what is_there, a function of the path in the repository, stay.
    """

    def addressed(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), found[2]))
        base = PICTURE if path.endswith(PICTURES) else PAGE
        return found[0] if is_there(path) else f"{found[1]}{base}/{ref}/{path}"

    return RELATIVE.sub(addressed, text)


class PackagePage(MetadataHookInterface):
    """Makes README.md the text of the package's page."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Give the README addresses at the tag of the version."""
        text = Path(self.root, README).read_text(encoding="utf-8")
        text = with_addresses(text, README, f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


class Collection(BuildHookInterface[Any]):
    """Gives the collection's pages in a wheel addresses, and points an editable wheel to the checkout.

    Python and Ansible both search every folder of sys.path for `ansible_collections/rack/recipes`. A checkout may lie
    anywhere, under any name, so the .pth file of an editable install names a folder outside of it that holds nothing
    but a link with that path, and one to the package rack_recipes.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Act on wheels only; an editable one must hold no files."""
        if self.target_name != "wheel":
            return
        root = Path(self.root).resolve()
        if version == "editable":
            self.build_config.target_config["dev-mode-dirs"] = [str(link_checkout(root))]
            self.build_config.target_config["force-include"] = {}
            return
        self._pages = tempfile.TemporaryDirectory()
        for path in (root / README, *root.glob(f"roles/*/{README}")):
            page = path.relative_to(root).as_posix()
            made = Path(self._pages.name, page.replace("/", "-"))
            text = with_addresses(path.read_text(encoding="utf-8"), page, f"v{self.metadata.version}")
            made.write_text(text, encoding="utf-8")
            build_data["force_include"][str(made)] = f"{COLLECTION}/{page}"


def link_checkout(root: Path) -> Path:
    """Make the folder for the checkout at `root`, the same one each time, and return it."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    folder = data / "rack-recipes" / hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    _link(folder / COLLECTION, root)
    _link(folder / "rack_recipes", root / "rack_recipes")
    return folder


def _link(link: Path, target: Path) -> None:
    if not (link.is_symlink() and link.readlink() == target):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target, target_is_directory=True)
