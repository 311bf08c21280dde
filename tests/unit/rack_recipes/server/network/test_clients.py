# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.server.network.clients import LARGEST_HEAD, Limits, Peer, Turnstile, check_head, names_of, user_name
from rack_recipes.server.problems import Problem


def test_a_user_without_a_name_is_a_number():
    assert user_name(0) == "root"
    assert user_name(3_999_999_999) == "3999999999"


def test_the_names_of_a_certificate():
    certificate = {
        "subject": ((("organizationName", "Lab"),), (("commonName", "ci"),)),
        "subjectAltName": (("DNS", "ci.lab"), ("DNS", "ci"), ("email", "ci@lab"), ("IP Address", "192.0.2.1")),
    }
    assert names_of(certificate) == ("ci", "ci.lab", "ci@lab")
    assert names_of({}) == ()


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("odd", "odd"),
    ],
)
def test_addresses_that_one_client_can_have_count_together(address, client):
    assert Peer(address, 1).client == client


def test_users_of_the_unix_socket_are_not_counted():
    assert Peer("0", 1, 0).client == ""


ONE, TWO, OWNER = Peer("192.0.2.1", 1), Peer("192.0.2.2", 1), Peer("0", 1, 0)


class Clock:
    """A clock that is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def sent(turnstile: Turnstile, peer: Peer, number: int) -> int:
    """How many of some requests were let through."""
    passed = 0
    for _each in range(number):
        try:
            turnstile.count(peer)
        except Problem:
            continue
        passed += 1
    return passed


def test_a_client_sends_so_many_requests_a_second_and_others_are_not_touched():
    clock = Clock()
    turnstile = Turnstile(Limits(requests=10), clock)
    assert sent(turnstile, ONE, 50) == 10
    assert sent(turnstile, TWO, 5) == 5
    with pytest.raises(Problem) as raised:
        turnstile.count(ONE)
    assert (raised.value.kind, raised.value.headers) == ("too-many", {"retry-after": "1"})
    assert raised.value.detail == "192.0.2.1 may send 10 requests a second"
    clock.now += 0.5
    assert sent(turnstile, ONE, 50) == 5
    clock.now += 60
    turnstile.forget()
    assert sent(turnstile, ONE, 50) == 10, "what was not used is not saved up"
    assert sent(turnstile, OWNER, 5000) == 5000


def test_a_client_has_so_many_connections_and_all_have_so_many():
    turnstile = Turnstile(Limits(connections=2, all_connections=4), Clock())
    assert [turnstile.enter(peer) for peer in (ONE, ONE, TWO)] == [None] * 3
    third = turnstile.enter(ONE)
    assert third
    assert (third.kind, third.detail) == ("too-many", "192.0.2.1 has 2 connections already")
    fifth = turnstile.enter(TWO)
    assert fifth
    assert fifth.detail == "the server has 4 connections already"
    for peer in (ONE, ONE, TWO):
        turnstile.leave(peer)
    assert turnstile.enter(ONE) is None


def test_the_first_line_and_the_headers_have_a_limit_together():
    scope = {"raw_path": b"/", "query_string": b"a" * 9, "headers": [(b"a", b"b" * (LARGEST_HEAD - 11))]}
    check_head(scope)
    for more, status in (({"headers": [(b"a", b"b" * LARGEST_HEAD)]}, 431), ({"raw_path": b"/" * LARGEST_HEAD}, 414)):
        with pytest.raises(Problem) as raised:
            check_head({**scope, "headers": [], **more})
        assert raised.value.status == status
