# SPDX-License-Identifier: GPL-3.0-or-later

"""The waivers of a run that begins: which are in force, what is recorded of them, and who may use them."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import end, first, planned, step
from rack_recipes.errors import TrustError, UsageError
from rack_recipes.journal.append import append
from rack_recipes.recipe.waiver_file import read_waivers
from rack_recipes.run.recorder import cached_results_and_waivers as module
from rack_recipes.run.recorder.cached_results_and_waivers import find_waivers
from rack_recipes.run.recorder.play_outline import PlayOutline
from rack_recipes.settings import Settings
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing.import_journal import import_journal

RECIPE = {"path": "recipes/a.yml", "test_id": "T"}
HOSTS = {"leaves": ["leaf1", "leaf2"], "all": ["leaf1", "leaf2", "n1"]}
DB = "sqlite:///results.db"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


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
    store = connect_store(DB)
    import_journal(store, Path(run_id) / "journal.jsonl")
    store.dispose()


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
