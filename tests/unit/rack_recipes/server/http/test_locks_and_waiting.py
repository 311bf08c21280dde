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
from rack_recipes.server.live import key_operations
from rack_recipes.server.served_context import Service, make_service

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


@pytest.fixture
def service(tmp_path) -> Service:
    return make_service(opened(begun(tmp_path)))


@pytest.fixture
def ask(service) -> Any:
    return partial(call, make_app(service, lambda _scope: Caller("zoe")))


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


def test_a_lock_is_waited_for(service):
    app = make_app(service, lambda _scope: Caller("zoe"))

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


def test_several_hosts_are_waited_for(service):
    app = make_app(service, lambda _scope: Caller("zoe"))

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
