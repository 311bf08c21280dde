# SPDX-License-Identifier: GPL-3.0-or-later

"""What the recorder does to its process is undone."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from rack_recipes.run.processes import ENDING, FLUSH_SOON


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The handlers as before."""
    before = {number: signal.getsignal(number) for number in (*ENDING, FLUSH_SOON)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
