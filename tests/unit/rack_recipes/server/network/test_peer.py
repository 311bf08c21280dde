# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.server.network.clients import Peer, names_of, user_name


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
