# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from rack_recipes.web.page_source import PageSource


def test_what_is_made_of_a_run_is_made_once_when_it_has_ended(tmp_path):
    source, made = PageSource("sqlite:///none.db", tmp_path), list[int]()

    def make() -> list[int]:
        made.append(len(made))
        return [*made]

    ended = {"run_id": "R1", "ended": "2026-11-29", "counts": {"passed": 1}}
    assert [source.of_run(ended, "steps", make) for _twice in range(2)] == [[0], [0]]
    assert source.of_run({**ended, "counts": {"passed": 2}}, "steps", make) == [0, 1]
    assert source.of_run(ended, "rack", make) == [0, 1, 2]
    goes_on = {**ended, "ended": None}
    assert source.of_run(goes_on, "steps", make) != source.of_run(goes_on, "steps", make)
