# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from datetime import date

from rack_recipes.recipe.waivers import InForce, RunWaivers, Waiver, WaiverFile, waivers_for

TODAY = date(2026, 11, 28)
HOSTS = {"leaves": ["leaf1", "leaf2"], "n1": ["n1"], "nobody": []}
LINK = Waiver("link", "RMA 1", "alice", date(2026, 12, 31))
OF_LEAVES = Waiver("fan", "loud", "bob", passes=2, hosts=("leaves", "n1"), measurement="noise")


def of(*waivers: Waiver, steps=("link", "fan")) -> RunWaivers:
    return waivers_for(WaiverFile("w.yml", "sha256:1", waivers), {"test_id": "T"}, steps, HOSTS.__getitem__, TODAY)


def test_only_what_is_for_this_recipe_and_its_steps_is_in_force():
    others = [Waiver("other", "r", "w", passes=1), Waiver("link", "r", "w", passes=1, test_id="U")]
    assert of(LINK, *others).in_force == (InForce(LINK),)


def test_one_that_is_over_changes_nothing_and_is_told():
    over = Waiver("fan", "r", "w", date(2026, 11, 27))
    last = Waiver("fan", "r", "w", TODAY, test_id="T")
    found = of(over, last)
    assert [each.waiver for each in found.in_force] == [last]
    assert found.over == (over,)
    assert [each["step"] for each in found.to_record()["over"]] == ["fan"]


def test_a_host_is_told_of_its_own():
    found = of(LINK, OF_LEAVES)
    link = {"id": LINK.id, "step": "link", "verdicts": ["failed", "error"]}
    words = "waived by alice until 2026-12-31: RMA 1"
    assert found.of("n9") == found.of("") == [{**link, "words": words}]
    assert [each["step"] for each in found.of("leaf2")] == ["link", "fan"]
    assert found.of("leaf2")[1]["measurement"] == "noise"


def test_a_host_is_told_for_which_of_its_steps_passes_have_lifted_one():
    each = InForce(LINK, None, frozenset([("link[b]", "n1"), ("link[a]", "n1"), ("link[a]", "n2")]))
    assert [(each.message(host) or {}).get("lifted") for host in ("n1", "n2", "n3")] == [
        ["link[a]", "link[b]"],
        ["link[a]"],
        None,
    ]


def test_one_for_no_host_of_this_run_covers_nothing():
    found = of(Waiver("link", "r", "w", passes=1, hosts=("nobody",)))
    assert found.of("n1") == found.of("") == []
    assert found.to_record()["in_force"][0]["on"] == []


def test_a_run_without_waivers_records_none():
    assert of(Waiver("other", "r", "w", passes=1)).to_record() == {}


def test_what_the_run_records():
    each = InForce(OF_LEAVES, frozenset(["n1", "leaf1"]), frozenset([("fan", "n1")]))
    record = RunWaivers(WaiverFile("w.yml", "sha256:1"), (each,)).to_record()
    assert (record["file"], record["digest"], record["over"]) == ("w.yml", "sha256:1", [])
    (told,) = record["in_force"]
    assert (told["on"], told["lifted"], told["id"]) == (["leaf1", "n1"], [["fan", "n1"]], OF_LEAVES.id)


def test_what_the_controller_writes_goes_through_the_same_function():
    away = Waiver("link", "moved", "bob", passes=1, verdicts=("unreachable",))
    waived = of(away).waive("link", "n1", "unreachable", "no route")
    assert waived is not None
    assert waived.reason == "waived by bob until 1 pass: moved; unreachable: no route"
    assert of(LINK).waive("link", "n1", "unreachable", "no route") is None
    assert RunWaivers().waive("link", "n1", "failed", "x") is None


def test_attributes_leave_the_hosts_that_have_them():
    of_model = Waiver("link", "r", "w", passes=1, attributes={"nic": "CX-6", "slot": 2})
    known = {
        "leaf1": {"nic": ["CX-5", "CX-6"], "slot": "2"},
        "leaf2": {"nic": "CX-6"},
        "n1": {"nic": "CX-6", "slot": 2},
    }
    for hosts, expected in (((), {"leaf1", "n1"}), (("leaves",), {"leaf1"})):
        file = WaiverFile("w.yml", "sha256:1", (replace(of_model, hosts=hosts),))
        (found,) = waivers_for(file, {}, ("link",), HOSTS.__getitem__, TODAY, known).in_force
        assert found.hosts == expected
    assert of_model.where == "all with nic=CX-6, slot=2"
