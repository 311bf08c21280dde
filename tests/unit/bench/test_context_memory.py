# SPDX-License-Identifier: GPL-3.0-or-later

"""What it measures is in tests/integration/soak/test_speed.py::test_a_million_deltas."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.tests.bench import context_memory


def test_the_figures_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    context_memory.main(200, 100)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("200 deltas of 100 live keys in ")
    assert lines[1].endswith(" bytes beside its value's text, at most 400")
