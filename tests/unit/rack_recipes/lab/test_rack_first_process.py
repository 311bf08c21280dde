# SPDX-License-Identifier: GPL-3.0-or-later

"""The cables of a rack end in the networks of its nodes, also where a busy machine is slow to make these."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rack_recipes.lab import rack_first_process

SLOW = "sleep 0.3; exec unshare --net sleep 30"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network namespace")
def test_a_node_is_waited_for_until_its_network_is_there():
    with subprocess.Popen(["sh", "-c", SLOW]) as node:
        rack_first_process.wait_for_network("leaf1", node.pid)
        assert Path(f"/proc/{node.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
        node.kill()


def test_a_node_that_stays_in_the_network_of_the_rack_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rack_first_process, "PATIENCE", 0.05)
    with pytest.raises(rack_first_process.StartError, match="leaf1: it gets no network of its own"):
        rack_first_process.wait_for_network("leaf1", os.getpid())


def test_one_that_has_ended_says_itself_why():
    rack_first_process.wait_for_network("leaf1", 2**22 + 1)
