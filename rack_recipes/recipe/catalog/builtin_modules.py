# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules and actions that come with Ansible itself, found without loading it."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from rack_recipes.errors import nearest

COLLECTION = "ansible.builtin"
FOLDERS = ("modules", "plugins/action")
MOVED = "config/ansible_builtin_runtime.yml"  # it names those that have moved to collections


def folder_of_ansible() -> Path | None:
    """The folder of the package ansible; None where it is not installed.

    The package ansible.modules is no way to it: in Ansible's own process it has no folder.
    """
    spec = find_spec("ansible")
    return next(map(Path, spec.submodule_search_locations or ()), None) if spec else None


@cache
def builtin_modules() -> tuple[str, ...]:
    """The full names of the modules and actions, sorted; empty where Ansible is not installed."""
    folder = folder_of_ansible()
    files = (file for name in FOLDERS for file in (folder / name).glob("[a-z]*.py")) if folder else ()
    return tuple(sorted({f"{COLLECTION}.{file.stem}" for file in files}))


def nearest_builtin(module: str) -> str:
    """The module or action of Ansible that was probably meant by a full name, empty for none."""
    start = f"{COLLECTION}."
    near = nearest(module.removeprefix(start), [name.removeprefix(start) for name in builtin_modules()])
    return f"{start}{near}" if near else ""


def is_missing_builtin(module: str) -> bool:
    """Whether a full name is one of Ansible's own, and there is no such module or action, nor has one moved."""
    if not module.startswith(f"{COLLECTION}.") or module in builtin_modules():
        return False
    folder = folder_of_ansible()
    if folder is None:
        return False
    moved = folder / MOVED
    name = re.escape(module.removeprefix(f"{COLLECTION}."))
    return not moved.is_file() or not re.search(rf"(?m)^ +{name}:", moved.read_text(encoding="utf-8"))
