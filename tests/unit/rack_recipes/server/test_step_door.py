# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.http.asgi_calls import Answer, call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.live.live_contexts import begun, opened
from rack_recipes.run import server_address_and_pass
from rack_recipes.run.run_folders import hold_run
from rack_recipes.run.server_address_and_pass import CONTROLLER, pass_of
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.http.app import make_app
from rack_recipes.server.served_context import make_service
from rack_recipes.server.step_door import step_door


@pytest.fixture
def ask(tmp_path) -> Any:
    """Ask through the door, with the pass of a host."""
    service = make_service(opened(begun(tmp_path, hosts=["leaf1", "leaf2"])))
    with step_door(tmp_path) as door:
        through = door.app(service)

        def asking(host: str | None, method: str, target: str, data: Any = ...) -> Answer:
            given = {} if host is None else {"Rack_Pass": pass_of(door.place.key_bytes, host)}
            return call(through, method, target, data, **given)

        asking.app = make_app(service, lambda _scope: Caller("zoe"))  # type: ignore[attr-defined]
        yield asking


def test_a_step_writes_the_keys_of_its_host_and_of_the_run(ask):
    assert ask("leaf1", "PUT", "/ctx/a_v1?host=leaf1&step=s", 1).status == 200
    assert ask("leaf1", "PUT", "/ctx/a_v1?step=s", 2).status == 200
    assert ask("leaf2", "GET", "/ctx/a_v1?host=leaf1").data["value"] == 1
    who = [call(ask.app, "GET", f"/ctx/a_v1/history{host}").data["changes"][0]["who"] for host in ("?host=leaf1", "")]
    assert who == ["s", "s@leaf1"]


@pytest.mark.parametrize(
    ("host", "request_", "detail"),
    [
        ("leaf1", ("PUT", "/ctx/a_v1?host=leaf2", 1), "a step of leaf1 may not write for leaf2"),
        ("", ("POST", "/messages/x?host=leaf2", 1), "a step of the run may not write for leaf2"),
        ("leaf1", ("PUT", "/ctx/lock.x_v1", 1), "lock.x_v1 is not set as a key"),
        ("leaf1", ("PUT", "/secrets", ["x"]), "only the controller tells secrets"),
        (None, ("GET", "/ctx/a_v1"), "this is no pass of a step of this run"),
    ],
)
def test_what_a_step_may_not(ask, host, request_, detail):
    refused = ask(host, *request_)
    assert (refused.status, refused.data["detail"]) == (403, detail)


@pytest.mark.parametrize("path", ["/events", "/openapi.json", "/ctx", "/diff?from=0"])
def test_a_step_has_no_other_routes(ask, path):
    assert ask("leaf1", "GET", path).status == 404


def test_steps_send_wait_lock_and_abort(ask):
    assert ask("leaf1", "POST", "/messages/x?host=leaf1&step=s", 1).data["round"] == 1
    assert ask("leaf2", "GET", "/messages/x?hosts=leaf1").status == 200
    assert ask("leaf2", "POST", "/locks/p", {"owner": "a", "lease": 1}).status == 200
    assert ask("leaf2", "POST", "/messages/x/abort?host=leaf2&step=s", {"reason": "smoke"}).data["by"] == "leaf2"


def test_the_controller_tells_which_texts_are_secret(ask):
    assert ask(CONTROLLER, "PUT", "/secrets", ["s3cr3t-one", 7]).status == 200
    assert ask("leaf1", "PUT", "/ctx/a_v1?host=leaf1", "the s3cr3t-one").data["value"] == "the ********"


def test_a_door_of_a_run_is_open_as_long_as_the_run(tmp_path):
    with step_door(tmp_path, with_run=True) as door:
        with hold_run(tmp_path):
            assert door.is_open()
        assert not door.is_open()


def test_nothing_is_left_of_a_door(tmp_path):
    with step_door(tmp_path) as door:
        door.tell()
        assert server_address_and_pass.read_server_address(tmp_path) == door.place
    assert not Path(door.place.path).parent.exists()
    assert server_address_and_pass.read_server_address(tmp_path) is None
    assert door.is_open()
