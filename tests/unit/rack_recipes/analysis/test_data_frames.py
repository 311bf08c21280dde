# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys

import pytest

from rack_recipes.analysis.data_frames import make_run_frames
from rack_recipes.analysis.run_data import RunData
from rack_recipes.errors import UsageError


def step(host="r1", name="one", **fields):
    return {"host": host, "step": name, "stage": 1, "idx": 1, "verdict": "passed", **fields}


def test_an_instance_has_its_planned_step():
    steps = [step(name="port[eth10]", parent="port"), step(name="port[eth2]", parent="port"), step(name="port")]
    frame = make_run_frames(RunData(run={}, steps=steps)).results
    assert frame["step"].tolist() == ["port", "port[eth2]", "port[eth10]"]
    assert frame["planned"].tolist() == ["port"] * 3


@pytest.mark.parametrize("name", ["flake", "rounds", "hooks", "attempts"])
def test_a_column_that_is_missing_says_nothing(name):
    assert make_run_frames(RunData(run={}, steps=[step()])).results[name].tolist() == [None]


def test_whole_numbers_stay_whole_beside_missing_ones():
    frame = make_run_frames(RunData(run={}, steps=[step(tries=1), step("r2", tries=None)])).results
    assert str(frame["tries"].dtype) == "Int64"
    assert frame["tries"].isna().tolist() == [False, True]


def test_unknown_columns_are_left_out():
    assert "colour" not in make_run_frames(RunData(run={}, steps=[step(colour="blue")])).results


def test_hosts_and_steps_that_have_no_result_are_known_too():
    context = [{"key": "a_v1", "host": "r9", "step": "other", "version": 1, "value": None}]
    parts = make_run_frames(RunData(run={}, steps=[step()], context=context))
    assert list(parts.results["host"].cat.categories) == ["r1", "r9"]
    assert parts.context["step"].tolist() == ["other"]


def test_a_measurement_has_its_value_and_that_as_a_number():
    rows = [{"host": "r1", "step": "one", "n": n, "name": "m", "value": value} for n, value in enumerate((3, "3"))]
    frame = make_run_frames(RunData(run={}, measurements=rows)).measurements
    assert frame["value"].tolist() == [3, "3"]
    assert str(frame["number"].dtype) == "float64"
    assert frame["number"].fillna(-1).tolist() == [3.0, -1]


def test_a_run_without_rows():
    parts = make_run_frames(RunData(run={"run_id": "r"}))
    assert [len(frame) for frame in (parts.results, parts.measurements, parts.context, parts.conflicts)] == [0] * 4


def test_where_pandas_is_missing_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"the data cannot be read: .*pandas.*: `pip install rack-recipes` brings it"):
        make_run_frames(RunData(run={}, steps=[step()]))
