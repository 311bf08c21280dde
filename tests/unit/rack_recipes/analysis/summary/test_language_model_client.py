# SPDX-License-Identifier: GPL-3.0-or-later

"""Real servers that answer, refuse, hang and lie: there is an answer in time, or a reason."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.summary import model_server as server
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.summary.model_server import (
    ModelServer,
    raw,
    saying,
)
from rack_recipes.analysis.summary.language_model_client import LARGEST, Endpoint, EndpointError, ask

KEY = "sk-zebra-7777"
QUESTION = [{"role": "user", "content": "what?"}]
LONG = 60.0  # seconds


def refusal(endpoint: Endpoint, seconds: float = LONG) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        ask(endpoint, QUESTION, 10, seconds)
    assert KEY not in str(caught.value)
    assert "evil" not in str(caught.value)
    return caught.value


def at(model: ModelServer, key: str = KEY) -> Endpoint:
    return Endpoint(model.url, "small", key)


def test_a_question_and_its_answer(model: ModelServer) -> None:
    model.replies = [saying("yes", tokens=12)]
    found = ask(at(model), QUESTION, 10, LONG)
    assert (found.content, found.tokens) == ("yes", 12)
    path, headers, body = model.asked[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body == {"model": "small", "messages": QUESTION, "temperature": 0, "max_tokens": 10}


def test_a_server_can_be_asked_for_nothing_but_json(model: ModelServer) -> None:
    model.replies = [saying("{}")]
    ask(at(model), QUESTION, 10, LONG, as_json=True)
    assert model.asked[0][2]["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/chat/completions/"])
def test_the_address_may_be_the_base_or_the_whole(model: ModelServer, end: str) -> None:
    model.replies = [saying("yes")]
    assert ask(Endpoint(model.url + end, "small"), QUESTION, 10, LONG).content == "yes"
    assert model.asked[0][0].rstrip("/") == "/v1/chat/completions"
    assert "Authorization" not in model.asked[0][1]


@pytest.mark.parametrize("tokens", [None, True, -1, 0, "12", 10**12, [], {}])
def test_what_a_server_counts_wrongly_does_not_count(model: ModelServer, tokens: Any) -> None:
    model.replies = [saying("yes", tokens)]
    assert ask(at(model), QUESTION, 10, LONG).tokens == 0


@pytest.mark.parametrize(
    ("code", "again"), [(400, True), (422, True), (401, False), (404, False), (429, True), (500, True), (503, True)]
)
def test_an_error_is_told_by_its_code_alone(model: ModelServer, code: int, again: bool) -> None:
    model.replies = [raw(f"evil {KEY}".encode(), code)]
    error = refusal(at(model))
    assert str(error) == f"{at(model).place} answered with HTTP {code}"
    assert error.again is again


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(model: ModelServer, code: int) -> None:
    model.replies = [raw(b"", code, Location=f"{model.url}/evil"), saying("stolen")]
    assert f"answered with a redirect (HTTP {code}), which is not followed" in str(refusal(at(model)))
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"evil",
        b"[]",
        b"null",
        b"{}",
        b'{"choices": []}',
        b'{"choices": {}}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": null}}]}',
        b'{"choices": [{"message": {"content": ["evil"]}}]}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b'{"choices": [{"message": {"content": 1' + b"0" * 10_000 + b"}}]}",
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_a_body_of_another_form(model: ModelServer, body: bytes) -> None:
    model.replies = [raw(body)]
    error = refusal(at(model))
    assert str(error) == f"{at(model).place} sent what is no answer of a model"
    assert error.again


@pytest.mark.parametrize("misbehave", [server.silent, server.dripping, server.dripping_headers])
def test_a_slow_server_is_not_waited_for(model: ModelServer, misbehave: Callable[[Any], None]) -> None:
    model.replies = [misbehave]
    started = time.monotonic()
    assert "answer" in str(refusal(at(model), seconds=0.5))
    assert time.monotonic() - started < LONG / 2


@pytest.mark.parametrize("misbehave", [server.half, server.hang_up])
def test_an_answer_that_breaks_off(model: ModelServer, misbehave: Callable[[Any], None]) -> None:
    model.replies = [misbehave]
    assert refusal(at(model)).again


def test_an_answer_without_end_is_cut(model: ModelServer) -> None:
    model.replies = [server.endless]
    assert str(refusal(at(model))) == f"{at(model).place} sent more than {LARGEST // 1024} KiB"


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        error = refusal(Endpoint(f"http://{place}", "small", KEY))
    assert str(error) == f"{place} cannot be reached: Connection refused"
    assert error.again


def test_a_name_that_nobody_knows() -> None:
    assert "nowhere.invalid cannot be reached" in str(refusal(Endpoint("https://nowhere.invalid/v1", "small", KEY)))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "summary_url is not an address such as http://localhost:8080/v1"),
        ("ftp://localhost/", "summary_url is not an address"),
        ("data:,x", "summary_url is not an address"),
        ("localhost:8080", "summary_url is not an address"),
        ("http://", "summary_url is not an address"),
        ("http://[::1", "summary_url is not an address"),
        ("http://localhost:99999", "summary_url is not an address"),
        ("http://local\r\nhost", "summary_url is not an address"),
        ("http://löcal", "summary_url is not an address"),
        (f"https://me:{KEY}@host/v1", "summary_url may have no user, ? or #: a key is the setting summary_key"),
        (f"https://host/v1?key={KEY}", "summary_url may have no user"),
        ("http://192.0.2.1/v1", "summary_key is sent only over https, or to this machine"),
        ("http://localhost.evil/v1", "summary_key is sent only over https"),
    ],
)
def test_an_address_that_is_not_used(url: str, said: str) -> None:
    error = refusal(Endpoint(url, "small", KEY))
    assert str(error).startswith(said)
    assert not error.again


@pytest.mark.parametrize("key", ["a\r\nX: y", "ä", "a\0"])
def test_a_key_that_no_header_can_have(key: str) -> None:
    assert str(refusal(Endpoint("https://host", "small", key))) == "summary_key has characters that no header can have"


def test_nothing_shows_the_key() -> None:
    assert KEY not in repr(Endpoint("https://host", "small", KEY))
    assert json.dumps(KEY)[1:-1] == KEY
