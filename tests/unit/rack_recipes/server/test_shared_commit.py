# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import Mock

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.live.live_contexts import (
    KEY,
    begun,
    opened,
    setting,
)
from rack_recipes.errors import UsageError
from rack_recipes.server.live import live_context
from rack_recipes.server.live.key_operations import INCREMENT, WriteRequest
from rack_recipes.server.problems import Problem
from rack_recipes.server.served_context import Service, make_service
from rack_recipes.server.shared_run import LostRecordsError, SharedLogError, catch_up, connect, open_shared_run
from rack_recipes.settings import Settings

ADD = WriteRequest("count_v1", "", INCREMENT, {"by": 1})
SILENT = SharedLogError("Valkey does not answer: it is away")


class Kept:
    """The entries that all servers share; `page` of them come at once."""

    def __init__(self, page: int = 1000) -> None:
        self.lines: list[bytes] = []
        self.page = page
        self.fault: Exception | None = None
        self.asked = 0


class Log:
    """It as one server sees it."""

    def __init__(self, kept: Kept, known: int = 0) -> None:
        self.kept = kept
        self.known = known

    def append(self, lines: Sequence[bytes]) -> list[bytes] | None:
        self.kept.asked += 1
        if self.kept.fault:
            raise self.kept.fault
        if missing := self.kept.lines[self.known : self.known + self.kept.page]:
            self.known += len(missing)
            return missing
        self.kept.lines += lines
        self.known += len(lines)
        return None

    def wait(self, seconds: float) -> bool:
        if self.kept.fault:
            raise self.kept.fault
        return self.known < len(self.kept.lines)


def server(folder: Path, kept: Kept) -> Service:
    """A server whose copy is empty but for what is in the log."""
    folder.mkdir(exist_ok=True)
    if not kept.lines:
        kept.lines.append(begun(folder / "first").read_bytes())
    journal = folder / "journal.jsonl"
    journal.touch()
    live, log = opened(journal), Log(kept)
    catch_up(live, log)
    return make_service(live, log=log)


def value(service: Service, key: str = KEY) -> str:
    entry = service.live.context.entry(key, "")
    assert entry
    return entry.text


def test_a_copy_is_brought_up_to_the_log_page_after_page(tmp_path: Path) -> None:
    kept = Kept(page=2)
    first = server(tmp_path / "a", kept)

    async def write() -> None:
        for number in range(5):
            await first.commit.write(setting(number))

    asyncio.run(write())
    second = server(tmp_path / "b", kept)
    assert value(second) == "4"
    assert (tmp_path / "a/journal.jsonl").read_bytes() == (tmp_path / "b/journal.jsonl").read_bytes()


def test_what_waits_goes_out_in_one_exchange(tmp_path: Path) -> None:
    kept = Kept()
    service = server(tmp_path, kept)
    kept.asked = 0

    async def storm() -> list[int]:
        written = await asyncio.gather(*(service.commit.write(ADD) for _each in range(50)))
        return sorted(one.version for one in written)

    assert asyncio.run(storm()) == [*range(1, 51)]
    assert kept.asked == 1


def test_a_write_is_decided_on_what_others_have_written(tmp_path: Path) -> None:
    kept = Kept()
    first, second = (server(tmp_path / name, kept) for name in "ab")

    async def writes() -> None:
        await first.commit.write(setting("a", 0))
        with pytest.raises(Problem) as caught:
            await second.commit.write(setting("b", 0))
        assert caught.value.more["current"]["value"] == "a"
        assert (await second.commit.write(setting("b", 1))).version == 2
        assert (await first.commit.write(ADD)).text == "1"
        assert (await second.commit.write(ADD)).text == "2"

    asyncio.run(writes())


def test_a_conflict_with_what_is_no_longer_true_is_none(tmp_path: Path) -> None:
    """A client may know a version from the other server, which this one has not read yet."""
    kept = Kept()
    first, second = (server(tmp_path / name, kept) for name in "ab")

    async def writes() -> None:
        await first.commit.write(setting("a", 0))
        await first.commit.write(setting("b", 1))
        assert (await second.commit.write(setting("c", 2))).version == 3

    asyncio.run(writes())


def test_a_request_that_another_server_has_done_is_not_done_again(tmp_path: Path) -> None:
    kept = Kept()
    first, second = (server(tmp_path / name, kept) for name in "ab")
    request = WriteRequest("count_v1", "", INCREMENT, {"by": 1}, request="r1")

    async def writes() -> None:
        assert not (await first.commit.write(request)).repeated
        again = await second.commit.write(request)
        assert (again.repeated, again.text) == (True, "1")

    asyncio.run(writes())


def test_a_read_waits_until_the_copy_is_whole(tmp_path: Path) -> None:
    kept = Kept(page=1)
    first, second = (server(tmp_path / name, kept) for name in "ab")

    async def reads() -> None:
        for number in range(3):
            await first.commit.write(setting(number))
        await asyncio.gather(*(second.commit.refresh() for _each in range(10)))
        assert value(second) == "2"

    asyncio.run(reads())


