# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks that hosts share: named resources of which a stage holds a slot from before its host is asked to its end.

A slot is a file in the run's folder, held by `flock`, so that a worker that is killed frees it. It says since when it
is free, or that it is held: a holder that was killed could not say when it stopped.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import make_private

PAUSE = 0.1  # seconds between two looks at slots that are taken
HELD = b"held"
WIDTH = 20  # bytes that a slot says


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """What is locked: the lock's name and, where it is one of many, which."""

    name: str
    value: str
    capacity: int = 1
    settle_sec: float = 0.0

    def slots(self, folder: Path) -> list[Path]:
        """The file of each slot."""
        key = sha256(f"{self.name}\0{self.value}".encode()).hexdigest()[:20]
        return [folder / f"{key}-{slot}" for slot in range(self.capacity)]


def resources(
    locks: Mapping[str, Mapping[str, Any]],
    steps: Iterable[Mapping[str, Any]],
    host: str,
    variable: Callable[[str], Any],
) -> list[Resource]:
    """What these steps take, in the order in which all take it, so that no two ever wait for each other.

    `variable` gives a variable of the host. Raises UsageError where the host has no such one.
    """
    names = {name for step in steps for name in step.get("locks") or () if name in locks}
    return sorted(_resource(name, locks[name], host, variable) for name in names)


def _resource(name: str, lock: Mapping[str, Any], host: str, variable: Callable[[str], Any]) -> Resource:
    of = lock.get("of", "run")
    value = "" if of == "run" else variable(of)
    if value is None:
        raise UsageError(f"lock {name}: {host or 'the run'} has no variable {of!r}, of which it is one each")
    return Resource(name, json.dumps(value, sort_keys=True), lock.get("capacity", 1), lock.get("settle_sec", 0.0))


@contextmanager
def holding_locks(wanted: Iterable[Resource], folder: Path, wait: Callable[[float], None]) -> Iterator[None]:
    """Hold a slot of each resource; `wait` sleeps, and raises once nobody should wait any more."""
    with ExitStack() as held:
        for resource in wanted:
            held.enter_context(_slot(resource, folder, wait))
        yield


@contextmanager
def _slot(resource: Resource, folder: Path, wait: Callable[[float], None]) -> Iterator[None]:
    make_private(folder)
    while (slot := _free_slot(resource, folder)) is None:
        wait(PAUSE)
    try:
        _say(slot, HELD)
        yield
    finally:
        _say_free(slot)
        os.close(slot)


def _free_slot(resource: Resource, folder: Path) -> int | None:
    """A slot that is free and has settled, taken; None where there is none now."""
    for path in resource.slots(folder):
        slot = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _is_taken(slot) and _has_settled(slot, resource.settle_sec):
            return slot
        os.close(slot)
    return None


def _is_taken(slot: int) -> bool:
    try:
        fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _has_settled(slot: int, settle_sec: float) -> bool:
    said = os.pread(slot, WIDTH, 0).strip()
    if said == HELD:
        _say_free(slot)
    return not said or not settle_sec or (said != HELD and time.monotonic() - float(said) >= settle_sec)


def _say_free(slot: int) -> None:
    _say(slot, b"%.3f" % time.monotonic())  # the same for all processes, whatever becomes of the clock


def _say(slot: int, text: bytes) -> None:
    os.pwrite(slot, text.ljust(WIDTH), 0)  # one write of one length: nobody reads half of it
