# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.http.asgi_calls import Answer, call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.live.live_contexts import begun, opened
from rack_recipes.server import http
from rack_recipes.server.access.caller import ADMIN, AUTHOR, OPERATOR, ROLES, VIEWER, Caller
from rack_recipes.server.http.app import make_app
from rack_recipes.server.http.route_table import ROUTES
from rack_recipes.server.served_context import make_service

LEASE = {"owner": "a", "lease": 60}


@pytest.fixture
def as_caller(tmp_path: Path) -> Any:
    """A function that asks as somebody."""
    service = make_service(opened(begun(tmp_path)))

    def ask(caller: Caller, *request: Any) -> Answer:
        return call(make_app(service, lambda _scope: caller), *request)

    return ask


@pytest.mark.parametrize(
    ("request_", "needs"),
    [
        (("GET", "/ctx"), VIEWER),
        (("POST", "/locks/a", LEASE), OPERATOR),
        (("PUT", "/ctx/a_v1", 1), AUTHOR),
        (("POST", "/ctx", {"key": "a_v1", "value": 1}), AUTHOR),
    ],
)
def test_a_route_needs_a_role(as_caller, request_, needs):
    ranks = [*ROLES]
    for role in ROLES:
        answer = as_caller(Caller("zoe", role), *request_)
        assert (answer.status == 200) == (ranks.index(role) >= ranks.index(needs)), role
    if needs != VIEWER:
        refused = as_caller(Caller("zoe", VIEWER), *request_).data
        assert refused["detail"].startswith(f"zoe has the role viewer, {request_[0]} /")
        assert refused["detail"].endswith(f" needs {needs}")
        assert refused["advice"] == f"ask with a token of the role {needs}"


def test_what_changes_something_needs_more_than_a_viewer():
    assert {entry.role for entry in ROUTES if entry.method == "GET"} == {VIEWER}
    assert {entry.role for entry in ROUTES if entry.method != "GET"} <= {OPERATOR, AUTHOR, ADMIN}


def test_keys_out_of_reach_are_neither_shown_nor_changed(as_caller):
    owner, guest = Caller("zoe"), Caller("guest", keys=("link.*", "lock.port_*"))
    for key in ("link.a_v1", "power.a_v1"):
        as_caller(owner, "PUT", f"/ctx/{key}", 1)
    assert [row["key"] for row in as_caller(guest, "GET", "/ctx").data["context"]] == ["link.a_v1"]
    assert [row["key"] for row in as_caller(guest, "GET", "/ctx?at=2").data["context"]] == ["link.a_v1"]
    assert [row["key"] for row in as_caller(guest, "GET", "/diff?from=0").data["context"]] == ["link.a_v1"]
    assert as_caller(guest, "PUT", "/ctx/link.a_v1", 2).status == 200
    assert as_caller(guest, "POST", "/locks/port_7", LEASE).status == 200
    refused = [
        as_caller(guest, *request)
        for request in (
            ("GET", "/ctx/power.a_v1"),
            ("GET", "/ctx/power.a_v1/history"),
            ("GET", "/ctx/power.a_v1/hosts?hosts=leaf1"),
            ("PUT", "/ctx/power.a_v1", 2),
            ("PUT", "/ctx/power.a_v1?version=0", 2),
            ("POST", "/ctx/power.a_v1/increment", {"by": 1}),
            ("POST", "/ctx", {"key": "power.a_v1", "value": 1}),
            ("POST", "/locks/power", LEASE),
        )
    ]
    assert {answer.status for answer in refused} == {403}
    assert refused[0].data["detail"] == "guest may read the keys link.*, lock.port_*, not power.a_v1"
    assert refused[3].data["detail"] == "guest may write the keys link.*, lock.port_*, not power.a_v1"
    assert as_caller(guest, "GET", "/ctx/link.b_v1").data["advice"] == "did you mean 'link.a_v1'?"


def test_a_run_out_of_reach_is_not_served(as_caller):
    assert as_caller(Caller("zoe", runs=("R*",)), "GET", "/ctx").status == 200
    assert as_caller(Caller("zoe", runs=("S*", "T*")), "GET", "/ctx").data["detail"] == (
        "zoe may see the runs S*, T*, not R1"
    )


def test_a_policy_has_its_say(as_caller):
    def objection(action: str, key: str) -> str:
        return f"policy.yml:3: no {action}" if (action, key) in {("read", "a_v1"), ("write", "b_v1")} else ""

    zoe = Caller("zoe", objection=objection)
    details = [
        as_caller(zoe, *request).data.get("detail")
        for request in (("GET", "/ctx/a_v1"), ("PUT", "/ctx/a_v1", 1), ("PUT", "/ctx/b_v1", 1), ("PUT", "/ctx/c_v1", 1))
    ]
    assert details == ["policy.yml:3: no read", "policy.yml:3: no read", "policy.yml:3: no write", None]


def test_a_token_that_is_revoked_while_its_request_waits_gets_no_answer(as_caller):
    validity = iter([False, False])
    gone = Caller("zoe", is_valid=partial(next, validity, False))
    assert as_caller(gone, "GET", "/ctx/a_v1?wait=0.01").status in (401, 404)
    as_caller(Caller("zoe"), "PUT", "/ctx/a_v1", 1)
    answer = as_caller(gone, "GET", "/ctx/a_v1")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="rack-recipes"')
    assert as_caller(gone, "PUT", "/ctx/a_v1", 2).status == 401


def test_no_handler_gets_around_the_check_of_keys():
    """Writes go through Call.write, which asks whether the caller may."""
    folder = Path(http.__path__[0])
    assert [file.name for file in folder.glob("*.py") if "call.service.commit.write(" in file.read_text()] == []
