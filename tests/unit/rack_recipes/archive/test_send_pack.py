# SPDX-License-Identifier: GPL-3.0-or-later

"""A pack is sent to servers that take it, refuse it, break off, or are none."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from rack_recipes.archive import send_pack
from rack_recipes.archive.send_pack import Server, send, server_of
from rack_recipes.errors import StoreError, TrustError, UsageError

BODY = b"x" * 3_000_000
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
TOLD = {"run_id": "R1", "page": "/runs/R1"}


def answer(status: int, body: object) -> bytes:
    text = json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(text), text)


class Peer:
    """A server that does with each connection what the next of its `turns` says; `heads` are those of requests."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.heads: list[str] = []
        self.bodies: list[int] = []
        self.turns: list[Callable[[socket.socket], None]] = []
        self.thread = Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def server(self) -> Server:
        return server_of(f"http://127.0.0.1:{self.listener.getsockname()[1]}/", "rrt_1")

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                link, _address = self.listener.accept()
                with link, suppress(OSError):
                    head = b""
                    while not head.endswith(b"\r\n\r\n"):
                        head += link.recv(1)
                    self.heads.append(head.decode())
                    self.turns.pop(0)(link)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(60)
        self.listener.close()

    def takes(self, link: socket.socket) -> None:
        """Take all of it, and say so."""
        link.sendall(GO_ON)
        left = len(BODY)
        while left:
            left -= len(link.recv(left))
        self.bodies.append(len(BODY))
        link.sendall(answer(201, TOLD))

    def says(self, status: int, body: object) -> Callable[[socket.socket], None]:
        """Refuse it before it comes."""
        return lambda link: link.sendall(answer(status, body))

    def breaks_off(self, link: socket.socket) -> None:
        """End the connection in the middle of the body."""
        link.sendall(GO_ON)
        link.recv(1000)


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.close()


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    (tmp_path / "run.tar.gz").write_bytes(BODY)
    return tmp_path / "run.tar.gz"


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The pauses between tries, which are not made."""
    made: list[float] = []
    monkeypatch.setattr(send_pack.time, "sleep", made.append)
    return made


def test_a_pack_is_sent_with_the_token(peer, pack):
    peer.turns = [peer.takes]
    steps: list[tuple[int, int]] = []
    assert send(peer.server, pack, lambda *step: steps.append(step)) == TOLD
    assert steps[-1] == (len(BODY), len(BODY))
    assert peer.heads[0].startswith("POST /uploads HTTP/1.1\r\n")
    for line in ("Authorization: Bearer rrt_1", "Expect: 100-continue", f"Content-Length: {len(BODY)}"):
        assert f"{line}\r\n" in peer.heads[0]
    assert "rrt_1" not in repr(peer.server)


def test_a_server_that_never_says_that_it_goes_on_gets_it_too(peer, pack, monkeypatch):
    def silent(link: socket.socket) -> None:
        left = len(BODY)
        while left:
            left -= len(link.recv(left))
        link.sendall(answer(200, TOLD))

    monkeypatch.setattr(send_pack, "GO_ON", 0.05)
    peer.turns = [silent]
    assert send(peer.server, pack) == TOLD


def test_a_lost_connection_is_tried_again(peer, pack, pauses):
    peer.turns = [peer.breaks_off, lambda _link: None, peer.says(502, {}), peer.takes]
    assert send(peer.server, pack) == TOLD
    assert tuple(pauses) == send_pack.PAUSES


def test_after_some_tries_it_is_given_up(peer, pack, pauses):
    peer.turns = [lambda _link: None] * 4
    with pytest.raises(StoreError, match=r"the server cannot be reached: .*; the run is safe in its folder here"):
        send(peer.server, pack)
    assert (len(peer.heads), tuple(pauses)) == (4, send_pack.PAUSES)


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (403, {"detail": "this server takes no runs", "advice": "add --allow-upload"}, TrustError,
         "this server takes no runs; add --allow-upload"),
        (401, {"detail": "this request needs a valid token"}, TrustError, "this request needs a valid token"),
        (409, {"detail": "there is \x1b[2J another", "advice": ""}, UsageError, "there is ⟨U+001B⟩[2J another"),
        (503, {"detail": "no room"}, StoreError, "no room"),
        (404, {"x": 1}, UsageError, "it is no server of pages that takes runs: it answers with status 404"),
        (404, [], UsageError, "it is no server of pages that takes runs: it answers with status 404"),
        (200, {"run_id": 7}, UsageError, "it is no server of pages that takes runs: it answers with status 200"),
        (403, {"detail": "a" * 3000}, TrustError, "a" * 2000 + "… [cut: 3,000 characters in all]"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_and_not_tried_again(peer, pack, pauses, status, body, kind, told):
    peer.turns = [peer.says(status, body)]
    with pytest.raises(kind) as refused:
        send(peer.server, pack)
    assert str(refused.value) == f"--to {peer.server.address}: {told}"
    assert (peer.bodies, pauses) == ([], [])


def test_a_refusal_in_the_middle_is_told(peer, pack):
    def refuses(link: socket.socket) -> None:
        link.sendall(GO_ON)
        link.recv(1000)
        link.sendall(answer(413, {"detail": "a pack may have 100 bytes here"}))
        while link.recv(100_000):
            pass

    peer.turns = [refuses]
    with pytest.raises(UsageError, match="a pack may have 100 bytes here"):
        send(peer.server, pack)


def test_a_name_that_nobody_has(pack, monkeypatch):
    def unknown(*_words: object, **_more: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    with pytest.raises(UsageError, match="--to https://none:1: there is no such server: Name or service not known"):
        send(server_of("https://none:1", "t"), pack)


@pytest.mark.parametrize("address", ["ctx.sock", "http://rack.lab:8321", "https://rack.lab", "rack.lab:8321"])
def test_an_address_that_is_none(address):
    with pytest.raises(UsageError, match=re.escape(f"--to {address}: expected the")):
        server_of(address, "t")


def test_a_file_that_is_no_authority(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(UsageError, match=r"--ca .*ca\.pem: "):
        server_of("https://rack.lab:8321", "t", str(tmp_path / "ca.pem"))
