# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.http.asgi_calls import call, call_in_loop
from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.live.live_contexts import begun, opened
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.http.app import make_app
from rack_recipes.server.served_context import Service, make_service

POOL = {"t1": {"tags": ["100g", "loop"], "address": "10.0.0.1"}, "t2": {"tags": ["100g"]}, "t3": {}}
PORTS = "/reservations/ports"


@pytest.fixture
def service(tmp_path) -> Service:
    return make_service(opened(begun(tmp_path)))


@pytest.fixture
def ask(service) -> Any:
    asking = partial(call, make_app(service, lambda _scope: Caller("zoe")))
    asking("PUT", "/ctx/ports_v1", POOL)
    return asking


def wanted(owner: str, *tags: str, lease: float = 60) -> dict[str, Any]:
    return {"tags": [*tags], "owner": owner, "lease": lease}


def test_each_one_gets_another_resource_with_all_tags(ask):
    first = ask("POST", PORTS, wanted("a", "100g", "loop")).data
    assert first.pop("left") > 59
    assert first == {"pool": "ports", "name": "t1", "about": POOL["t1"], "owner": "a", "fence": 1}
    assert ask("POST", PORTS, wanted("b", "100g", lease=120)).data["name"] == "t2"
    taken = ask("POST", PORTS, wanted("c", "100g"))
    assert (taken.status, taken.data["owner"]) == (409, "a")
    assert taken.data["detail"].startswith("all 2 of ports with 100g are taken; the first is free in ")
    assert ask("POST", PORTS, wanted("c")).data["name"] == "t3"
    assert ask("POST", PORTS, wanted("b", "100g")).data["name"] == "t2", "its owner gets a new lease"


def test_who_waits_gets_what_is_given_back_or_whose_lease_is_up(service, ask):
    ask("POST", PORTS, wanted("a", "loop"))
    app = make_app(service, lambda _scope: Caller("zoe"))

    async def run() -> list[Any]:
        waiting = asyncio.create_task(call_in_loop(app, "POST", f"{PORTS}?wait=60", wanted("b", "loop", lease=0.05)))
        await asyncio.sleep(0.01)
        await call_in_loop(app, "DELETE", "/locks/ports.t1?owner=a")
        return [await waiting, await call_in_loop(app, "POST", f"{PORTS}?wait=60", wanted("c", "loop"))]

    assert [answer.data["owner"] for answer in asyncio.run(run())] == ["b", "c"]


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        ("/reservations/racks", wanted("a"), 404, "there is no pool racks: racks_v1 of the run is not set"),
        (PORTS, wanted("a", "400g"), 404, "nothing in ports has 400g"),
        (PORTS, {"tags": "100g", "owner": "a", "lease": 1}, 400, "expected an object with 'tags', 'owner' and 'lease'"),
        (PORTS, {"tags": [], "owner": "a"}, 400, "expected an object with 'owner' and 'lease'"),
        (PORTS, [], 400, "expected an object with 'tags', 'owner' and 'lease'"),
    ],
)
def test_what_cannot_be_reserved(ask, path, body, status, detail):
    refused = ask("POST", path, body)
    assert (refused.status, refused.data["detail"]) == (status, detail)


@pytest.mark.parametrize("value", [[], {"T 1": {}}, {"t1": 1}, {"t1": {"tags": "x"}}, {"t1": {"tags": [1]}}])
def test_a_key_that_is_no_pool(ask, value):
    ask("PUT", "/ctx/ports_v1", value)
    refused = ask("POST", PORTS, wanted("a"))
    assert (refused.status, refused.data["detail"]) == (409, "ports_v1 is no pool")


def test_the_tags_that_there_are(ask):
    assert ask("POST", PORTS, wanted("a", "x")).data["advice"] == "there are the tags 100g, loop"
