# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.http.asgi_calls import Answer, call_in_loop

READY = "/messages/ready"
HOSTS = ["leaf1", "leaf2", "spine1"]
ATTRIBUTES = {"leaf1": {"groups": ["leafs"]}, "leaf2": {"groups": ["leafs"]}, "spine1": {"groups": ["spines"]}}


@pytest.fixture
def about_run() -> dict[str, Any]:
    return {"hosts": HOSTS, "attributes": ATTRIBUTES}


def together(app: Any, *requests: tuple[Any, ...]) -> list[Answer]:
    """The answers to requests, of which each is sent when those before it wait."""

    async def run() -> list[Answer]:
        tasks = []
        for request in requests:
            tasks.append(asyncio.create_task(call_in_loop(app, *request)))
            await asyncio.sleep(0.01)
        return [await task for task in tasks]

    return asyncio.run(run())


def senders(answer: Answer) -> dict[str, Any]:
    return {message["host"]: message["value"] for message in answer.data["messages"]}


def test_a_message_is_kept_for_who_comes_later(ask):
    sent = ask("POST", f"{READY}?host=leaf1&step=listens", {"port": 5001})
    only = [{"host": "leaf1", "version": 1, "value": {"port": 5001}}]
    assert sent.data == {"name": "ready", "round": 1, "messages": only}
    assert ask("GET", f"{READY}?wait=5").data["messages"] == only
    assert ask("GET", f"{READY}?hosts=leaf1&wait=5").data["messages"] == only
    assert ask("GET", "/ctx/message.ready_v1/history?host=leaf1").data["changes"][0]["step"] == "listens"


def test_who_waits_gets_the_message_at_once(app):
    told, sent = together(app, ("GET", f"{READY}?wait=60"), ("POST", f"{READY}?host=leaf2", 7))
    assert (senders(told), sent.status) == ({"leaf2": 7}, 200)


def test_nobody_sends(ask):
    late = ask("GET", f"{READY}?wait=0.01")
    assert (late.status, late.data["detail"]) == (404, "nobody sent ready within 0.01 s")


@pytest.mark.parametrize(
    ("hosts", "missing"),
    [
        ("leaf1,leaf2", ["leaf2"]),
        ("@leafs", ["leaf2"]),
        ("*", ["leaf2", "spine1"]),
        ("leaf1, @spines,spine1", ["spine1"]),
    ],
)
def test_hosts_are_named_by_group_or_all(ask, hosts, missing):
    ask("POST", f"{READY}?host=leaf1", 1)
    late = ask("GET", f"{READY}?hosts={hosts}&wait=0.01")
    assert (late.status, late.data["missing"]) == (404, missing)
    assert late.data["detail"] == f"ready was not sent within 0.01 s by {', '.join(missing)}"
    for host in missing:
        ask("POST", f"{READY}?host={host}", 2)
    assert ask("GET", f"{READY}?hosts={hosts}").status == 200


@pytest.mark.parametrize(
    ("hosts", "detail", "advice"),
    [
        ("@leafz", "hosts: no host of this run is in the group 'leafz'", "did you mean @leafs?"),
        ("@x", "hosts: no host of this run is in the group 'x'", "there are leafs, spines"),
        (" ", "hosts: there is no host to wait for", "name hosts, @GROUP or *, with commas"),
    ],
)
def test_a_list_without_hosts_is_refused(ask, hosts, detail, advice):
    refused = ask("GET", f"{READY}?hosts={hosts}")
    assert (refused.status, refused.data["detail"], refused.data["advice"]) == (404, detail, advice)


def test_a_barrier_opens_when_the_last_one_comes_in_each_round(app):
    for number in (1, 2):
        arrive = [("POST", f"{READY}?host={host}&hosts=@leafs&wait=60", host) for host in HOSTS[:2]]
        answers = together(app, *arrive)
        assert [answer.data["round"] for answer in answers] == [number, number]
        assert senders(answers[0]) == {"leaf1": "leaf1", "leaf2": "leaf2"}


def test_who_is_a_round_ahead_waits(ask):
    for host in ("leaf1", "leaf2", "leaf1"):
        ask("POST", f"{READY}?host={host}", 1)
    late = ask("POST", f"{READY}?host=leaf2&hosts=spine1&wait=0.01", 1)
    assert late.data["missing"] == ["spine1"]
    assert ask("GET", f"{READY}?hosts=leaf1,leaf2&newer_than=1").status == 200


def test_a_repeated_request_is_one_message(ask):
    for _time in range(2):
        assert ask("POST", f"{READY}?host=leaf1", 1, Idempotency_Key="a").data["round"] == 1


@pytest.mark.parametrize(
    "request_",
    [("GET", f"{READY}?wait=60"), ("GET", f"{READY}?hosts=*&wait=60"), ("POST", f"{READY}?host=leaf1&wait=60", 1)],
)
def test_one_of_them_aborts_the_waiting_of_all(app, request_):
    reason = {"reason": "link is down"}
    waited, told = together(app, request_, ("POST", f"{READY}/abort?host=leaf2", reason))
    assert told.data == {"name": "ready", "reason": "link is down", "by": "leaf2"}
    assert (waited.status, waited.data["detail"]) == (409, "ready was aborted by leaf2: link is down")
    assert (waited.data["by"], waited.data["reason"]) == ("leaf2", "link is down")


def test_aborting_all_ends_waiting_for_keys_and_locks_too(app, ask):
    ask("POST", "/locks/port", {"owner": "a", "lease": 60})
    waiting = [
        ("GET", "/ctx/link.state_v1?wait=60"),
        ("GET", "/ctx/link.state_v1/hosts?hosts=leaf1&wait=60"),
        ("GET", "/messages/other?wait=60"),
    ]
    *ended, _told = together(app, *waiting, ("POST", "/messages/all/abort", {"reason": "smoke"}))
    assert {answer.data["detail"] for answer in ended} == {"all waiting was aborted by zoe: smoke"}
    assert ask("POST", "/locks/port?wait=1", {"owner": "b", "lease": 60}).data["reason"] == "smoke"
    assert ask("GET", "/messages/other?wait=60").status == 409, "who comes later is told, too"
    ask("PUT", "/ctx/abort.all_v1", None)
    assert ask("GET", "/messages/other?wait=0.01").status == 404


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "a\nb"}, {"reason": 1}, {"reason": "x", "more": 1}, [], "x"]
)
def test_an_abort_needs_a_reason(ask, body):
    refused = ask("POST", f"{READY}/abort", body)
    assert (refused.status, refused.data["detail"]) == (400, "expected an object with the text 'reason'")
