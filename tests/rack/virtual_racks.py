# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual racks for tests, and the recipes and scriptlets that we ship, in a project of a test."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from call_rack_recipes import CHECKOUT
from rack_recipes.lab.rack_state import RackState
from rack_recipes.lab.start_rack import down, up
from rack_recipes.lab.topology import build

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a virtual rack")
PATIENCE = 60.0  # seconds until something must be so


@contextmanager
def virtual_rack(
    folder: Path, spines: int = 2, leaves: int = 4, servers: int = 8, *, with_bmcs: bool | None = None
) -> Iterator[RackState]:
    """A rack that ends with the block; its leaves know all ways."""
    try:
        yield up(build(spines, leaves, servers), folder, with_bmcs=with_bmcs)
    finally:
        down(folder)


def wait_until(holds: Callable[[], object]) -> None:
    """Wait until something in a rack has become so."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, "it does not become so"
        time.sleep(0.1)


def copy_recipes(project: Path) -> None:
    """Copy our recipes and scriptlets into a project."""
    for name in ("recipes", "scriptlets"):
        shutil.copytree(CHECKOUT / name, project / name)
