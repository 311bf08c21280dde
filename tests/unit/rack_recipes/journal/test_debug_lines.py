# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import log
from rack_recipes.journal.record_fields import log_record_lines


@pytest.mark.parametrize(
    ("text", "host", "lines"),
    [
        ("key: 1", "r1", ["12:00:00.000 R1 a@r1 set: key: 1"]),
        ("one\ntwo\n", "r1", ["12:00:00.000 R1 a@r1 set: one", "12:00:00.000 R1 a@r1 set: two"]),
        ("", "", ["12:00:00.000 R1 a@run set: "]),
    ],
)
def test_each_line_says_where_it_is_from(text: str, host: str, lines: list[str]):
    assert log_record_lines(log("set", text, host), "R1") == lines
