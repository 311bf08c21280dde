# SPDX-License-Identifier: GPL-3.0-or-later

"""Fifty writers change one key at the same time, as steps do: none of them starves.

Tries are counted, not seconds. Writers that write again at once need about half as many tries as there are writers for
each change, and nothing limits the tries of one of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import reliability_sweeps
from ansible_collections.rack.recipes.plugins.module_utils import live_client
from ansible_collections.rack.recipes.plugins.module_utils.live_client import Live, Refused
from ansible_collections.rack.recipes.tests.integration.server.server_process import Server, served
from rack_recipes.run import server_address_and_pass
from rack_recipes.run.server_address_and_pass import pass_of

WRITERS = 50
MOST_TRIES = WRITERS // 2  # of one change by `update`
KEY = "contended_v1"
PATIENCE = 600.0  # seconds
HOLDS = f"each change of each writer is done: an increment at once, one by `update` in {MOST_TRIES} tries at most"


def increment(live: Live) -> int:
    live.increment(KEY, timeout=PATIENCE)
    return 1


def update(live: Live) -> int:
    """Change the key by the library's own way; returns how many tries that took."""
    seen: list[Any] = []
    live.update(KEY, lambda value: seen.append(value) or (value or 0) + 1, timeout=PATIENCE)
    return len(seen)


def write_again(live: Live) -> int:
    """The same by a loop that writes again at once."""
    held, tries = {"version": 0, "value": 0}, 0
    while True:
        tries += 1
        try:
            live.set(KEY, held["value"] + 1, version=held["version"], timeout=PATIENCE)
        except Refused as refused:
            held = refused.current
        else:
            return tries


class Writers:
    """Fifty steps of one run, which all begin at once. `tries` are those of each change, writer by writer."""

    def __init__(self, server: Server, change: Callable[[Live], int], changes: int) -> None:
        place = server_address_and_pass.read_server_address(Path(server.journal).parent)
        assert place
        self._given = {"socket": place.path, "pass": pass_of(place.key_bytes, ""), "step": "storm", "scope": "run"}
        self._change, self._changes = change, changes
        self._begin = threading.Barrier(WRITERS, timeout=PATIENCE)
        with ThreadPoolExecutor(WRITERS) as pool:
            self.tries = [*pool.map(self._write, range(WRITERS))]

    def _write(self, _number: int) -> list[int]:
        with closing(Live(self._given)) as live:
            self._begin.wait()
            return [self._change(live) for _change in range(self._changes)]

    def most(self) -> int:
        """The most tries that one change took."""
        return max(map(max, self.tries))

    def mean(self) -> float:
        """The tries of a change."""
        return round(sum(map(sum, self.tries)) / WRITERS / self._changes, 1)


@pytest.mark.usefixtures("project")
def test_fifty_writers_of_one_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live_client, "ANSWER", PATIENCE)  # the machine may be busy
    changes = reliability_sweeps.count(1, 20)
    with reliability_sweeps.sweep("context server: 50 writers on one key", HOLDS) as made:
        ways = (increment, update, write_again) if reliability_sweeps.is_whole() else (increment, update)
        for way in ways:
            with served("--new") as server:
                writers = Writers(server, way, changes)
                assert server.ask("GET", f"/ctx/{KEY}").data["value"] == WRITERS * changes
            assert [len(tries) for tries in writers.tries] == [changes] * WRITERS
            made.done += WRITERS * changes
            made.found |= {f"{way.__name__}, mean tries": writers.mean(), f"{way.__name__}, most tries": writers.most()}
        assert made.found["increment, most tries"] == 1
        assert made.found["update, most tries"] <= MOST_TRIES
