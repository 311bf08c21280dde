# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage of many hosts in one request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rack_recipes.run.stage.host_request import Request, group_id, group_request, imports_installed, stage_id

VALUES = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.floats(0, 2), st.text(max_size=2))
MESSAGES = st.lists(
    st.dictionaries(st.sampled_from(["steps", "params", "context", "secrets"]), VALUES), min_size=1, max_size=4
)


def request_of(host: str, **fields: Any) -> Request:
    message = {"id": f"id-{host}", "host": host, "collected": [f"old-{host}"], "lease": 9, **fields}
    return Request(message, ((f"{host}.txt", Path(host)), ("same.txt", Path("same"))))


@given(MESSAGES)
def test_each_host_gets_back_what_was_its_own(found: list[dict[str, Any]]):
    requests = [request_of(f"h{number}", **fields) for number, fields in enumerate(found)]
    message = group_request("name", requests, ["gone"]).message
    shared = {name: value for name, value in message.items() if name not in ("hosts", "at_once", "id", "collected")}
    for request, own in zip(requests, message["hosts"], strict=True):
        expected = {name: value for name, value in request.message.items() if name not in ("id", "collected")}
        assert repr(sorted({**shared, **own}.items())) == repr(sorted(expected.items()))


def test_what_all_share_is_said_once():
    request = group_request("name", [request_of("a", steps=[1]), request_of("b", steps=[1])], ["gone"])
    assert request.message == {
        "id": "name",
        "collected": ["gone"],
        "lease": 9,
        "steps": [1],
        "hosts": [{"host": "a"}, {"host": "b"}],
        "at_once": 32,
    }
    assert [name for name, _path in request.files] == ["a.txt", "b.txt", "same.txt"]


def test_one_and_true_are_not_the_same():
    message = group_request("name", [request_of("a", x=1), request_of("b", x=True), request_of("c", x=1.0)], ()).message
    assert [repr(own["x"]) for own in message["hosts"]] == ["1", "True", "1.0"]


def test_no_stage_of_a_host_has_the_name_of_a_group():
    assert group_id("r", 1, "j1") != stage_id("r", 1, "j1")
    assert group_id("r", 1, "j1") != group_id("r", 1, "j2")


def test_a_python_step_of_any_host_needs_what_is_installed():
    python, shell = {"kind": "python"}, {"kind": "shell"}
    for steps, expected in (([python], True), ([shell], False)):
        message = group_request("name", [request_of("a", steps=[shell]), request_of("b", steps=steps)], ()).message
        assert imports_installed(message) is expected
