# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks that the hosts of all parts of a group share: a stage holds them at the context server while its host works.

A slot of a lock is a lock of the server, with a lease that is renewed while the stage runs. If the controller is
killed, the host ends the stage by itself, and the lease runs longer than that.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256

from ansible_collections.rack.recipes.plugins.module_utils.live_client import LiveError, Lost
from rack_recipes.errors import RackError
from rack_recipes.run.context_server_client import GroupKeys, Heartbeat
from rack_recipes.run.stage.resource_locks import Resource

PAUSE = 0.5  # seconds between two tries
HEARTBEATS = 8  # in the time of a lease
SPARE = 1.5  # by how much the lease is longer than that of the stage on its host
SHOWN = 30  # characters of the lock's name in that of the server's lock
OTHERS = re.compile("[^a-z0-9_]")  # what a name of the server's locks cannot have


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who takes locks, and how: `lease` is that of the stage on its host, `patience` is for a server that is away.

    Times are in seconds. `wait` sleeps, and raises where the stage must not wait any more.
    """

    group_keys: GroupKeys
    owner: str
    lease: float
    patience: float
    wait: Callable[[float], None]

    @contextmanager
    def holding(self, wanted: Iterable[Resource]) -> Iterator[None]:
        """Hold a slot of each resource. Raises RackError where the server does not answer."""
        with ExitStack() as held:
            for resource in wanted:
                held.enter_context(self._slot(resource))
            yield

    @contextmanager
    def _slot(self, resource: Resource) -> Iterator[None]:
        names = [self.group_keys.lock_name(part) for part in _names(resource)]
        lease = SPARE * self.lease + resource.settle_sec
        name = self._free_slot(resource, names, lease)
        heartbeat = Heartbeat(lease / HEARTBEATS, lambda: self.group_keys.lock(name, self.owner, lease), lambda: None)
        try:
            yield
        finally:
            heartbeat.end()
            with suppress(LiveError):  # then it is free when its lease is over
                if resource.settle_sec:
                    self.group_keys.lock(name, self.owner, resource.settle_sec)
                else:
                    self.group_keys.unlock(name, self.owner)

    def _free_slot(self, resource: Resource, names: Iterable[str], lease: float) -> str:
        """Lock a slot that is free; returns its name."""
        until = time.monotonic() + self.patience
        while True:
            try:
                for name in names:
                    if self.group_keys.lock(name, self.owner, lease):
                        return name
                until = time.monotonic() + self.patience
            except Lost as error:
                if time.monotonic() > until:
                    raise RackError(f"lock {resource.name}: {error}") from error
            except LiveError as error:
                raise RackError(f"lock {resource.name}: {error}") from error
            self.wait(PAUSE)


def _names(resource: Resource) -> list[str]:
    """A name for each slot, which people can recognise."""
    shown = OTHERS.sub("_", resource.name.lower())[:SHOWN]
    digest = sha256(f"{resource.name}\0{resource.value}".encode()).hexdigest()[:16]
    return [f"{shown}_{digest}_{slot}" for slot in range(resource.capacity)]
