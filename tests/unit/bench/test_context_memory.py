# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.tests.bench import context_memory


def test_what_a_live_key_costs_and_what_versions_add() -> None:
    found = context_memory.measure(deltas=12_000, keys=1_000)
    assert (found.deltas, found.keys) == (12_000, 1_000)
    assert found.a_key < context_memory.MOST
    assert found.growth < context_memory.ALLOWANCE


def test_the_figures_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    context_memory.main(200, 100)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("200 deltas of 100 live keys in ")
    assert lines[1].endswith(" bytes beside its value's text, at most 400")
