# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.http.asgi_calls import call, call_in_loop
from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.live.live_contexts import opened
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.http.app import make_app
from rack_recipes.server.live import key_operations
from rack_recipes.server.served_context import make_service

LOCK = "/locks/tester_1.port_2"


class Clock:
    """A clock that the test sets."""

    now = 1_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(key_operations, "time", found)
    return found


def lease(owner: str, seconds: float = 10) -> dict[str, object]:
    return {"owner": owner, "lease": seconds}


def test_a_lock_has_one_owner(ask, clock):
    assert ask("POST", LOCK, lease("a")).data == {"name": "tester_1.port_2", "owner": "a", "left": 10.0, "fence": 1}
    clock.now += 4
    refused = ask("POST", LOCK, lease("b"))
    assert (refused.status, refused.data["detail"]) == (409, "lock tester_1.port_2 is held by a, for 6.0 s more")
    assert (refused.data["owner"], refused.data["left"]) == ("a", 6.0)
    assert ask("POST", LOCK, lease("a")).data["left"] == 10.0, "its owner gets a new lease"
    assert ask("POST", "/locks/other", lease("b")).status == 200
    assert ask("DELETE", f"{LOCK}?owner=a").data == {"name": "tester_1.port_2", "owner": "", "left": 0.0, "fence": 3}
    assert ask("POST", LOCK, lease("b")).data["fence"] == 4


def test_the_lock_of_one_who_is_gone_is_free_after_its_lease(ask, clock):
    ask("POST", LOCK, lease("a"))
    clock.now += 10.5
    late = ask("DELETE", f"{LOCK}?owner=a")
    assert (late.status, late.data["detail"]) == (409, "lock tester_1.port_2 is free")
    assert late.data["advice"] == "its lease was up: get it again, with a longer one"
    assert ask("POST", LOCK, lease("b")).data["fence"] == 2, "an older fence is known as such"
    assert ask("DELETE", f"{LOCK}?owner=a").data["owner"] == "b"


def test_a_lock_is_a_key_of_the_run_and_outlives_the_server(ask, clock, tmp_path):
    ask("POST", LOCK, lease("a"))
    again = partial(call, make_app(make_service(opened(tmp_path / "journal.jsonl")), lambda _scope: Caller("zoe")))
    assert again("POST", LOCK, lease("b")).status == 409
    assert again("GET", "/ctx/lock.tester_1.port_2_v1").data["value"] == {"owner": "a", "until": clock.now + 10}


@pytest.mark.parametrize(
    "body", [1, {}, {"owner": "a"}, lease(""), lease("a\n"), lease("a", 0), lease("a", 86401), {**lease("a"), "x": 1}]
)
def test_a_lease_has_an_owner_and_an_end(ask, body):
    refused = ask("POST", LOCK, body)
    assert (refused.status, refused.data["detail"]) == (400, "expected an object with 'owner' and 'lease'")


@pytest.mark.parametrize(("name", "owner"), [("site.password", "a"), ("port", "hunter22")])
def test_a_lock_that_would_be_masked_is_refused(ask, name, owner):
    """Masked, it would seem to be free, and several could hold it."""
    ask("PUT", "/ctx/bmc.password_v1", "hunter22")
    refused = ask("POST", f"/locks/{name}", lease(owner))
    assert refused.data["detail"] == f"lock.{name}_v1 or its owner has the name of a secret"


def test_a_lock_is_waited_for(app):
    async def scenario() -> list[int]:
        await call_in_loop(app, "POST", LOCK, lease("a", 60))
        waiting = [asyncio.ensure_future(call_in_loop(app, "POST", f"{LOCK}?wait=30", lease(who, 60))) for who in "bc"]
        for _turn in range(2):
            await asyncio.sleep(0.02)
            done = [task for task in waiting if task.done()]
            holder = done[-1].result().data["owner"] if done else "a"
            await call_in_loop(app, "DELETE", f"{LOCK}?owner={holder}")
        return sorted(answer.data["fence"] for answer in await asyncio.gather(*waiting))

    assert asyncio.run(scenario()) == [3, 5]


