# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of pages, and the page of the docs that lists them.

What a token with patterns of runs and keys, or a policy, lets somebody see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import ServedSite
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import night, store_runs
from rack_recipes.web.page_model import page_address
from rack_recipes.web.page_routes import ROUTES

DOCS = Path(__file__).resolve().parents[4] / "docs" / "pages.md"
FOR_SCRIPTS = {"/runs/{run}/tables/{table}"}
SAID = re.compile(r"`(?:POST )?(/[^`?]*)`")


def test_every_page_is_in_the_docs():
    said = set(SAID.findall(DOCS.read_text(encoding="utf-8")))
    named = {re.sub(r"\{(first|second)\}", "RUN", route.path) for route in ROUTES if route.path not in FOR_SCRIPTS}
    assert {re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), path) for path in named} <= said


@pytest.mark.parametrize(
    ("place", "path", "names"),
    [
        ("/runs", "/runs", {}),
        ("/runs/R1", "/runs/{run}", {"run": "R1"}),
        ("/runs/R1/hosts/a b/c/d", None, None),
        ("/runs/R1/hosts/(run)/c", "/runs/{run}/hosts/{host}/{step}", {"run": "R1", "host": "(run)", "step": "c"}),
        ("/diff/R1/R2", "/diff/{first}/{second}", {"first": "R1", "second": "R2"}),
        ("/recipes", "/recipes", {}),
        ("/recipes/a.yml", "/recipes/{name}", {"name": "a.yml"}),
        ("/recipes/recipes/lab/a.yml", "/recipes/{name}", {"name": "recipes/lab/a.yml"}),
        ("/recipes/recipes/", None, None),
        ("/runs/", None, None),
        ("/run", None, None),
    ],
)
def test_an_address_has_one_page(place, path, names):
    parts = place[1:].split("/")
    found = [(route.path, given) for route in ROUTES if (given := route.names_in(parts)) is not None]
    assert found == ([(path, names)] if path else [])


def test_names_are_escaped_in_addresses():
    assert page_address("hosts", "a/b ?#%") == "/hosts/a%2Fb%20%3F%23%25"
    assert page_address("recipes", "recipes/a b.yml") == "/recipes/recipes/a%20b.yml"
    assert page_address("recipes", "../a.yml") == "/recipes/..%2Fa.yml", "a browser would leave the dots out"
    assert page_address("recipes", "recipes/a.yml", "runs") == "/recipes/recipes/a.yml/runs"
    assert page_address("runs", "R1", "hosts", "") == "/runs/R1/hosts/%28run%29"
    assert page_address("keys", "k_v1", run="", host="a&b") == "/keys/k_v1?host=a%26b"


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
    assert FIRST in served.ask(f"/runs/{SECOND}/findings", "viewer").text.decode()
    for place in ("", "/findings", "/hosts/r0", "/hosts/r0/uplink", "/tables/finding_results"):
        assert FIRST not in served.ask(f"/runs/{SECOND}{place}", "second").text.decode(), place
    assert served.data(f"/runs/{SECOND}", "second")["past_runs"] == []


def test_a_token_for_some_keys_sees_pages_that_show_no_others(served):
    shows_keys = ("/keys", "/keys/link.state_v1", f"/runs/{FIRST}", f"/runs/{FIRST}/context", f"/runs/{FIRST}/hosts/r0")
    for place in shows_keys:
        assert (status(served, place, "links"), status(served, place, "power")) == (200, 403), place
    for place in ("/runs", "/hosts", f"/runs/{FIRST}/steps", f"/runs/{FIRST}/hosts/r0/uplink"):
        assert status(served, place, "power") == 200, place
    findings = [served.ask(f"/runs/{SECOND}/hosts/r0/uplink", who).text.decode() for who in ("viewer", "power")]
    assert ["Findings about" in text for text in findings] == [True, False], "findings show values of keys"
