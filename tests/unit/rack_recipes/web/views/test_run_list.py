# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of runs: the state of racks and tests above it, for those who may see the runs."""

from __future__ import annotations

import re
from dataclasses import replace

from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import ServedSite
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import FIRST, LAST, night, store_runs

ITEM = re.compile(r'<li class="v-(\w+)">(.*?)</li>', re.DOTALL)
TAG = re.compile(r"<title>.*?</title>|<[^>]*>", re.DOTALL)


def states(served: ServedSite, who: str = "viewer", query: str = "") -> list[tuple[str, str]]:
    """The verdict and the words of each state."""
    text = served.ask(f"/runs{query}", who).text.decode()
    return [(verdict, " ".join(TAG.sub(" ", words).split())) for verdict, words in ITEM.findall(text)]


def test_racks_and_tests_are_as_their_newest_runs(served):
    good = night(is_bad=False)
    racks = {host: {**own, "rack": "B1" if host == "r2" else "A1"} for host, own in good.attributes.items()}
    store_runs(replace(good, attributes=racks), replace(night(), attributes=racks))
    assert states(served) == [
        ("failed", "A1 ✗ failed 1 of 2 hosts 2026-11-02 22:00 UTC"),
        ("passed", "B1 ✓ passed 1 host 2026-11-02 22:00 UTC"),
        ("failed", "RACK ✗ failed 2026-11-02 22:00 UTC"),
    ]
    assert states(served, query="?status=failed") == [], "who looks for runs sees runs"


def test_a_rack_that_the_newest_run_left_out_keeps_its_state(served):
    large, small = night(4), night(1, is_bad=False)
    racks = {host: {"rack": "A1" if host == "r0" else "A2"} for host in large.attributes}
    store_runs(replace(large, attributes=racks), replace(small, attributes={"r0": {"rack": "A1"}}))
    assert states(served)[:2] == [
        ("passed", "A1 ✓ passed 1 host 2026-11-02 22:00 UTC"),
        ("passed", "A2 ✓ passed 3 hosts 2026-11-01 22:00 UTC"),
    ]


def test_runs_that_one_may_not_see_are_in_no_state(served):
    store_runs(night(is_bad=False), night())
    served.grant("first", "viewer", runs=(FIRST,))
    page = served.ask("/runs", "first").text.decode()
    assert LAST not in page
    assert [verdict for verdict, _words in states(served, "first")] == ["passed", "passed"]
    assert f"token:first may see the runs {FIRST}: what rests on others is left out" in page


def test_without_racks_there_is_no_rack(served):
    store_runs(replace(night(), attributes={}))
    assert [words.split()[0] for _verdict, words in states(served)] == ["RACK"]


def test_the_runs_are_shown_in_words(served):
    store_runs(night())
    text = served.ask("/runs", "viewer").text.decode()
    assert '<time datetime="2026-11-01T22:00:00' in text
    assert 'data-label="Hosts">3<' in text


def test_a_word_that_is_no_status_is_not_an_empty_list(served):
    store_runs(night())
    answer = served.ask("/runs?status=faild&format=json", "viewer")
    assert answer.status == 404
    assert b"status=faild: there are running, error, failed, " in answer.text
    assert served.data("/runs?status=passed", "viewer")["found"] == 0