def test_a_waiter_gets_the_lock_when_the_lease_is_up(ask):
    ask("POST", LOCK, lease("a", 0.05))
    assert ask("POST", f"{LOCK}?wait=30", lease("b", 5)).data["owner"] == "b"
    assert ask("POST", f"{LOCK}?wait=0.02", lease("c", 5)).status == 409


def test_several_hosts_are_waited_for(app):
    async def scenario() -> Any:
        target = "/ctx/ready_v1/hosts?hosts=leaf1,leaf2&wait=30"
        waiting = asyncio.ensure_future(call_in_loop(app, "GET", target))
        for host in ("leaf3", "leaf2", "leaf1"):
            await asyncio.sleep(0.01)
            assert not waiting.done()
            await call_in_loop(app, "PUT", f"/ctx/ready_v1?host={host}", host.upper())
        return (await waiting).data

    assert asyncio.run(scenario()) == {"key": "ready_v1", "hosts": {"leaf1": "LEAF1", "leaf2": "LEAF2"}}


def test_hosts_that_are_late_are_named(ask):
    ask("PUT", "/ctx/ready_v1?host=leaf1", 1)
    late = ask("GET", "/ctx/ready_v1/hosts?hosts=leaf1,leaf2,leaf3&wait=0.01")
    assert (late.status, late.data["detail"]) == (404, "ready_v1 was not set within 0.01 s by leaf2, leaf3")
    assert late.data["missing"] == ["leaf2", "leaf3"]
    nobody = ask("GET", "/ctx/ready_v1/hosts?hosts=,")
    assert (nobody.status, nobody.data["detail"]) == (
        400,
        "query parameter 'hosts': expected names of hosts, separated by commas, got ','",
    )


POOL = {"t1": {"tags": ["100g", "loop"], "address": "10.0.0.1"}, "t2": {"tags": ["100g"]}, "t3": {}}
PORTS = "/reservations/ports"


@pytest.fixture
def ask_ports(ask) -> Any:
    ask("PUT", "/ctx/ports_v1", POOL)
    return ask


def wanted(owner: str, *tags: str, lease: float = 60) -> dict[str, Any]:
    return {"tags": [*tags], "owner": owner, "lease": lease}


def test_each_one_gets_another_resource_with_all_tags(ask_ports):
    first = ask_ports("POST", PORTS, wanted("a", "100g", "loop")).data
    assert first.pop("left") > 59
    assert first == {"pool": "ports", "name": "t1", "about": POOL["t1"], "owner": "a", "fence": 1}
    assert ask_ports("POST", PORTS, wanted("b", "100g", lease=120)).data["name"] == "t2"
    taken = ask_ports("POST", PORTS, wanted("c", "100g"))
    assert (taken.status, taken.data["owner"]) == (409, "a")
    assert taken.data["detail"].startswith("all 2 of ports with 100g are taken; the first is free in ")
    assert ask_ports("POST", PORTS, wanted("c")).data["name"] == "t3"
    assert ask_ports("POST", PORTS, wanted("b", "100g")).data["name"] == "t2", "its owner gets a new lease"


def test_who_waits_gets_what_is_given_back_or_whose_lease_is_up(app, ask_ports):
    ask_ports("POST", PORTS, wanted("a", "loop"))

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
def test_what_cannot_be_reserved(ask_ports, path, body, status, detail):
    refused = ask_ports("POST", path, body)
    assert (refused.status, refused.data["detail"]) == (status, detail)


@pytest.mark.parametrize("value", [[], {"T 1": {}}, {"t1": 1}, {"t1": {"tags": "x"}}, {"t1": {"tags": [1]}}])
def test_a_key_that_is_no_pool(ask_ports, value):
    ask_ports("PUT", "/ctx/ports_v1", value)
    refused = ask_ports("POST", PORTS, wanted("a"))
    assert (refused.status, refused.data["detail"]) == (409, "ports_v1 is no pool")


def test_the_tags_that_there_are(ask_ports):
    assert ask_ports("POST", PORTS, wanted("a", "x")).data["advice"] == "there are the tags 100g, loop"
