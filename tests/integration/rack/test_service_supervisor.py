# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import service_supervisor
from service_supervisor import ServiceError, free_port

NUMBER = os.getpid() % 62_500
ADDRESS, OTHER = (f"127.{net}.{NUMBER // 250 + 1}.{NUMBER % 250 + 1}" for net in (9, 10))  # of no other process
CANDIDATES = [20101, 20102, 20103]
TAKE_ONE = (
    "import random, sys, service_supervisor; random.sample = lambda *_: [20101, 20102, 20103];"
    f"print(service_supervisor.free_port('{ADDRESS}'), flush=True); sys.stdin.read()"
)


@pytest.fixture(autouse=True)
def few_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "sample", lambda *_arguments: CANDIDATES)


def test_a_port_is_given_once_though_nobody_listens_yet() -> None:
    tools = Path(service_supervisor.__file__).parent
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", TAKE_ONE], cwd=tools, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout
        taken = {int(other.stdout.readline()), free_port(ADDRESS), free_port(ADDRESS)}
        assert taken == set(CANDIDATES)
        with pytest.raises(ServiceError, match=f"no free port between 20000 and 32000 on {ADDRESS}"):
            free_port(ADDRESS)
        other.communicate()
    assert free_port(ADDRESS) in CANDIDATES


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.socket() as listening:
        listening.bind((OTHER, CANDIDATES[0]))
        assert free_port(OTHER) == CANDIDATES[1]
