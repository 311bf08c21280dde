# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of processes, while they come and go."""

from __future__ import annotations

import json
import os
import signal
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.process import process_control


def test_who_started_this_process():
    found = process_control.ancestors()
    assert {1, os.getppid()} <= found
    assert os.getpid() not in found


def test_a_parent_may_go_while_it_is_looked_at():
    told, tell = os.pipe()
    parent = os.fork()
    if not parent:
        if os.fork():
            signal.pause()
        _tell_ancestors_without_their_first(tell)
    os.waitpid(parent, 0)  # with this the kernel forgets it
    os.close(tell)
    with open(told, encoding="utf-8") as answer:
        assert json.loads(answer.read()) == [1, parent]


def test_a_parent_may_be_hidden(monkeypatch):
    def stat_of(pid):
        raise FileNotFoundError(pid)

    monkeypatch.setattr(process_control, "stat_of", stat_of)
    assert process_control.ancestors() == {1, os.getppid()}


def _tell_ancestors_without_their_first(tell):
    """Look for the ancestors of this process, of whom the first is killed before it is looked at."""
    first, look = os.getppid(), process_control.stat_of

    def stat_of(pid):
        if os.getppid() == first:
            os.kill(first, signal.SIGKILL)
            while os.path.exists(f"/proc/{first}"):
                time.sleep(0.01)
        return look(pid)

    try:
        process_control.stat_of = stat_of
        os.write(tell, json.dumps(sorted(process_control.ancestors())).encode())
    finally:
        os._exit(0)
