# SPDX-License-Identifier: GPL-3.0-or-later

"""Leave out what repeats: `make soak` runs it, `make test` does not. RACK_SOAK=1 runs all in a pytest of your own.

@pytest.mark.repeats             another test shows the same in another place
@pytest.mark.repeats(one_in=3)   of the cases of this test every third runs always, the others in `make soak`
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

# Tests of code for shells, awk and C, and of what takes long and is arithmetic in each Python.
OF_NO_PYTHON = frozenset({"script_library", "test_cuts.py", "test_graph.py"})
MARK = "repeats(one_in=N): shows what another test shows; `make soak` runs all, `make test` one case in N"


def leave_out(config: pytest.Config, items: list[pytest.Item], *, is_other_python: bool = False) -> None:
    """Deselect what repeats, except in `make soak`; and where another Python is tried, what tests none."""
    if "RACK_SOAK" in os.environ:
        return
    left_out = set(_repeating(items))
    if is_other_python:
        left_out.update(item for item in items if OF_NO_PYTHON.intersection(item.path.parts))
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def _repeating(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    """Find the tests, in the order of their cases, that show nothing new."""
    cases: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker("repeats")
        if mark:
            place = cases[item.nodeid.partition("[")[0]]
            cases[item.nodeid.partition("[")[0]] += 1
            if "one_in" not in mark.kwargs or place % mark.kwargs["one_in"]:
                yield item
