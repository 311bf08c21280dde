# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest

from rack_recipes.run.processes import RUN_ID, chosen_run_id, new_run_id


def test_a_new_id_sorts_by_time_and_meets_no_other():
    ids = [new_run_id() for _other in range(100)]
    assert len({*ids}) == 100
    assert all(re.fullmatch(r"20\d{6}-\d{6}-[0-9a-f]{6}", run_id) for run_id in ids)
    assert [run_id[:15] for run_id in ids] == sorted(run_id[:15] for run_id in ids)


def test_the_command_chooses_the_id(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(RUN_ID, "mine")
    assert chosen_run_id() == "mine"
    monkeypatch.setenv(RUN_ID, "")
    assert chosen_run_id() not in ("", "mine")
