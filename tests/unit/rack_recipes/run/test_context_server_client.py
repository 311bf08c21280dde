# SPDX-License-Identifier: GPL-3.0-or-later

"""The address of the server at which parts meet."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.live_client import ERROR, Lost, Request
from rack_recipes.errors import UsageError
from rack_recipes.run.context_server_client import Heartbeat, ServerLink, link_of
from rack_recipes.settings import Settings


@pytest.mark.parametrize(
    "address",
    [
        "http://ctx.example:80",
        "https://ctx.example",
        "https://:8470",
        "https://ctx.example:8470/ctx",
        "ftp://127.0.0.1:21",
        "https://ctx.example:port",
        "https://[::1",
    ],
)
def test_an_address_that_is_none(address: str):
    with pytest.raises(UsageError, match="expected the path of its socket, or https://HOST:PORT"):
        ServerLink(address)


@pytest.mark.parametrize("address", ["ctx.sock", "/run/ctx.sock", "https://ctx.example:8470/", "http://[::1]:8470"])
def test_an_address(address: str):
    assert ServerLink(address).address == address


def test_a_token_goes_with_each_request():
    assert link_of(Settings(server="ctx.sock", server_token="rr_1")).own_headers() == ["Authorization: Bearer rr_1"]
    assert ServerLink("ctx.sock").own_headers() == []


def test_a_file_that_is_no_authority(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(UsageError, match=r"server_ca .*ca\.pem: "):
        ServerLink("https://ctx.example:8470", authority=str(tmp_path / "ca.pem"))


def test_a_server_that_is_not_there_is_named(tmp_path: Path):
    link = ServerLink(str(tmp_path / "{none}.sock"))
    with pytest.raises(Lost, match=r"the context server .*\{none\}\.sock cannot be reached: No such file"):
        link.ask(Request("GET", "/", {}), 1, ERROR)


def appears(path: Path) -> bool:
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.02)
    return path.exists()


def test_it_tells_until_it_is_ended(tmp_path: Path):
    heartbeat = Heartbeat(0.01, (tmp_path / "alive").touch, (tmp_path / "dead").touch)
    assert appears(tmp_path / "alive")
    heartbeat.end()
    heartbeat.end()
    (tmp_path / "alive").unlink()
    assert not [*tmp_path.iterdir()]


def test_it_says_that_its_parent_was_killed(tmp_path: Path):
    parent = os.fork()
    if not parent:
        Heartbeat(60.0, (tmp_path / "alive").touch, (tmp_path / "dead").touch)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    assert appears(tmp_path / "dead")
    assert not (tmp_path / "alive").exists()
