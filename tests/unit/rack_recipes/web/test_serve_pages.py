# SPDX-License-Identifier: GPL-3.0-or-later
"""By which names pages answer, and whether only this machine reaches them."""

from __future__ import annotations

import ssl

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.server.network.guarded_server import Listener, listening_on_network
from rack_recipes.web import site


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


def test_another_address_needs_tls():
    with (
        pytest.raises(UsageError, match=r"--listen 0\.0\.0\.0:0 without TLS: everybody on the network could read"),
        listening_on_network("0.0.0.0:0", None),
    ):
        pass


def test_a_port_in_use_is_named():
    with listening_on_network("127.0.0.1:0", None) as first:
        address = first.url.removeprefix("http://")
        with (
            pytest.raises(UsageError, match="in use: give another port, or 0 for any free one"),
            listening_on_network(address, None),
        ):
            pass
