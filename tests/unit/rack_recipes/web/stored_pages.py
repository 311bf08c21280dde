# SPDX-License-Identifier: GPL-3.0-or-later

"""A store with runs for tests of single pages: as many hosts as wanted, and any text wherever a host may put one."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, store_nights
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import RUNS, URL
from rack_recipes.store.database_engine import connect_store
from rack_recipes.web.page_model import page_address
from rack_recipes.web.page_routes import GET, ROUTES
from rack_recipes.web.views.json_schemas_and_metrics import schema_of

FIRST, LAST = "20261101-220000-000001", "20261102-220000-000002"
BYTES = "/runs/{run}/attachments/{digest}/{name}"
NO_DATA = {"/metrics", BYTES, "/runs/{run}/events", "/runs/{run}/tables/{table}", "/runs/{run}/report"}
STEPS = ("uplink", "throughput")
HOSTILE = "</script><img src=x onerror=alert(1)>'\"><svg/onload=alert(2)>\u202e{{7*7}}"


def night(hosts: int = 3, text: str = "", *, is_bad: bool = True) -> Night:
    """A run of two steps, of which one failed on the first host; `text` is what this host and the recipe say."""
    names = [f"r{number}{text and ' ' + text}" for number in range(hosts)]
    rate = [{"name": f"rate{text}", "value": 97.5, "unit": f"Gb/s{text}", "limits": {"min": 90}, "verdict": "passed"}]
    reason = {"reason": text or "eth1 has no carrier"}
    tries = [{"verdict": "failed", "exit_code": 1, "seconds": 0.1, "stdout": "", "stderr": text or "eth1: down"}]
    return Night(
        measured={(step, host): rate if step == "throughput" else [] for step in STEPS for host in names},
        verdicts={("uplink", names[0]): "failed"} if is_bad else {},
        context={(host, "link.state_v1"): {"up": True, "note": text} for host in names},
        attributes={host: {"rack": f"A{text}", "position": place + 1} for place, host in enumerate(names)},
        about={"labels": {"site": text or "lab"}},
        recipe={"test_id": text or "RACK", "description": text or "Servers behind a leaf"},
        fields={("uplink", names[0]): {**reason, "attempts": tries}} if is_bad else {},
    )


def store_runs(*nights: Night, url: str = URL) -> str:
    """Store these runs; returns the id of the last one."""
    store: Engine = connect_store(url)
    try:
        return store_nights(store, RUNS, nights)
    finally:
        store.dispose()


def addresses(host: str = "r0", mark: str = "") -> dict[str, str]:
    """An address of each page, by the path in the table."""
    names = {
        "run": LAST, "host": host, "step": "uplink", "key": "link.state_v1", "first": FIRST, "second": LAST
    }  # fmt: skip
    found = {}
    for route in ROUTES:
        if route.method == GET and route.path not in NO_DATA and not route.path.startswith("/starts"):
            parts = [
                names.get(part.strip("{}"), part) if part[0] == "{" else part for part in route.path[1:].split("/")
            ]
            found[route.path] = page_address(*parts)
    found["/trends/{key}"] = page_address("trends", f"rate{mark}", step="throughput")
    found["/recipes/{name}"] = page_address("recipes", "recipes/host_health.yml")
    found["/scriptlets/{name}"] = page_address("scriptlets", "disk.usage")
    return found


def wrong_fields(path: str, data: Any) -> list[str]:
    """What is not as the shape of the page says."""
    return [f"{path}: {error.message[:200]}" for error in Draft202012Validator(schema_of(path)).iter_errors(data)]
