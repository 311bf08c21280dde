# SPDX-License-Identifier: GPL-3.0-or-later

"""What every request to the pages has to pass: names, methods, who asks, role, rights, the token of a form.

By which names pages answer, and whether only this machine reaches them.
"""

from __future__ import annotations

import re
import ssl

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import ServedSite
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import night, store_runs
from rack_recipes.errors import UsageError
from rack_recipes.server.access.caller import ROLES, VIEWER
from rack_recipes.server.network.guarded_server import Listener, listening_on_network
from rack_recipes.web import site
from rack_recipes.web.page_routes import GET, POST, ROUTES
from rack_recipes.web.sign_in import FIELD
from rack_recipes.web.site import LONGEST_FORM


def place(path: str) -> str:
    return re.sub(r"\{\w+\}", "x", path)


def test_every_route_wants_a_token(served):
    for route in ROUTES:
        answer = served.ask(place(route.path), method=route.method, accept="application/json")
        assert (answer.status, answer.data["type"]) == (401, "urn:rack-recipes:problem:not-known"), route.path
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_every_route_wants_its_role(served):
    weaker = {role: [*ROLES][: [*ROLES].index(role)] for role in ROLES}
    for route in ROUTES:
        for role in weaker[route.needs]:
            asked = served.send if route.method == POST else lambda target, _form, who: served.ask(target, who)
            answer = asked(f"{place(route.path)}?format=json", {}, role)
            assert answer.status == 403, (route.path, role)
            assert f"{route.method} {route.path} needs {route.needs}" in answer.data["detail"]


def test_prometheus_reads_the_store_and_is_not_led_to_a_form(served):
    store_runs(night())
    scrape = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    assert served.ask("/metrics", accept=scrape).status == 401
    answer = served.ask("/metrics", "viewer", accept=scrape)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b"\nrack_recipes_runs{" in answer.text


def test_what_changes_something_is_post_and_needs_more_than_looking():
    assert {route.method for route in ROUTES} == {GET, POST}
    assert all((route.method == POST) == (route.needs != VIEWER) or route.method == GET for route in ROUTES)
    assert all(route.again or route.takes for route in ROUTES if route.method == POST)


def test_a_browser_is_led_to_the_form_and_back(served):
    moved = served.ask("/runs/x?a=b%26c")
    assert (moved.status, moved.headers["location"]) == (303, "/sign-in?to=%2Fruns%2Fx%3Fa%3Db%2526c")
    form = served.ask(moved.headers["location"])
    assert b'name="to" value="/runs/x?a=b%26c"' in form.text
    back = served.sign_in({"token": served.tokens["viewer"], "to": "/runs/x?a=b%26c"})
    assert (back.status, back.headers["location"]) == (303, "/runs/x?a=b%26c")


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nset-cookie: x=1", "evil", "", "/ä"]
)
def test_a_sign_in_leads_nowhere_else(served, to):
    answer = served.sign_in({"token": served.tokens["viewer"], "to": to})
    assert answer.headers["location"] == "/runs"


def test_a_wrong_token_is_told_and_sets_no_cookie(served):
    answer = served.sign_in({"token": "rrt_x"})
    assert answer.status == 401
    assert b"This token is not valid here" in answer.text
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert served.ask("/runs?format=json", cookie=cookie).status == 401


def test_a_sign_in_of_another_site_is_refused(served):
    """Who is signed in under a name that is not theirs leaves traces, and secrets, under that name."""
    form = {"token": served.tokens["viewer"]}
    for answer in (
        served.send("/sign-in", form),
        served.sign_in({**form, FIELD: ""}),
        served.sign_in(form, cookie=""),
        served.sign_in(form, sec_fetch_site="cross-site"),
        served.sign_in(form, sec_fetch_site="same-site"),
        served.sign_in(form, origin="http://evil.example"),
    ):
        assert (answer.status, b"This form is not one that this server made" in answer.text) == (403, True)
        cookie = answer.headers["set-cookie"].partition(";")[0]
        assert served.ask("/runs?format=json", cookie=cookie).status == 401
    for headers in ({"sec_fetch_site": "same-origin"}, {"origin": "null"}, {"origin": "http://localhost:1"}):
        assert served.sign_in(form, **headers).status == 303


def test_a_link_of_another_site_signs_nobody_in_by_itself(served):
    """The token in an address is sent by the page's script: only where the reader has opened that address."""
    for origin, is_own in (("none", True), ("same-origin", True), ("cross-site", False), ("same-site", False)):
        assert (b"data-own" in served.ask("/sign-in", sec_fetch_site=origin).text) == is_own
    assert b"data-own" not in served.ask("/sign-in").text


