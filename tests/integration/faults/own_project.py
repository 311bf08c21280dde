# SPDX-License-Identifier: GPL-3.0-or-later

"""A project for a run that several tests look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPTLETS = Path(__file__).parents[1] / "run" / "cases" / "scriptlets"
SETTINGS = "[defaults]\ncallbacks_enabled = rack.recipes.recorder\nhost_key_checking = false\n"


@contextmanager
def own_project(folder: Path, *scriptlets: Path, settings: str = "") -> Iterator[None]:
    """A project in this folder, which is the working folder meanwhile, with the scriptlets of whole runs and these."""
    shutil.copytree(SCRIPTLETS, folder / "scriptlets")
    for each in scriptlets:
        shutil.copytree(each, folder / "scriptlets" / each.name)
    (folder / "ansible.cfg").write_text(SETTINGS + settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield
