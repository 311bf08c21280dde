# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.run.server_address_and_pass import CONTROLLER, host_of, pass_of

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
