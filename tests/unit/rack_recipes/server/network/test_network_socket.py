# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.server.network.listening_sockets import Tls, open_network_socket, parse_address, tls_context


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:8470", ("::1", 8470)),
        ("rack-7.lab:0", ("rack-7.lab", 0)),
    ],
)
def test_an_address(text, parts):
    assert parse_address(text) == parts


@pytest.mark.parametrize("text", ["", "8470", ":8470", "::1:80", "host", "host:", "host:65536", "host:a", "[x]:1"])
def test_what_is_no_address(text):
    with pytest.raises(UsageError, match="--listen: expected HOST:PORT such as 127"):
        parse_address(text)


def test_only_this_machine_is_served_without_tls():
    for text in ("127.0.0.1:0", "[::1]:0", "localhost:0"):
        open_network_socket(text, None).close()
    for text in ("0.0.0.0:0", "[::]:0"):
        with pytest.raises(UsageError, match="without TLS: everybody on the network could read tokens and values"):
            open_network_socket(text, None)


def test_a_port_that_is_taken_and_a_host_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"--listen 127.0.0.1:{port}: Address already in use"):
            open_network_socket(f"127.0.0.1:{port}", None)
    with pytest.raises(UsageError, match=r"--listen: nowhere\.invalid is no address of a network"):
        open_network_socket("nowhere.invalid:1", None)


def test_files_of_tls_that_are_wrong(tmp_path: Path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    with pytest.raises(UsageError, match=r"--tls-key .*key\.pem: No such file"):
        tls_context(Tls(cert, key))
    key.write_text("no key")
    key.chmod(0o644)
    with pytest.raises(UsageError, match="everybody can read it, so it is no secret: chmod 600"):
        tls_context(Tls(cert, key))
    key.chmod(0o600)
    with pytest.raises(UsageError, match=r"--tls-cert .*cert\.pem: No such file"):
        tls_context(Tls(cert, key))
    cert.write_text("no certificate")
    with pytest.raises(UsageError, match="is not in PEM form, or the key does not fit it"):
        tls_context(Tls(cert, key))