def test_listeners_hear_of_what_other_servers_write(tmp_path: Path) -> None:
    kept = Kept()
    first, second = (server(tmp_path / name, kept) for name in "ab")

    async def follow() -> bool:
        following = asyncio.create_task(second.commit.follow())
        await first.commit.write(setting(1))
        heard = await second.listeners.wait_beyond(0, 60)
        following.cancel()
        return heard

    assert asyncio.run(follow())


def test_a_log_that_does_not_answer_refuses_what_waits_and_is_asked_again(tmp_path: Path) -> None:
    kept = Kept()
    service = server(tmp_path, kept)

    async def writes() -> None:
        kept.fault = SILENT
        found = await asyncio.gather(service.commit.write(setting(1)), service.commit.refresh(), return_exceptions=True)
        assert [(each.kind, each.detail) for each in found] == [("cannot-write", str(SILENT))] * 2  # type: ignore[union-attr]
        assert "Idempotency-Key" in found[0].advice  # type: ignore[union-attr]
        following = asyncio.create_task(service.commit.follow())
        await asyncio.sleep(0)
        kept.fault = None
        assert (await service.commit.write(setting(2))).version == 1
        following.cancel()

    asyncio.run(writes())


@pytest.mark.parametrize("fault", ["lost", "disk"])
def test_a_copy_that_is_no_use_any_more_answers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    kept = Kept()
    service = server(tmp_path, kept)

    def full(_file: int, _lines: Sequence[bytes]) -> tuple[int, int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def writes() -> list[object]:
        if fault == "lost":
            kept.fault = LostRecordsError("Valkey has lost records")
        else:
            monkeypatch.setattr(live_context, "append_lines", full)
        first = await asyncio.gather(service.commit.write(setting(1)), return_exceptions=True)
        kept.fault = None
        monkeypatch.undo()
        return [
            *first,
            *await asyncio.gather(service.commit.write(setting(2)), service.commit.refresh(), return_exceptions=True),
        ]

    said = {(each.kind, each.advice) for each in asyncio.run(writes())}  # type: ignore[attr-defined]
    assert said == {("cannot-write", "ask another server, see to the reason, and start this one again")}


@pytest.mark.parametrize("written", [0, 10])
def test_a_copy_without_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    kept = Kept()
    service = server(tmp_path, kept)
    monkeypatch.setattr(live_context, "append_lines", lambda _file, _lines: (written, 0))

    async def write() -> str:
        with pytest.raises(Problem) as caught:
            await service.commit.write(setting(1))
        return caught.value.detail

    assert asyncio.run(write()) == f"{tmp_path}/journal.jsonl: No space left on device"


def test_a_log_that_does_not_answer_at_the_start(tmp_path: Path) -> None:
    kept = Kept()
    server(tmp_path / "a", kept)
    kept.fault = SILENT
    with pytest.raises(UsageError, match="it is away"):
        server(tmp_path / "b", kept)


def test_a_client_that_is_gone_is_not_answered(tmp_path: Path) -> None:
    """Its request was on its way; the others get their answers."""
    kept = Kept()
    service = server(tmp_path, kept)
    gate = threading.Event()
    append_to_log = Log.append

    async def writes() -> int:
        log = service.commit._log  # type: ignore[attr-defined]
        log.append = lambda lines: gate.wait(60) and append_to_log(log, lines)
        gone = [asyncio.create_task(service.commit.write(setting(1))), asyncio.create_task(service.commit.refresh())]
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        gate.set()
        return (await service.commit.write(ADD)).version

    assert asyncio.run(writes()) == 1


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("valkey://127.0.0.1:1/0", "Valkey at valkey://127.0.0.1:1/0 does not answer"),
        ("http://x", "http://x is no address of a Valkey server: it has to begin with valkey://"),
        ("x:6379", "'x:6379' is no address of a Valkey server: it has to begin with valkey://"),
        ("valkey://x:6379/one", "the number of a database, such as /0, and not /one"),
        ("valkey://x/0?socket_timeout=1000", "there is no option 'socket_timeout'"),
        ("valkey://x/0?connection_class=y", "there is no option 'connection_class'"),
        ("valkeys://127.0.0.1:1/0?ssl_x=y", "valkeys://127.0.0.1:1/0 is no address of a Valkey"),
        ("unix://", "the path of the socket is missing"),
        ("unix:///nowhere/valkey.sock", "unix:///nowhere/valkey.sock does not answer"),
        ("valkey://:s3/cr3t@x:6379", "or of the setting `valkey` is no address of a Valkey"),
    ],
)
def test_an_address_that_is_none(address: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        connect(address)
    assert said in str(refused.value)
    assert "cr3t" not in str(refused.value)


def test_merge_hooks_need_one_server() -> None:
    with pytest.raises(UsageError, match="merge hooks run in one server"):
        open_shared_run(Settings(merge=(("power.*", "hook site.later"),)), Mock())
