# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checker of histories finds what it is for."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.tests.integration.server.histories import Seen, problems


def write(began: float, ended: float, version: int, value: object, based_on: int | None = None) -> Seen:
    return Seen("k", began, ended, version, value, is_write=True, based_on=based_on)


def read(began: float, ended: float, version: int, value: object) -> Seen:
    return Seen("k", began, ended, version, value, is_write=False)


KEPT = {"k": ["a", "b", "c"]}


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        ([write(0, 1, 1, "a"), write(2, 3, 2, "b", 1), read(4, 5, 3, "c")], []),
        ([write(0, 9, 2, "b"), write(0, 9, 1, "a"), read(1, 2, 3, "c"), read(0, 9, 1, "a")], []),
        ([read(0, 1, 0, None)], []),
        ([write(0, 1, 4, "d")], ["k: acknowledged write 'd' is not version 4 any more"]),
        ([write(0, 1, 2, "x")], ["k: acknowledged write 'x' is not version 2 any more"]),
        ([read(0, 1, 2, "x")], ["k: value that was read 'x' is not version 2 any more"]),
        ([write(0, 1, 3, "c", 1)], ["k: a write based on version 1 became version 3"]),
        ([write(0, 1, 2, "b"), read(2, 3, 1, "a")], ["k: read version 1 after version 2 had been seen"]),
        ([write(0, 1, 2, "b"), write(2, 3, 1, "a")], ["k: wrote version 1 after version 2 had been seen"]),
        ([read(0, 1, 2, "b"), write(2, 3, 2, "b")], ["k: wrote version 2 after version 2 had been seen"]),
        ([read(0, 1, 2, "b"), read(2, 3, 1, "a")], ["k: read version 1 after version 2 had been seen"]),
    ],
)
def test_a_history(seen, found):
    assert problems(seen, KEPT) == found


def test_a_value_that_was_written_twice():
    assert problems([], {"k": ["a", "b", "a"]}) == ["k: 'a' was written 2 times"]
