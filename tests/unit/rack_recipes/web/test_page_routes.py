# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of pages, and the page of the docs that lists them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
    assert page_address("runs", "R1", "hosts", "") == "/runs/R1/hosts/%28run%29"
    assert page_address("keys", "k_v1", run="", host="a&b") == "/keys/k_v1?host=a%26b"
