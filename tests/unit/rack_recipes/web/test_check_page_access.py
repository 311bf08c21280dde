# SPDX-License-Identifier: GPL-3.0-or-later

"""What a token with patterns of runs and keys, or a policy, lets somebody see."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import ServedSite
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import night, store_runs

FIRST, SECOND = "20261101-220000-000001", "20261102-220000-000002"


@pytest.fixture
def served(project) -> Iterator[ServedSite]:
    store_runs(night(is_bad=False), night())
    with ServedSite() as served:
        served.grant("first", "viewer", runs=(FIRST,))
        served.grant("links", "viewer", keys=("link.*",))
        served.grant("power", "viewer", keys=("power.*",))
        yield served


def status(served: ServedSite, target: str, who: str) -> int:
    return served.ask(f"{target}?format=json", who).status


def test_a_token_for_some_runs_sees_these_alone(served):
    assert [run["run_id"] for run in served.data("/runs", "first")["runs"]] == [FIRST]
    for place in ("", "/steps", "/rack", "/hosts", "/hosts/r0", "/hosts/r0/uplink", "/findings", "/context"):
        assert status(served, f"/runs/{FIRST}{place}", "first") == 200, place
        assert status(served, f"/runs/{SECOND}{place}", "first") == 403, place
        assert status(served, f"/runs/{SECOND[:12]}{place}", "first") == 403, "the beginning of its id"
    assert status(served, f"/diff/{FIRST}/{SECOND}", "first") == 403
    for place in ("/hosts", "/hosts/r0", "/keys", "/trends", f"/runs/{FIRST}/report"):
        assert status(served, place, "first") == 403, place


def test_a_page_does_not_show_other_runs(served):
    served.grant("second", "viewer", runs=(SECOND,))
    assert served.data(f"/runs/{SECOND}", "viewer")["past_runs"] != []
    assert FIRST in served.ask(f"/runs/{SECOND}/hosts/r0/uplink", "viewer").text.decode()
    assert FIRST not in served.ask(f"/runs/{SECOND}/hosts/r0/uplink", "second").text.decode()
    assert served.data(f"/runs/{SECOND}", "second")["past_runs"] == []


def test_a_token_for_some_keys_sees_pages_that_show_no_others(served):
    shows_keys = ("/keys", "/keys/link.state_v1", f"/runs/{FIRST}", f"/runs/{FIRST}/context", f"/runs/{FIRST}/hosts/r0")
    for place in shows_keys:
        assert (status(served, place, "links"), status(served, place, "power")) == (200, 403), place
    for place in ("/runs", "/hosts", f"/runs/{FIRST}/steps", f"/runs/{FIRST}/hosts/r0/uplink"):
        assert status(served, place, "power") == 200, place
