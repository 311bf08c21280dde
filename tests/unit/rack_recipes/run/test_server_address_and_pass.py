# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rack_recipes.run import server_address_and_pass
from rack_recipes.run.server_address_and_pass import CONTROLLER, host_of, pass_of


def test_a_run_finds_its_server(tmp_path):
    assert server_address_and_pass.read_server_address(tmp_path) is None
    place = server_address_and_pass.make_step_socket(tmp_path)
    server_address_and_pass.write_server_address(tmp_path, place)
    assert server_address_and_pass.read_server_address(tmp_path) == place
    assert stat.S_IMODE((tmp_path / server_address_and_pass.FILE).stat().st_mode) == 0o600
    assert (place.pid, len(place.key_bytes), len(place.path) < 60) == (os.getpid(), 32, True)
    server_address_and_pass.remove_server_address(tmp_path, place)
    assert server_address_and_pass.read_server_address(tmp_path) is None
    assert not Path(place.path).parent.exists()


def test_a_server_that_is_started_again_takes_the_same_place(tmp_path):
    place = server_address_and_pass.make_step_socket(tmp_path)
    server_address_and_pass.write_server_address(tmp_path, place)
    Path(place.path).parent.chmod(0o711)
    assert server_address_and_pass.make_step_socket(tmp_path) == place
    assert stat.S_IMODE(Path(place.path).parent.stat().st_mode) == 0o700
    Path(place.path).parent.rmdir()
    other = server_address_and_pass.make_step_socket(tmp_path)
    assert (other.key != place.key, other.path != place.path) == (True, True)
    server_address_and_pass.remove_server_address(tmp_path, other)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"path": "x", "key": "k", "pid": "none"}'])
def test_a_file_that_is_none(tmp_path, text):
    (tmp_path / server_address_and_pass.FILE).write_text(text)
    assert server_address_and_pass.read_server_address(tmp_path) is None


KEY = b"k" * 32


@pytest.mark.parametrize("host", ["leaf1", "", "10.0.0.1", "lab/leaf:1", "höhe 1", CONTROLLER])
def test_a_pass_is_for_its_host(host):
    given = pass_of(KEY, host)
    assert host_of(KEY, given) == host or (host == CONTROLLER and host_of(KEY, given) == CONTROLLER)
    assert given.isascii()
    assert " " not in given
    assert host_of(b"other", given) is None


@pytest.mark.parametrize("given", ["", ":", "leaf1", "leaf1:", "leaf1:00", "leaf1:ü"])
def test_what_is_no_pass(given):
    assert host_of(KEY, given) is None


def test_no_host_is_taken_for_the_controller():
    assert pass_of(KEY, "%2F") != pass_of(KEY, CONTROLLER)
    assert host_of(KEY, pass_of(KEY, "leaf1").replace("leaf1", "leaf2")) is None
