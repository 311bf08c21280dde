# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files are recipes, and which folder a recipe belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rack_recipes.settings import CONFIG

DROP_INS = "scriptlets"
INNER = "orchestrator"  # a project may have its scriptlets in orchestrator/scriptlets/


def project_of(path: Path, root: Path) -> Path:
    """The project of a file: the nearest folder above it with scriptlets or an ansible.cfg.

    If there is none up to `root`, it is `root`. For a file that is not below `root`, it is the folder of the file.
    """
    inside = path.is_relative_to(root)
    return next(filter(_is_project, _around(path, root)), root if inside else path.parent)


def _is_project(folder: Path) -> bool:
    """Whether a folder has an ansible.cfg or scriptlets; `orchestrator/` with scriptlets is a part of a project."""
    drop_ins = () if folder.name == INNER else (DROP_INS, f"{INNER}/{DROP_INS}")
    return any((folder / mark).exists() for mark in (CONFIG, *drop_ins))


def _around(path: Path, root: Path) -> Iterator[Path]:
    for folder in path.parents:
        yield folder
        if folder == root:
            return


def inventories_of(config: pytest.Config) -> tuple[str, ...]:
    """The inventories of the command line; paths are relative to the folder in which pytest was called."""
    folder = config.invocation_params.dir
    given: list[str] = config.getoption("rack_inventory")
    return tuple(str(folder / name) if (folder / name).exists() else name for name in given)
