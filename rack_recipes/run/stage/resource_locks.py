# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks that hosts share: a stage holds a slot of each named resource while its host works.

A slot is a file in the run's folder that is locked by `flock`, so that a worker that is killed frees it. The file says
that the slot is held, or since when it is free. A holder that was killed has left it as held, so the time at which
others find it counts.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rack_recipes.errors import UsageError
from rack_recipes.private_files import FILE_MODE, make_private, try_lock
from rack_recipes.recipe.recipe_model import Lock
from rack_recipes.recipe.steps_to_and_from_data import from_data

PAUSE = 0.1  # seconds between two looks at slots that are taken
HELD = b"held"
WIDTH = 20  # bytes in the file of a slot


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """What is locked: the lock's name and, where there is one for each value of a variable, the value.

    `capacity` holders may use it at once. After each, it rests for `settle_sec` seconds.
    """

    name: str
    value: str
    capacity: int = 1
    settle_sec: float = 0.0

    def slots(self, folder: Path) -> list[Path]:
        """The file of each slot."""
        key = sha256(f"{self.name}\0{self.value}".encode()).hexdigest()[:20]
        return [folder / f"{key}-{slot}" for slot in range(self.capacity)]


def resources(
    locks: Mapping[str, Mapping[str, object]],
    steps: Iterable[Mapping[str, Any]],
    host: str,
    variable: Callable[[str], Any],
) -> list[Resource]:
    """The resources of these steps, sorted: all stages lock in one order, so that no two wait for each other.

    `variable` returns a variable of the host. Raises UsageError where the host lacks one.
    """
    names = {name for step in steps for name in step.get("locks") or () if name in locks}
    return sorted(_resource(from_data(Lock, locks[name], name=name), host, variable) for name in names)


def _resource(lock: Lock, host: str, variable: Callable[[str], Any]) -> Resource:
    value = "" if lock.of == "run" else variable(lock.of)
    if value is None:
        raise UsageError(f"lock {lock.name}: {host or 'the run'} has no variable {lock.of!r}, of which it is one each")
    return Resource(lock.name, json.dumps(value, sort_keys=True), lock.capacity, lock.settle_sec)


Admit = Callable[[str, int], AbstractContextManager[None]]


def _at_once(_name: str, _number: int) -> AbstractContextManager[None]:
    return nullcontext()


@contextmanager
def hold_locks(
    wanted: Iterable[Resource], folder: Path, wait: Callable[[float], None], admitted: Admit = _at_once
) -> Iterator[None]:
    """Hold a slot of each resource; `wait` sleeps for seconds, and raises where the stage must not wait any more.

    `admitted` lets so many of this process look for a slot at a time: a thousand that look together are a load.
    """
    with ExitStack() as held:
        for resource in wanted:
            held.enter_context(admitted(f"{resource.name}\0{resource.value}", resource.capacity))
            held.enter_context(_slot(resource, folder, wait))
        yield


@contextmanager
def _slot(resource: Resource, folder: Path, wait: Callable[[float], None]) -> Iterator[None]:
    make_private(folder)
    while (slot := _free_slot(resource, folder)) is None:
        wait(PAUSE)
    try:
        _mark(slot, HELD)
        yield
    finally:
        _mark_free(slot)
        os.close(slot)


def _free_slot(resource: Resource, folder: Path) -> int | None:
    """Lock a slot that is free and has rested; returns its descriptor, None where there is none now."""
    for path in resource.slots(folder):
        slot = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        if try_lock(slot) and _has_rested(slot, resource.settle_sec):
            return slot
        os.close(slot)
    return None


def _has_rested(slot: int, settle_sec: float) -> bool:
    mark = os.pread(slot, WIDTH, 0).strip()
    if mark == HELD:
        _mark_free(slot)
    return not mark or not settle_sec or (mark != HELD and time.monotonic() - float(mark) >= settle_sec)


def _mark_free(slot: int) -> None:
    _mark(slot, b"%.3f" % time.monotonic())  # one clock for all processes, which nobody can set


def _mark(slot: int, text: bytes) -> None:
    os.pwrite(slot, text.ljust(WIDTH), 0)  # one write of a fixed length: nobody reads a part of it
