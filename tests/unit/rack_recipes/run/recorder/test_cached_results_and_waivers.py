# SPDX-License-Identifier: GPL-3.0-or-later

"""Cached results, from a real store."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import (
    delta,
    end,
    first,
    planned,
    step,
    store,
)
from rack_recipes.errors import StoreError, TrustError, UsageError
from rack_recipes.journal.append import append
from rack_recipes.recipe.waiver_file import read_waivers
from rack_recipes.run.recorder import cached_results_and_waivers as module
from rack_recipes.run.recorder.cached_results_and_waivers import cached_offers, find_waivers
from rack_recipes.run.recorder.play_outline import PlayOutline
from rack_recipes.settings import Settings

pytestmark = pytest.mark.usefixtures("own_folder")


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
    store(url, path)
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
    store(url, tmp_path / "R0/journal.jsonl")
    assert cached_offers(url, [keyed("a")]) == {("a", "r1"): []}


def test_without_a_cache_key_the_store_is_not_opened():
    assert cached_offers("nonsense", [planned("a")]) == {}


def test_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with pytest.raises(StoreError):
        cached_offers("sqlite:////proc/no/such/folder.db", [keyed("a")])


RECIPE = {"path": "recipes/a.yml", "test_id": "T"}
HOSTS = {"leaves": ["leaf1", "leaf2"], "all": ["leaf1", "leaf2", "n1"]}
DB = "sqlite:///results.db"


def found(text: str = "", **settings: Any) -> Any:
    if text:
        Path("waivers.yml").write_text(f"waivers: [{text}]")
    outlined = PlayOutline(hosts=dict.fromkeys(HOSTS["all"]), steps={name: planned(name) for name in ("link", "fan")})
    return find_waivers(
        Settings(db=DB, **settings), RECIPE, outlined, lambda pattern: HOSTS.get(pattern, [pattern]), {}
    )


def day(days: int) -> str:
    return str((datetime.now(UTC) + timedelta(days=days)).date())


def test_without_a_file_there_are_none():
    waivers, problem = found()
    assert (waivers.to_record(), problem) == ({}, "")


def test_hosts_are_resolved_and_what_is_over_is_told():
    text = f"{{step: link, hosts: leaves, reason: r, who: w, until: {day(3)}}}, "
    waivers, problem = found(text + f"{{step: fan, reason: r, who: w, until: {day(-1)}}}")
    assert problem == ""
    assert [(each.waiver.step, each.hosts) for each in waivers.in_force] == [("link", {"leaf1", "leaf2"})]
    assert [waiver.step for waiver in waivers.over] == ["fan"]
    assert waivers.to_record()["digest"].startswith("sha256:")


def test_a_file_that_is_wrong_lets_no_run_begin():
    with pytest.raises(UsageError, match=r"waivers\.yml:1:11: expected step, reason, who in a waiver, got none"):
        found("{until: 2026-12-31}")


def stored(run_id: str, *ends: tuple[str, str], in_force: bool = True) -> None:
    """Store a run in which the step `link` ended so on these hosts."""
    told = [waiver.to_data() for waiver in read_waivers("waivers.yml").waivers if in_force]
    begun = {**first(planned("link"), run_id=run_id), "waivers": {"in_force": told, "over": []}}
    begun["time"] = f"2026-11-{run_id[1:]}T00:00:00.000000Z"
    results = [step("link", host, verdict, n) for n, (host, verdict) in enumerate(ends, 1)]
    append(Path(run_id) / "journal.jsonl", [begun, *results, end()])
    store(DB, Path(run_id) / "journal.jsonl")


def test_passes_in_a_row_lift_a_waiver_by_step_and_host():
    Path("waivers.yml").write_text("waivers: [{step: link, reason: r, who: w, passes: 2}]")
    stored("R01", ("leaf1", "passed"), ("leaf2", "passed"), in_force=False)  # before there was a waiver
    stored("R02", ("leaf1", "waived"), ("leaf2", "waived"))
    stored("R03", ("leaf1", "passed"), ("leaf2", "passed"))
    stored("R04", ("leaf1", "passed"), ("leaf2", "waived"))
    waivers, problem = found()
    assert problem == ""
    assert waivers.in_force[0].lifted == {("link", "leaf1")}
    assert waivers.of("leaf1")[0]["lifted"] == ["link"]
    assert waivers.of("leaf2")[0].get("lifted") is None
    stored("R05", ("leaf1", "failed"), ("leaf2", "passed"))
    assert found()[0].in_force[0].lifted == {("link", "leaf1")}


def test_a_store_that_is_away_lifts_none_and_that_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    Path("waivers.yml").write_text("waivers: [{step: link, reason: r, who: w, passes: 2}]")
    outlined = PlayOutline(steps={"link": planned("link")})
    waivers, problem = find_waivers(Settings(db="sqlite:////proc/no/x.db"), RECIPE, outlined, lambda _pattern: [], {})
    assert problem.startswith("the passes that lift waivers could not be counted, so all of these are in force: ")
    assert len(waivers.in_force) == 1


def test_a_policy_says_who_may_waive():
    Path("recipes").mkdir()
    Path("recipes/a.yml").touch()
    me = getpass.getuser()
    rules = f"rules: [{{users: [{me}], may: [waive], hosts: [leaves], recipes: ['recipes/*'], scriptlets: [link]}}]"
    Path("policy.yml").write_text(rules)
    of_leaves = "{step: link, hosts: leaves, reason: r, who: w, passes: 2}"
    assert len(found(of_leaves, policy="policy.yml")[0].in_force) == 1
    with pytest.raises(TrustError) as refusal:
        found("{step: link, reason: r, who: w, passes: 2}", policy="policy.yml")
    assert str(refusal.value) == f"policy.yml:1: {me} may not waive recipes/a.yml on n1"
    with pytest.raises(TrustError, match=r"may not waive fan in recipes/a\.yml"):
        found("{step: fan, hosts: leaves, reason: r, who: w, passes: 2}", policy="policy.yml")
    assert found(f"{{step: fan, reason: r, who: w, until: {day(-1)}}}", policy="policy.yml")[0].over
