# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks that hosts share, held by processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.run.stage import resource_locks as module
from rack_recipes.run.stage.resource_locks import Resource, hold_locks, resources

PDU = Resource("pdu", '"p1"')


class Waited(Exception):
    """Somebody waits for a slot."""


def wait(_seconds: float) -> None:
    raise Waited


def takes(folder: Path, *wanted: Resource) -> bool:
    """Whether all are free at once."""
    try:
        with hold_locks(wanted, folder, wait):
            return True
    except Waited:
        return False


@contextmanager
def a_holder(folder: Path, resource: Resource) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a slot until it is killed."""
    program = f"""
import time
from pathlib import Path
from {module.__name__} import Resource, hold_locks
with hold_locks([{resource!r}], Path({str(folder)!r}), time.sleep):
    print("held", flush=True)
    time.sleep(30)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


LOCKS: dict[str, dict[str, Any]] = {
    "pdu": {"of": "pdu", "capacity": 2, "settle_sec": 5},
    "fabric": {},
    "bench": {"of": "run"},
}


def test_what_steps_take_has_one_order_for_all():
    steps = [{"locks": ["pdu", "disk"]}, {"locks": ["fabric", "pdu"]}, {}]
    assert resources(LOCKS, steps, "r1", {"pdu": "p1"}.get) == [
        Resource("fabric", '""'),
        Resource("pdu", '"p1"', 2, 5),
    ]
    assert resources(LOCKS, [{"name": "a"}], "r1", {}.get) == []


@pytest.mark.parametrize(("host", "who"), [("r1", "r1"), ("", "the run")])
def test_a_host_without_the_variable(host: str, who: str):
    with pytest.raises(UsageError) as caught:
        resources(LOCKS, [{"locks": ["pdu"]}], host, {}.get)
    assert str(caught.value) == f"lock pdu: {who} has no variable 'pdu', of which it is one each"


def test_one_of_each_value_at_once(tmp_path: Path):
    with hold_locks([PDU], tmp_path, wait):
        assert not takes(tmp_path, PDU)
        assert takes(tmp_path, Resource("pdu", '"p2"'), Resource("other", '"p1"'))
    assert takes(tmp_path, PDU)


def test_as_many_as_there_are_slots(tmp_path: Path):
    two = Resource("pdu", "1", capacity=2)
    with hold_locks([two], tmp_path, wait):
        with hold_locks([two], tmp_path, wait):
            assert not takes(tmp_path, two)
        assert takes(tmp_path, two)


def test_where_one_is_taken_the_others_are_given_back(tmp_path: Path):
    first, second = Resource("a", ""), Resource("b", "")
    with hold_locks([second], tmp_path, wait):
        assert not takes(tmp_path, first, second)
        assert takes(tmp_path, first)


def test_a_slot_settles_before_it_is_taken_again(tmp_path: Path):
    resource = Resource("pdu", "1", settle_sec=0.3)
    with hold_locks([resource], tmp_path, wait):
        pass
    released = time.monotonic()
    assert not takes(tmp_path, resource)
    assert takes(tmp_path, Resource("pdu", "1"))
    with hold_locks([resource], tmp_path, time.sleep):
        assert time.monotonic() - released > 0.25


def test_others_wait_until_it_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PAUSE", 0.01)
    with a_holder(tmp_path, PDU) as holder:
        pauses: list[float] = []

        def let_go(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                holder.kill()
                holder.wait()

        with hold_locks([PDU], tmp_path, let_go):
            assert len(pauses) == 3


def test_a_killed_holder_frees_its_slot_which_settles_from_then_on(tmp_path: Path):
    resource = Resource("pdu", "1", settle_sec=0.3)
    with a_holder(tmp_path, resource) as holder:
        holder.kill()
        holder.wait()
        assert not takes(tmp_path, resource)
        found = time.monotonic()
        with hold_locks([resource], tmp_path, time.sleep):
            assert time.monotonic() - found > 0.25


def test_what_is_started_meanwhile_does_not_hold_on(tmp_path: Path):
    """As ssh's own connection does, which stays."""
    with hold_locks([PDU], tmp_path, wait):
        sleeper = subprocess.Popen(["sleep", "30"])
    assert takes(tmp_path, PDU)
    sleeper.kill()
    sleeper.wait()


def test_the_files_are_for_their_owner_alone(tmp_path: Path):
    folder = tmp_path / "locks"
    assert takes(folder, PDU)
    assert [path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())] == [0o700, 0o600]
    assert all(os.sep not in path.name for path in Resource("../x", "../y").slots(Path("locks")))
