# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks that the hosts of all parts share."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.live_client import Lost, Refused
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.memory_group_keys import MemoryGroupKeys
from rack_recipes.errors import RackError
from rack_recipes.run.stage.group_locks import LockHolder
from rack_recipes.run.stage.resource_locks import Resource


class Waited(Exception):
    """All slots are taken."""


def wait(_seconds: float) -> None:
    raise Waited


def holder(group_keys: MemoryGroupKeys, owner: str) -> LockHolder:
    return LockHolder(group_keys, owner, 40.0, 0.0, wait)  # type: ignore[arg-type]


def test_as_many_hold_a_lock_as_it_has_room():
    group_keys, pdu = MemoryGroupKeys(), Resource("Rack PDU", '"left"', capacity=2)
    with holder(group_keys, "a").holding([pdu]), holder(group_keys, "b").holding([pdu]):
        assert sorted(owner for owner, _lease in group_keys.locks.values()) == ["a", "b"]
        assert all(name.startswith("group_1.rack_pdu_") for name in group_keys.locks)
        with pytest.raises(Waited), holder(group_keys, "c").holding([pdu]):
            pass
        with holder(group_keys, "c").holding([Resource("Rack PDU", '"right"')]):
            pass
    assert group_keys.locks == {}


def test_a_lock_outlasts_the_stage_on_its_host_and_rests_behind_it():
    group_keys, tester = MemoryGroupKeys(), Resource("tester", "", settle_sec=5.0)
    with holder(group_keys, "a").holding([tester]):
        assert [*group_keys.locks.values()] == [("a", 65.0)]
    assert [owner for owner, _lease in group_keys.locks.values()] == ["a"]


@pytest.mark.parametrize("error", [Lost("it is away"), Refused("no"), Lost("gone")])
def test_a_server_that_gives_no_lock(monkeypatch: pytest.MonkeyPatch, error: Exception):
    def lock(*_about: object) -> bool:
        raise error

    group_keys = MemoryGroupKeys()
    monkeypatch.setattr(group_keys, "lock", lock)
    with (
        pytest.raises(RackError, match=f"lock tester: {error}"),
        holder(group_keys, "a").holding([Resource("tester", "")]),
    ):
        pass
