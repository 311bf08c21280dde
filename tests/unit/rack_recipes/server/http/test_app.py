# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.http.asgi_calls import Answer, call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.live.live_contexts import setting
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.http.app import make_app
from rack_recipes.server.http.read_request import LARGEST_BODY
from rack_recipes.server.problems import Problem
from rack_recipes.version import VERSION

KEY = "/ctx/numbers.stats_v1"
PATCH, MERGE = "application/json-patch+json", "application/merge-patch+json"


def told(answer: Answer) -> tuple[int, str]:
    """The status and the detail of a problem, which has all that RFC 9457 names, and advice."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.data.keys() >= {"type", "title", "status", "detail", "advice"}
    assert (answer.data["status"], bool(answer.data["advice"])) == (answer.status, True)
    return answer.status, answer.data["detail"]


def test_a_value_comes_back_with_its_version(ask):
    first = ask("PUT", KEY, {"mean": 2.5, "ü": None})
    assert (first.status, first.headers["etag"]) == (200, '"1"')
    assert first.data == {
        "key": "numbers.stats_v1",
        "host": "",
        "version": 1,
        "seq": 1,
        "value": {"mean": 2.5, "ü": None},
    }
    read = ask("GET", KEY)
    assert read.data == {name: part for name, part in first.data.items() if name != "seq"}


def test_a_write_based_on_an_old_version_gets_the_current_value(ask):
    for value in (1, 2):
        ask("PUT", KEY, value)
    answers = [
        ask("PUT", f"{KEY}?version=1", 3),
        ask("PUT", KEY, 3, If_Match='"1"'),
        ask("POST", "/ctx", {"key": "numbers.stats_v1", "version": 1, "value": 3}),
    ]
    assert {told(answer) for answer in answers} == {
        (409, "numbers.stats_v1 of the run is at version 2, this write is based on version 1")
    }
    assert [answer.data["current"]["value"] for answer in answers] == [2, 2, 2]
    assert ask("PUT", KEY, 3, If_Match=ask("GET", KEY).headers["etag"]).data["version"] == 3
    assert ask("POST", "/ctx", {"key": "numbers.stats_v1", "version": 3.0, "value": 4}).data["version"] == 4
    assert ask("PUT", KEY, 5, If_Match="4").data["version"] == 5


def test_the_server_applies_operations(ask):
    ask("PUT", KEY, {"a": [1]})
    ask("PATCH", KEY, [{"op": "add", "path": "/a/-", "value": 2}], content_type=PATCH)
    ask("PATCH", KEY, {"b": {"c": 1}}, content_type=MERGE)
    assert ask("POST", f"{KEY}/increment", {"by": 4, "path": "/b/c"}).data["value"] == {"a": [1, 2], "b": {"c": 5}}


@pytest.mark.parametrize(
    ("operation", "made"),
    [
        ({"value": None}, None),
        ({"patch": [{"op": "replace", "path": "/n", "value": 5}]}, {"n": 5}),
        ({"merge": {"m": 1}}, {"n": 1, "m": 1}),
        ({"increment": {"path": "/n"}}, {"n": 2}),
    ],
)
def test_post_takes_all_in_its_body(ask, operation, made):
    ask("PUT", f"{KEY}?host=leaf1", {"n": 1})
    body = {"key": "numbers.stats_v1", "host": "leaf1", "step": "measure", **operation}
    assert ask("POST", "/ctx", body).data["value"] == made
    changes = ask("GET", f"{KEY}/history?host=leaf1").data["changes"]
    assert [(one["who"], one["step"], one["before"], one["after"]) for one in changes] == [
        ("zoe", "", None, {"n": 1}),
        ("zoe", "measure", {"n": 1}, made),
    ]


def test_the_past_can_be_read(ask):
    for number in range(1, 6):
        ask("PUT", KEY, number)
        ask("PUT", f"/ctx/other_v1?host=leaf{number}", number)
    assert ask("GET", f"{KEY}?at=4").data == {"key": "numbers.stats_v1", "host": "", "version": 2, "seq": 3, "value": 2}
    page = ask("GET", f"{KEY}/history?limit=2").data
    assert (page["more"], [one["version"] for one in page["changes"]]) == (True, [4, 5])
    page = ask("GET", f"{KEY}/history?limit=3&before={page['changes'][0]['seq']}").data
    assert (page["more"], [one["version"] for one in page["changes"]]) == (False, [1, 2, 3])
    changed = ask("GET", "/diff?from=5&to=7").data["context"]
    assert changed == [
        {"key": "numbers.stats_v1", "host": "", "field": "", "before": 3, "after": 4},
        {"key": "other_v1", "host": "leaf3", "field": "", "after": 3},
    ]
    assert ask("GET", "/ctx?at=0").data == {"run_id": "R1", "at": 0, "context": []}


def test_keys_are_chosen_by_pattern_and_host(ask):
    for target in ("/ctx/a.b_v1", "/ctx/a.c_v1?host=leaf1", "/ctx/a.c_v1?host=leaf2", "/ctx/z_v1"):
        ask("PUT", target, 1)
    for moment in ("", "&at=4"):
        found = ask("GET", f"/ctx?key=a.*&host=leaf1{moment}").data["context"]
        assert [(row["key"], row["host"]) for row in found] == [("a.b_v1", ""), ("a.c_v1", "leaf1")]
    assert len(ask("GET", "/ctx").data["context"]) == 4


def test_what_is_served(ask):
    ask("PUT", KEY, 1)
    assert ask("GET", "/").data == {"run_id": "R1", "state": "open", "seq": 1, "server": VERSION}


def test_the_same_request_twice_counts_once(ask):
    for repeated in (None, True):
        answer = ask("POST", f"{KEY}/increment", {"by": 1}, idempotency_key="abc")
        assert (answer.data["value"], answer.data.get("repeated")) == (1, repeated)


@pytest.mark.parametrize(
    ("method", "target", "data", "status", "detail"),
    [
        ("GET", "/ctxx", ..., 404, "there is no path /ctxx"),
        ("GET", KEY, ..., 404, "numbers.stats_v1 of the run is not set"),
        ("GET", f"{KEY}/history", ..., 404, "numbers.stats_v1 of the run is not set"),
        ("GET", f"{KEY}?at=0", ..., 404, "numbers.stats_v1 of the run is not set"),
        ("GET", f"{KEY}?at=7", ..., 404, "at=7: the last change is 0"),
        ("GET", f"{KEY}?wait=0.01", ..., 404, "numbers.stats_v1 of the run got no version above 0 in 0.01 s"),
        ("DELETE", KEY, ..., 405, f"{KEY} has no DELETE"),
        ("GET", "/ctx/Numbers", ..., 400, "path parameter 'key': expected a context key such as numbers.stats_v1, got"),
        ("GET", f"{KEY}?hots=1", ..., 400, "there is no query parameter 'hots' (did you mean 'host'?)"),
        ("GET", f"{KEY}?host=", ..., 400, "query parameter 'host': expected a text without control signs, got ''"),
        ("GET", f"{KEY}?host=a&host=b", ..., 400, "query parameter 'host' is given twice"),
        ("GET", f"{KEY}?host=%ff", ..., 400, "the query cannot be read: 'utf-8' codec can't decode"),
        ("GET", f"{KEY}?at=-1", ..., 400, "query parameter 'at': expected a whole number from 0, got '-1'"),
        ("GET", "/diff", ..., 400, "query parameter 'from' is missing"),
        ("GET", "/diff?from=1&to=0", ..., 404, "from=1: the last change is 0"),
        ("GET", "/events?since=1", ..., 404, "change 1 does not exist, the last is 0"),
        ("PUT", KEY, b"{", 400, "the body is no JSON: Expecting property name"),
        ("PUT", KEY, b"NaN", 400, "the body is no JSON: NaN is not JSON"),
        ("PUT", KEY, b"", 400, "the body is no JSON: Expecting value"),
        ("PUT", KEY, b"[" * 100_000, 400, "the body is no JSON: "),
        ("PUT", KEY, b"[" * 200 + b"]" * 200, 400, "numbers.stats_v1"),
        ("PUT", KEY, b'"\\ud800"', 400, "numbers.stats_v1: character 0 is half a surrogate pair"),
        ("PUT", KEY, b" " * (LARGEST_BODY + 1), 413, f"a body may have {LARGEST_BODY} bytes"),
        ("POST", "/ctx", [], 400, "expected an object with 'key'"),
        ("POST", "/ctx", {"value": 1}, 400, "expected a context key such as numbers.stats_v1, got ''"),
        ("POST", "/ctx", {"key": 1, "value": 1}, 400, "expected a context key such as numbers.stats_v1, got 1"),
        ("POST", "/ctx", {"kei": "a_v1", "value": 1}, 400, "there is no field 'kei' (did you mean 'key'?)"),
        ("POST", "/ctx", {"key": "a_v1"}, 400, "expected one of value, patch, merge, increment, got 0"),
        ("POST", "/ctx", {"key": "a_v1", "value": 1, "merge": 1}, 400, "expected one of value, patch, merge, incr"),
        ("POST", "/ctx", {"key": "a_v1", "value": 1, "version": -1}, 400, "version: expected a whole number from 0"),
        (
            "POST",
            "/ctx",
            {"key": "a_v1", "value": 1, "version": 10**15},
            400,
            "version: expected a whole number from 0",
        ),
        ("POST", "/ctx", {"key": "a_v1", "value": 1, "version": True}, 400, "version: expected a whole number from 0"),
        ("POST", "/ctx", {"key": "a_v1", "value": 1, "host": "a\n"}, 400, "host: expected a text without control"),
        ("POST", "/ctx", {"key": "a_v1", "value": 1, "step": {}}, 400, "step: expected a text without control"),
        ("POST", "/ctx", {"key": "a_v1", "value": 1, "version": None}, 400, "version: expected a whole number from 0"),
        ("POST", "/ctx", {"key": "a_v1", "value": 1, "version": 0.5}, 400, "version: expected a whole number from 0"),
        ("POST", "/ctx", {"key": "a_v1", "value": 1, "step": [1]}, 400, "step: expected a text without control"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(ask, method, target, data, status, detail):
    found = told(ask(method, target, data))
    assert (found[0], found[1][: len(detail)]) == (status, detail)


def test_a_method_that_a_path_does_not_take_names_those_it_takes(ask):
    assert ask("DELETE", KEY).headers["allow"] == "GET, PUT, PATCH"


@pytest.mark.parametrize("media", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_says_what_it_is(ask, media):
    answer = ask("PUT", KEY, 1, content_type=media)
    assert told(answer) == (415, f"expected a body of application/json, got {media or 'none'}")
    assert answer.data["advice"] == "send the header Content-Type: application/json"


@pytest.mark.parametrize(
    ("target", "tag", "detail"),
    [
        (KEY, 'W/"1"', "header parameter 'If-Match': expected a version such as \"3\", got 'W/\"1\"'"),
        (f"{KEY}?version=2", '"1"', 'version=2 and If-Match: "1" differ'),
    ],
)
def test_an_entity_tag_is_a_version(ask, target, tag, detail):
    assert told(ask("PUT", target, 1, if_match=tag))[1] == detail


def test_a_missing_key_tells_where_it_is_and_what_is_near(ask):
    ask("PUT", f"{KEY}?host=leaf1", 1)
    assert ask("GET", KEY).data["advice"] == "it is a key of leaf1"
    assert ask("GET", "/ctx/numbers.stat_v1").data["advice"] == "did you mean 'numbers.stats_v1'?"
    assert ask("GET", "/ctx/z_v1").data["advice"] == "set it"


def test_a_fault_of_ours_is_a_problem_too(service, ask, capsys):
    service.live.context = None
    answer = ask("GET", KEY)
    assert told(answer) == (500, "this request met a fault of the server")
    assert "AttributeError" in capsys.readouterr().err


def test_who_may_not_gets_nothing(service):
    def refuse(_scope: object) -> Caller:
        raise Problem("not-allowed", "no", "ask as root")

    app = make_app(service, refuse)
    assert [told(call(app, *request)) for request in (("GET", "/ctx"), ("PUT", KEY, 1))] == [(403, "no")] * 2


def test_a_key_is_waited_for(service, app):
    async def scenario() -> Any:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": KEY, "headers": [], "client": ("0", 1)}
        reader = asyncio.ensure_future(app({**scope, "query_string": b"newer_than=1&wait=20"}, None, send))
        for value in (1, 2):
            await asyncio.sleep(0.02)
            assert not reader.done()
            await service.commit.write(setting(value))
        await asyncio.wait_for(reader, 10)
        return json.loads(sent[1]["body"])

    assert asyncio.run(scenario())["value"] == 2
