# SPDX-License-Identifier: GPL-3.0-or-later

"""The serving side of a step between hosts gets a port, and tells once that something listens there."""

from __future__ import annotations

import socket
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.serving_side import (
    LISTENS,
    ServingSide,
    free_port,
    is_open,
)


class Log:
    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def log(self, *told: object) -> None:
        self.told.append(told)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_who_listens_is_seen_by_tcp_and_udp(kind: socket.SocketKind, family: socket.AddressFamily) -> None:
    port = free_port()
    assert not is_open(port)
    with socket.socket(family, kind) as server:
        server.bind(("", port))
        if kind == socket.SOCK_STREAM:
            assert not is_open(port)
            server.listen()
        assert is_open(port)
    assert not is_open(port)


def test_it_is_told_once_and_the_step_knows_its_port() -> None:
    log, step = Log(), {"name": "link[a,b]", "serves": 0, "words": {"own": {"name": "a"}}}
    side = ServingSide(step, log)  # type: ignore[arg-type]
    assert step["words"] == {"own": {"name": "a", "port": side.port}}
    side.look(time.monotonic())
    assert log.told == []
    with socket.create_server(("127.0.0.1", side.port)):
        side.look(time.monotonic())
        side.look(time.monotonic())
    assert log.told == [("link[a,b]", 1, LISTENS, str(side.port))]


def test_a_port_of_the_recipe_is_taken() -> None:
    step = {"name": "link", "serves": 5201, "words": {"own": {}}}
    assert ServingSide(step, Log()).port == 5201  # type: ignore[arg-type]
