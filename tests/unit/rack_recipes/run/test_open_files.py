# SPDX-License-Identifier: GPL-3.0-or-later

"""The limit of open files is raised as far as connections need, and these are as many as it allows."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from rack_recipes.run.open_files import connections_within
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(connections_within(wanted), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "connections", "raised"),
    [
        (1024, 4096, 32, 32, False),  # programs here inherit the limit, so it is left where it suffices
        (256, 4096, 512, 512, True),
        (256, 1024, 512, 150, True),
        (80, 80, 512, 1, False),
    ],
)
def test_connections(soft: int, hard: int, wanted: int, connections: int, raised: bool):
    words = [sys.executable, "-c", PROGRAM, *map(str, (soft, hard, wanted))]
    done = subprocess.run(words, check=True, capture_output=True, text=True, env={**os.environ})
    found, limit = map(int, done.stdout.split())
    assert found == pytest.approx(connections, abs=10)
    assert found <= wanted
    assert (limit > soft) is raised
    assert limit <= hard
