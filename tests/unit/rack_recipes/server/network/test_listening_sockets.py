# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.server.network import listening_sockets
from rack_recipes.server.network.clients import credentials_of
from rack_recipes.server.network.listening_sockets import Tls, open_network_socket, parse_address, tls_context


@pytest.mark.parametrize(
    ("text", "parts"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:8470", ("::1", 8470)), ("rack-7.lab:0", ("rack-7.lab", 0))],
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


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a short path: pytest's own may be too long for a socket
    return tmp_path / "server" / "ctx.sock"


def test_only_its_owner_reaches_it(path):
    before = os.umask(0)
    try:
        with listening_sockets.open_unix_socket(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(before)


def test_a_shared_one_is_reached_by_others_in_a_folder_that_only_its_owner_changes(path):
    path.parent.mkdir(mode=0o755)
    path.parent.chmod(0o755)
    with listening_sockets.open_unix_socket(path, shared=True):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
    path.parent.chmod(0o775)
    with pytest.raises(UsageError, match=f"can be written by other users: chmod go-w {path.parent}"):
        listening_sockets.open_unix_socket(path, shared=True)


def test_what_an_ended_server_left_is_replaced(path):
    listening_sockets.open_unix_socket(path).close()
    assert path.is_socket()
    with listening_sockets.open_unix_socket(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert credentials_of(client) == (os.getpid(), os.getuid())


def test_a_living_server_is_not_replaced(path):
    with listening_sockets.open_unix_socket(path), pytest.raises(UsageError) as raised:
        listening_sockets.open_unix_socket(path)
    pid = os.getpid()
    assert str(raised.value) == (
        f"a server listens at {path} already, process {pid}: use it, end it with `kill {pid}`, or give another --socket"
    )


def test_a_file_of_another_kind_stays(path):
    path.parent.mkdir(mode=0o700)
    path.write_text("precious")
    with pytest.raises(UsageError, match="is there and is no socket: remove it, or give another --socket"):
        listening_sockets.open_unix_socket(path)
    assert path.read_text() == "precious"


def test_a_folder_that_others_can_enter_is_refused(path):
    path.parent.mkdir(mode=0o700)
    path.parent.chmod(0o750)
    with pytest.raises(UsageError, match=f"can be entered by other users: chmod 700 {path.parent}"):
        listening_sockets.open_unix_socket(path)


def test_a_folder_of_another_user_is_refused(path, monkeypatch):
    path.parent.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(UsageError, match="belongs to another user; give a socket in a folder of yours"):
        listening_sockets.open_unix_socket(path)


def test_a_path_may_be_too_long(tmp_path):
    with pytest.raises(UsageError, match="a socket's path may have 107 bytes; give a shorter one with --socket"):
        listening_sockets.open_unix_socket(tmp_path / ("x" * 120))


def test_only_its_own_socket_is_removed(path):
    with listening_sockets.open_unix_socket(path):
        listening_sockets.remove_unix_socket(path, path.stat().st_ino + 1)
        assert path.is_socket()
        listening_sockets.remove_unix_socket(path, path.stat().st_ino)
        listening_sockets.remove_unix_socket(path, 0)
    assert not path.exists()
