# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has signed in, for how long, and which forms are theirs."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import PEER
from rack_recipes.server.network.clients import Peer
from rack_recipes.server.problems import Problem
from rack_recipes.web.sign_in import COOKIE, FIELD, LEAVE, MOST_SESSIONS, Sessions, check_form


def scope(**headers: str) -> dict[str, object]:
    return {"client": PEER, "headers": [(name.encode(), text.encode("latin-1")) for name, text in headers.items()]}


def cookie_of(header: str) -> str:
    return header.partition(";")[0]


def parts(header: str) -> set[str]:
    return {part.strip() for part in header.split(";")}


def test_a_token_opens_a_session_that_has_its_role(served):
    header = served.sessions.sign_in(scope(), f" {served.tokens['author']} ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={LEAVE}"} <= parts(header)
    assert "Secure" not in parts(header)
    visitor = served.sessions.visitor(scope(cookie=f"other=1; {cookie_of(header)}"))
    assert (visitor.caller.name, visitor.caller.role, visitor.is_signed_in) == ("token:author", "author", True)
    assert served.tokens["author"] not in header


def test_with_tls_the_cookie_is_for_tls_alone(served):
    served.sessions.secure = True
    header = served.sessions.sign_in(scope(), served.tokens["viewer"])
    assert header.startswith(f"__Host-{COOKIE}=")
    assert "Secure" in parts(header)


@pytest.mark.parametrize("token", ["", "x", "rrt_0000000000000000_" + "a" * 43, "\x00", "ä", "Bearer x"])
def test_nothing_else_opens_one(served, token):
    with pytest.raises(Problem, match="needs a valid token"):
        served.sessions.sign_in(scope(), token)


@pytest.mark.parametrize("cookies", ["", f"{COOKIE}=x", f"{COOKIE}=", "\x00;;==", f"__Host-{COOKIE}=x"])
def test_a_stranger_is_not_known(served, cookies):
    with pytest.raises(Problem, match="needs a valid token"):
        served.sessions.visitor(scope(cookie=cookies))


def test_a_session_ends_with_its_token(served):
    cookie = cookie_of(served.sessions.sign_in(scope(), served.tokens["viewer"]))
    served.revoke("viewer")
    with pytest.raises(Problem, match="needs a valid token"):
        served.sessions.visitor(scope(cookie=cookie))


def test_a_session_ends_after_half_a_day(served):
    now = [0.0]
    served.sessions.clock = lambda: now[0]
    cookie = cookie_of(served.sessions.sign_in(scope(), served.tokens["viewer"]))
    now[0] = LEAVE - 1
    assert served.sessions.visitor(scope(cookie=cookie)).is_signed_in
    now[0] = LEAVE
    with pytest.raises(Problem, match="needs a valid token"):
        served.sessions.visitor(scope(cookie=cookie))


def test_who_signs_out_is_a_stranger(served):
    cookie = cookie_of(served.sessions.sign_in(scope(), served.tokens["viewer"]))
    assert "Max-Age=0" in parts(served.sessions.sign_out(scope(cookie=cookie)))
    with pytest.raises(Problem, match="needs a valid token"):
        served.sessions.visitor(scope(cookie=cookie))


def test_a_token_in_the_request_counts_before_the_cookie(served):
    cookie = cookie_of(served.sessions.sign_in(scope(), served.tokens["admin"]))
    shown = scope(cookie=cookie, authorization=f"Bearer {served.tokens['viewer']}")
    visitor = served.sessions.visitor(shown)
    assert (visitor.caller.role, visitor.form_token) == ("viewer", "")


def test_the_oldest_sessions_of_the_same_token_end(served):
    first, admin = (cookie_of(served.sessions.sign_in(scope(), served.tokens[who])) for who in ("viewer", "admin"))
    for _number in range(MOST_SESSIONS):
        last = cookie_of(served.sessions.sign_in(scope(), served.tokens["viewer"]))
    assert served.sessions.visitor(scope(cookie=last)).is_signed_in
    assert served.sessions.visitor(scope(cookie=admin)).is_signed_in
    with pytest.raises(Problem, match="needs a valid token"):
        served.sessions.visitor(scope(cookie=first))


def test_what_has_ended_takes_no_place(served):
    first = cookie_of(served.sessions.sign_in(scope(), served.tokens["viewer"]))
    for _number in range(MOST_SESSIONS + 1):
        browser = cookie_of(served.sessions.sign_in(scope(), served.tokens["viewer"]))
        browser = cookie_of(served.sessions.sign_in(scope(cookie=browser), served.tokens["viewer"]))
        served.sessions.sign_out(scope(cookie=browser))
    assert served.sessions.visitor(scope(cookie=first)).is_signed_in
    assert [*served.sessions._of] == ["token:viewer"]
    served.sessions.sign_out(scope(cookie=first))
    assert served.sessions._of == {}


def test_servers_on_one_host_have_cookies_of_their_own(served):
    """Also by a name alone, by an address of IPv6, and where other servers' cookies are anything."""
    token, names = served.tokens["viewer"], []
    for host in ("localhost:8321", "localhost:8322", "localhost", "[::1]:8321", "[::1]"):
        cookie = cookie_of(served.sessions.sign_in(scope(host=host), token))
        names.append(cookie.partition("=")[0])
        shown = f'a={{"b": [1, 2]}}; c="; {cookie.partition("=")[0]}=old; {cookie}'
        assert served.sessions.visitor(scope(host=host, cookie=shown)).is_signed_in
    assert names == [f"{COOKIE}_8321", f"{COOKIE}_8322", COOKIE, f"{COOKIE}_8321", COOKIE]


def test_a_certificate_needs_no_session_but_a_token_in_forms(served):
    served.grant("ci", "operator", certificate="ci.lab")
    visitor = served.sessions.visitor({"client": Peer("192.0.2.7", 1, None, ("ci.lab",)), "headers": []})
    assert (visitor.caller.name, visitor.is_signed_in) == ("certificate:ci", False)
    check_form(visitor, {FIELD: visitor.form_token}, {})
    with pytest.raises(Problem, match="not one that this server made"):
        check_form(visitor, {}, {})


def test_a_form_of_another_session_or_of_another_site_is_refused(served):
    cookies = [cookie_of(served.sessions.sign_in(scope(), served.tokens["admin"])) for _number in range(2)]
    own, other = (served.sessions.visitor(scope(cookie=cookie)) for cookie in cookies)
    check_form(own, {FIELD: own.form_token}, {"sec-fetch-site": "same-origin"})
    for form, headers in (
        ({}, {}),
        ({FIELD: ""}, {}),
        ({FIELD: other.form_token}, {}),
        ({FIELD: "ä"}, {}),
        ({FIELD: own.form_token}, {"sec-fetch-site": "cross-site"}),
        ({FIELD: own.form_token}, {"sec-fetch-site": "same-site"}),
    ):
        with pytest.raises(Problem, match="not one that this server made"):
            check_form(own, form, headers)


def test_each_server_makes_form_tokens_of_its_own(served):
    cookie = cookie_of(served.sessions.sign_in(scope(), served.tokens["admin"]))
    other = Sessions(served.sessions.identify, _open=served.sessions._open)
    assert served.sessions.visitor(scope(cookie=cookie)) != other.visitor(scope(cookie=cookie))