def test_a_session_is_told_who_it_is_and_ends_when_it_signs_out(served):
    browser = served.signed_in("operator")
    assert b"token:operator, operator" in browser.ask("/runs").text
    left = browser.send("/sign-out", {})
    assert (left.status, left.headers["location"]) == (303, "/sign-in")
    assert browser.ask("/runs").status == 303


def test_a_page_is_gone_when_the_token_is_revoked(served):
    browser = served.signed_in("viewer")
    assert browser.ask("/runs").status == 200
    served.revoke("viewer")
    assert (browser.ask("/runs").status, served.ask("/runs?format=json", "viewer").status) == (303, 401)


def test_a_form_without_the_token_of_the_session_does_nothing(served):
    browser = served.signed_in("admin")
    for form in ({}, {FIELD: "x"}):
        answer = served.send("/runs/x/stop?format=json", form, cookie=browser.cookie)
        assert (answer.status, "not one that this server made" in answer.data["detail"]) == (403, True)
    crossed = browser.send("/runs/x/stop?format=json", {}, sec_fetch_site="cross-site")
    assert crossed.status == 403


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"a=1", "text/plain", 415),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"a=\xff", "application/x-www-form-urlencoded", 400),
        (b"a=1&" * 400, "application/x-www-form-urlencoded", 400),
        (b"a=" + b"x" * LONGEST_FORM, "application/x-www-form-urlencoded", 413),
    ],
)
def test_a_body_that_is_no_form_is_refused(served, body, kind, status):
    answer = served.ask("/runs/x/stop?format=json", "admin", method="POST", body=body, content_type=kind)
    assert (answer.status, answer.headers["connection"]) == (status, "close")


def test_other_methods_are_told_which_there_are(served):
    for target, method, allowed in (
        ("/runs", "POST", "GET, HEAD"),
        ("/runs/x/stop", "GET", "POST"),
        ("/runs", "DELETE", "GET, HEAD"),
        ("/sign-out", "GET", "POST"),
        ("/static/pages.js", "PUT", "GET, HEAD"),
    ):
        answer = served.ask(target, "admin", method=method, content_type="application/x-www-form-urlencoded")
        assert (answer.status, answer.headers.get("allow")) == (405, allowed), target
    assert served.ask("/runs", "viewer", method="HEAD").text == b""


def test_by_another_name_nothing_is_answered(served):
    assert served.ask("/runs", "admin", host="evil.example").status == 421
    assert ServedSite(hosts=None).ask("/static/pages.js", host="rack.lab:8321").status == 200


def test_an_endless_address_is_refused(served):
    assert served.ask(f"/runs?q={'x' * 5000}", "admin").status == 414


def test_one_request_too_many_is_told(served):
    from rack_recipes.server.problems import Problem

    def count(_scope: object) -> None:
        raise Problem("too-many", "192.0.2.7 may send 1 requests a second", "wait", headers={"retry-after": "1"})

    served.site.count = count
    answer = served.ask("/runs?format=json", "admin")
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")


def test_a_fault_is_logged_and_told(served, capsys, monkeypatch):
    monkeypatch.setattr(served.source, "going_on", lambda: 1 // 0)
    answer = served.ask("/runs?format=json", "admin")
    assert (answer.status, answer.data["detail"]) == (500, "this page met a fault of the server")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_every_answer_has_the_policy(served):
    for target in ("/runs", "/sign-in", "/static/pages.js", "/nothing"):
        headers = served.ask(target, "admin").headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0"])
def test_a_free_port_is_found_on_this_machine(address):
    with listening_on_network(address, None) as listener:
        assert listener.url.startswith(f"http://{address[:-2]}:")
        assert site.is_own_address(listener)
        assert site.names_of(listener) == {"localhost", "127.0.0.1", "[::1]"}


def test_with_tls_the_certificate_says_which_name_counts():
    with listening_on_network("127.0.0.1:0", None) as listener:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        assert site.names_of(Listener(listener.socket, context, listener.url)) is None


def test_a_port_in_use_is_named():
    with listening_on_network("127.0.0.1:0", None) as first:
        address = first.url.removeprefix("http://")
        with (
            pytest.raises(UsageError, match="in use: give another port, or 0 for any free one"),
            listening_on_network(address, None),
        ):
            pass
