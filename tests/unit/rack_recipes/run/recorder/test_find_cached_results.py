# SPDX-License-Identifier: GPL-3.0-or-later

"""Cached results, from a real store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import delta, end, first, planned, step
from rack_recipes.errors import StoreError
from rack_recipes.journal.append import append
from rack_recipes.run.recorder import cached_results_and_waivers as module
from rack_recipes.run.recorder.cached_results_and_waivers import cached_offers
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing.import_journal import import_journal


def ago(seconds: float) -> str:
    moment = datetime.now(UTC) - timedelta(seconds=seconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


@pytest.fixture
def db(tmp_path: Path) -> str:
    """A store with one run, in which the step `a` had the cache key `numbers`."""
    begun = first(planned("a"), planned("b"), run_id="R0")
    begun["steps"][0]["cache_key"] = "numbers"
    path = tmp_path / "R0/journal.jsonl"
    results = [
        delta("a.key_v1", {"x": 1}),
        step("a", "r1", n=2, inputs="sha256:1", started=ago(100)),
        step("a", "r2", "failed", n=1, inputs="sha256:2", started=ago(100)),
        step("b", "r1", n=3, inputs="sha256:3", started=ago(100)),
    ]
    append(path, [begun, *results, end(passed=2, failed=1)])
    url = f"sqlite:///{tmp_path}/results.db"
    store = connect_store(url)
    import_journal(store, path)
    store.dispose()
    return url


def keyed(name: str, **fields: Any) -> Any:
    return planned(name, cache_key="numbers", **fields)


def test_a_result_is_offered_to_all_steps_with_its_key(db: str):
    found = cached_offers(db, [keyed("mine"), planned("other"), keyed("yours")])
    assert set(found) == {("mine", "r1"), ("yours", "r1")}
    [offer] = found["mine", "r1"]
    assert {name: offer[name] for name in ("run", "inputs", "verdict", "kind")} == {
        "run": "R0",
        "inputs": "sha256:1",
        "verdict": "passed",
        "kind": "cache",
    }
    assert [(record["kind"], record["step"]) for record in offer["records"]] == [("delta", "a"), ("step", "a")]
    assert offer["records"][0]["after"] == {"x": 1}


@pytest.mark.parametrize(("expires_sec", "hosts"), [(90.0, []), (1000.0, ["r1"]), (None, ["r1"])])
def test_a_result_may_be_too_old(db: str, expires_sec: float | None, hosts: list[str]):
    found = cached_offers(db, [keyed("a", expires_sec=expires_sec)])
    assert [host for _step, host in found] == hosts


def test_a_result_with_a_waived_instance_runs_again(tmp_path: Path):
    begun = first(planned("a"), run_id="R0")
    begun["steps"][0]["cache_key"] = "numbers"
    waived = {"verdict": "failed", "reason": "hot", "by": ["w1"]}
    results = [
        step("a[x]", "r1", "waived", n=1, parent="a", waived=waived, inputs="sha256:0", started=ago(9)),
        step("a[y]", "r1", "marginal", n=2, parent="a", inputs="sha256:0", started=ago(9)),
        step("a", "r1", "marginal", n=3, instances=2, inputs="sha256:1", started=ago(9)),
    ]
    append(tmp_path / "R0/journal.jsonl", [begun, *results, end(marginal=1)])
    url = f"sqlite:///{tmp_path}/results.db"
    store = connect_store(url)
    import_journal(store, tmp_path / "R0/journal.jsonl")
    store.dispose()
    assert cached_offers(url, [keyed("a")]) == {("a", "r1"): []}


def test_without_a_cache_key_the_store_is_not_opened():
    assert cached_offers("nonsense", [planned("a")]) == {}


def test_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with pytest.raises(StoreError):
        cached_offers("sqlite:////proc/no/such/folder.db", [keyed("a")])
