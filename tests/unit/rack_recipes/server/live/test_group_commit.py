# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta
from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.live.live_contexts import (
    KEY,
    begun,
    opened,
    setting,
)
from rack_recipes.journal.append import append
from rack_recipes.server.live import group_commit, live_context
from rack_recipes.server.live.key_operations import INCREMENT, WriteRequest
from rack_recipes.server.problems import Problem
from rack_recipes.server.served_context import Service, make_service

ADD = WriteRequest("count_v1", "", INCREMENT, {"by": 1})


def service_in(folder: Path, **options: bool) -> Service:
    return make_service(opened(begun(folder)), **options)


@pytest.mark.parametrize("fsync", [False, True])
def test_all_that_waits_goes_out_in_one_write(tmp_path, monkeypatch, fsync):
    sizes = []
    append_lines = live_context.append_lines

    def counted(descriptor, lines):
        sizes.append(len(lines))
        return append_lines(descriptor, lines)

    monkeypatch.setattr(live_context, "append_lines", counted)
    service = service_in(tmp_path, fsync=fsync)

    async def storm() -> list[int]:
        written = await asyncio.gather(*(service.commit.write(ADD) for _each in range(50)))
        return sorted(one.version for one in written)

    assert asyncio.run(storm()) == [*range(1, 51)]
    assert sizes == [50]


@pytest.mark.parametrize("fsync", [False, True])
def test_writes_that_take_long_go_out_one_after_the_other(tmp_path, monkeypatch, fsync):
    monkeypatch.setattr(live_context, "SOON", 0.0)
    service = service_in(tmp_path, fsync=fsync)

    async def storm() -> list[int]:
        return [one.version for one in await asyncio.gather(*(service.commit.write(ADD) for _each in range(20)))]

    assert asyncio.run(storm()) == [*range(1, 21)], "in the order in which they came"


@pytest.mark.parametrize("fsync", [False, True])
def test_what_others_have_appended_is_read_in_slices_before_a_write(tmp_path, monkeypatch, fsync):
    monkeypatch.setattr(group_commit, "SLICE", 0.0)
    service = service_in(tmp_path, fsync=fsync)
    append(tmp_path / "journal.jsonl", [delta(0, scope="run", key="count_v1", after=10, based_on=0)])
    append(tmp_path / "journal.jsonl", [delta(0, scope="run", key=f"k{n}_v1", based_on=0) for n in range(20)])
    written = asyncio.run(service.commit.write(ADD))
    assert (written.version, written.text, service.live.index.last) == (2, "11", 22)


def test_one_refused_write_is_the_problem_of_its_sender_alone(tmp_path):
    service = service_in(tmp_path)

    async def both() -> list[object]:
        return await asyncio.gather(
            service.commit.write(setting(1, 4)), service.commit.write(setting(2)), return_exceptions=True
        )

    problem, written = asyncio.run(both())
    assert isinstance(problem, Problem)
    assert written.version == 1


def test_a_write_that_another_process_came_before_is_tried_again(tmp_path, monkeypatch):
    service = service_in(tmp_path)
    theirs = [delta(0, scope="run", key="count_v1", after=10, based_on=0)]
    append_lines = live_context.append_lines

    def append_late(descriptor, lines):
        while theirs:
            append(tmp_path / "journal.jsonl", [theirs.pop()])
        return append_lines(descriptor, lines)

    monkeypatch.setattr(live_context, "append_lines", append_late)
    written = asyncio.run(service.commit.write(ADD))
    assert (written.version, written.text) == (2, "11")


def test_a_client_that_is_gone_holds_up_nobody(tmp_path):
    service = service_in(tmp_path)

    async def cancelled() -> int:
        first = asyncio.ensure_future(service.commit.write(ADD))
        await asyncio.sleep(0)
        first.cancel()
        return (await service.commit.write(ADD)).version

    assert asyncio.run(cancelled()) in (1, 2)


class SlowDisk:
    """A disk whose sync ends when the test says so."""

    def __init__(self, service: Service) -> None:
        self.may_end = threading.Event()
        self.fails = False
        self.syncs = 0
        service.live.sync = self.sync

    def sync(self) -> None:
        self.syncs += 1
        self.may_end.wait(30)
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def service(tmp_path) -> Service:
    return service_in(tmp_path, fsync=True)


def test_nothing_is_answered_or_told_before_it_is_on_the_disk(service):
    disk = SlowDisk(service)

    async def tried() -> tuple[bool, bool, int, int]:
        first = asyncio.ensure_future(service.commit.write(ADD))
        await asyncio.sleep(0.05)
        rest = [asyncio.ensure_future(service.commit.write(ADD)) for _each in range(10)]
        reading = asyncio.ensure_future(service.commit.settle())
        await asyncio.sleep(0.05)
        before = first.done(), reading.done(), service.listeners.told
        disk.may_end.set()
        await asyncio.gather(first, *rest, reading)
        return *before, service.listeners.told

    assert asyncio.run(tried()) == (False, False, 0, 11)
    assert disk.syncs == 2, "all that came during a sync is written and synced together"


def test_after_a_failed_sync_nothing_is_written_or_read(service):
    disk = SlowDisk(service)
    disk.fails = True
    disk.may_end.set()

    async def tried() -> list[str]:
        problems = []
        for tries in (service.commit.write(ADD), service.commit.write(setting(1)), service.commit.settle()):
            with pytest.raises(Problem) as raised:
                await tries
            problems.append(raised.value.detail)
        return problems

    assert asyncio.run(tried()) == ["what was written last may not be on the disk: Input/output error"] * 3
    assert service.listeners.told == 0
    assert disk.syncs == 1


def test_what_other_processes_append_is_told(tmp_path):
    service = service_in(tmp_path)

    async def follow() -> bool:
        follower = asyncio.ensure_future(service.commit.follow())
        append(tmp_path / "journal.jsonl", [delta(0, scope="run")])
        found = await service.listeners.wait_beyond(0, 20)
        follower.cancel()
        return found

    assert asyncio.run(follow())
    assert service.live.context.get(KEY) == {"mean": 2.5}


def test_a_fault_of_ours_is_answered_too(tmp_path, monkeypatch, capsys):
    service = service_in(tmp_path)
    monkeypatch.setattr(service.live, "commit", lambda _requests: 1 / 0)
    with pytest.raises(Problem) as raised:
        asyncio.run(service.commit.write(ADD))
    assert raised.value.kind == "internal"
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_journal_that_cannot_be_read_stops_writes(tmp_path):
    service = service_in(tmp_path)
    journal = tmp_path / "journal.jsonl"
    append(journal, [delta(0, scope="run")])
    journal.rename(tmp_path / "away")
    with pytest.raises(Problem) as raised:
        asyncio.run(service.commit.write(ADD))
    assert (raised.value.kind, raised.value.detail[-25:]) == ("cannot-write", "No such file or directory")
