# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math

import numpy as np
import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import (
    Night,
    latency,
    run_id,
    store_nights,
)
from rack_recipes.analysis import value_and_write_history as module
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import load_run_data
from rack_recipes.analysis.value_and_write_history import gather_by_run, read_past_values
from rack_recipes.journal.append import append
from rack_recipes.store.writing.import_journal import import_journal

HOSTS = ["r1", "r2", "r3", "r10"]
TIME = "2026-11-01T22:00:00.000000Z"


def nights(number, shift_from=99, attributes=None):
    return [
        Night(
            {("copy", host): latency(10.0 + place + 0.1 * (night % 3) + (20 if night >= shift_from else 0))
             for place, host in enumerate(HOSTS)},
            context={("r1", "nic.temp_v1"): {"mean": 40 + night % 2}},
            attributes=attributes or {},
        )
        for night in range(number)
    ]  # fmt: skip


def of(store, last):
    return read_past_values(History(store, load_run_data(store, last)))


def test_each_class_of_hosts_has_a_line_of_medians(new_store, tmp_path):
    models = {host: {"model": "X1" if host == "r10" else "X2"} for host in HOSTS}
    found = of(new_store, store_nights(new_store, tmp_path, nights(3, attributes=models)))
    measured = [row for row in found.points if row["step"] == "copy"]
    assert [(row["line"], row["run_id"]) for row in measured] == [
        (line, run_id(night)) for line in ("model X2", "model X1") for night in (1, 2, 3)
    ]
    assert measured[0] == {
        "step": "copy", "name": "latency", "unit": "us", "key": None, "line": "model X2", "run_id": run_id(1),
        "started": TIME, "median": 11.0, "low": 10.0, "high": 12.0, "hosts": 3, "change": None,
    }  # fmt: skip
    assert (measured[3]["low"], measured[3]["high"], measured[3]["hosts"]) == (None, None, 1)


def test_numbers_of_the_context_have_lines_with_their_key(new_store, tmp_path):
    found = of(new_store, store_nights(new_store, tmp_path, nights(4)))
    own = [row for row in found.points if row["key"]]
    assert [(row["key"], row["name"], row["step"], row["line"]) for row in own][:1] == [
        ("nic.temp_v1", "nic.temp_v1.mean", None, "all hosts")
    ]
    assert [row["median"] for row in own] == [40, 41, 40, 41]


def test_two_runs_are_no_line_yet(new_store, tmp_path):
    assert of(new_store, store_nights(new_store, tmp_path, nights(2))).points == []


def test_changes_of_level_stand_at_their_run(new_store, tmp_path):
    found = of(new_store, store_nights(new_store, tmp_path, nights(14, shift_from=9)))
    told = {row["run_id"]: row["change"] for row in found.points if row["change"]}
    assert [*told] == [run_id(10)]
    assert told[run_id(10)].startswith("median of 4 hosts: from 11.6 to 31.")


def test_series_without_room_are_counted_and_never_cut(new_store, tmp_path, monkeypatch):
    last = store_nights(new_store, tmp_path, nights(4))
    monkeypatch.setattr(module, "MOST_POINTS", 5)
    found = of(new_store, last)
    assert len(found.points) == 4
    assert found.left_out == 1


def test_runs_without_a_value_are_left_out():
    runs = [{"run_id": f"R{n}", "started": None} for n in range(3)]
    values = np.array([[1.0, math.nan, 3.0], [math.nan, math.nan, 5.0]])
    assert gather_by_run(values, runs) == [("R0", "", 1.0, None, None, 1), ("R2", "", 4.0, 3.0, 5.0, 2)]


def write(n, host, key, value, origin=None):
    of = {"kind": "delta", "stage": 1, "n": n, "host": host or "r1", "step": "collect", "attempt": 1, "who": "collect"}
    scope = "host" if host else "run"
    return {**of, "scope": scope, "key": key, "after": value, "based_on": 0, "time": TIME, "origin": origin}


@pytest.fixture
def writes(new_store, tmp_path):
    journal = tmp_path / "W" / "journal.jsonl"
    recipe = {"path": "r.yml", "digest": "sha256:1", "test_id": "T"}
    steps = [{"name": "collect", "stage": 1, "idx": 1, "scope": "host", "hosts": ["r1", "r2"]}]
    append(journal, [
        {"kind": "run", "run": "W", "time": TIME, "recipe": recipe, "hosts": ["r1", "r2"], "steps": steps},
        write(1, "r1", "a.once_v1", 1), write(2, "r1", "b.often_v1", 1), write(3, "r1", "b.often_v1", {"x": 2}),
        {**write(1, "r2", "b.often_v1", 9)}, write(4, "r1", "b.often_v1", None),
        {"kind": "end", "time": TIME, "status": "passed", "exit_code": 0, "counts": {}},
    ])  # fmt: skip
    import_journal(new_store, journal)
    return load_run_data(new_store, "W")


def test_only_keys_that_were_written_again_have_writes(new_store, writes):
    found = read_past_values(History(new_store, writes)).writes
    assert [(row["key"], row["host"], row["version"], row["value"]) for row in found] == [
        ("b.often_v1", "r1", 1, 1), ("b.often_v1", "r1", 2, {"x": 2}), ("b.often_v1", "r1", 3, None),
    ]  # fmt: skip


def test_the_last_writes_have_room(new_store, writes, monkeypatch):
    monkeypatch.setattr(module, "MOST_POINTS", 2)
    found = read_past_values(History(new_store, writes))
    assert [row["version"] for row in found.writes] == [2, 3]
    assert found.writes_left_out == 1
