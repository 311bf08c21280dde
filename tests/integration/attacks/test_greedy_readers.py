# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers that want all of a large context: others are served in between, and who leaves costs nothing any more.

What a request waits for is counted as CPU time of the server, so that a busy machine changes nothing.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.bench.server_readers import Reader, delta, memory, reading, write_context
from ansible_collections.rack.recipes.tests.integration.server.server_process import TIMEOUT, Server, served
from rack_recipes.journal.append import append
from rack_recipes.server.live.turns import MOST_OF_ONE

KEYS = 20_000
LONG, VERSIONS, SIZE = "long.history_v1", 300, 20_000  # a key that was set often, to values of so many bytes
HOSTS = 5_000
MANY_ITEMS = 100_000  # of a list that is set twice
BEFORE_LAST = KEYS + VERSIONS + HOSTS + 1  # the number of the change before the last one
HOLD = 0.1  # seconds of CPU time; all at once the least of these readers takes twice as long
ROOM = 20  # MiB; the answer with all keys has 4 of text, and was made of 40 of objects

ROOM_OF_FIELDS = 150  # two versions of one large value are compared field by field


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with many keys, a key with a long history, and messages of many hosts."""
    folder = tmp_path_factory.mktemp("project")
    journal = write_context(folder, KEYS)
    append(journal, [delta(LONG, str(number) + "x" * SIZE) | {"based_on": number} for number in range(VERSIONS)])
    append(journal, [delta("message.here_v1", 1, f"host{number}") for number in range(HOSTS)])
    lists = [[*range(first, first + MANY_ITEMS)] for first in (0, 1)]
    append(journal, [delta("large.list_v1", value) | {"based_on": number} for number, value in enumerate(lists)])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with served("--patience", "600") as started:
            yield started


def cpu(server: Server) -> float:
    """The seconds of CPU time that the server's loop has used."""
    pid = server.process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def longest_hold(server: Server, readers: list[Reader], most: int = 2000) -> float:
    """The most CPU time that a write waited for while somebody read, until that was over."""
    longest = 0.0
    threads = [threading.Thread(target=reader.run) for reader in readers]
    for thread in threads:
        thread.start()
    connection = server.connection()
    for number in range(most):
        before = cpu(server)
        assert connection.ask("PUT", "/ctx/probe_v1", number).status == 200
        longest = max(longest, cpu(server) - before)
        if number > 50 and not any(thread.is_alive() for thread in threads):
            break
    connection.close()
    for reader in readers:
        reader.is_over.set()
    for thread in threads:
        thread.join()
    return longest


@pytest.mark.parametrize(
    ("target", "least"),
    [
        ("/ctx", 3_000_000),
        (f"/ctx?at={KEYS - 1}", 3_000_000),
        ("/ctx?key=no.*", 0),
        ("/diff?from=0", 3_000_000),
        (f"/diff?from={BEFORE_LAST}&to={BEFORE_LAST + 1}", MANY_ITEMS * 20),
        ("/events?since=0", 3_000_000),
        ("/events?since=0&key=no.*", 0),
        (f"/ctx/{LONG}/history?limit=1000", VERSIONS * SIZE),
        ("/ctx/bench.k1x_v1", 0),
        ("/messages/here", 0),
    ],
)
def test_others_are_served_in_between(server, target, least):
    before = memory(server.process.pid)
    reader = Reader(server.socket, target)
    assert longest_hold(server, [reader]) < HOLD
    assert reader.size >= least
    room = ROOM_OF_FIELDS if str(BEFORE_LAST) in target else ROOM
    assert memory(server.process.pid) - before < room


def test_many_readers_together_hold_up_nobody(server):
    readers = [Reader(server.socket, target) for target in ("/ctx", "/diff?from=0", "/events?since=0") * 3]
    assert longest_hold(server, readers, 500) < HOLD


@pytest.mark.parametrize("target", ["/events?since=0", "/ctx", "/diff?from=0"])
def test_a_reader_that_leaves_costs_nothing_any_more(server, target):
    link = socket.socket(socket.AF_UNIX)
    link.connect(server.socket)
    link.sendall(f"GET {target} HTTP/1.1\r\nHost: ctx\r\n\r\n".encode())
    got = 0
    while got < 200_000:
        got += len(link.recv(65_536))
    link.close()
    before = cpu(server)
    for number in range(20):
        assert server.ask("PUT", "/ctx/probe_v1", number).status == 200
    time.sleep(0.5)
    assert cpu(server) - before < HOLD + 0.1, "twenty writes, and half a second of looking around"


def test_an_answer_in_pieces_is_the_context_at_one_moment(server):
    is_over = threading.Event()

    def write() -> None:
        connection, number = server.connection(), 0
        while not is_over.is_set():
            for key in ("a.first_v1", "z.last_v1", f"b.new{number}_v1"):
                assert connection.ask("PUT", f"/ctx/{key}", number).status == 200
            number += 1
            time.sleep(0.005)
        connection.close()

    server.ask("PUT", "/ctx/a.first_v1", -1)
    server.ask("PUT", "/ctx/z.last_v1", -1)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _each in range(2):
            found = server.ask("GET", "/ctx").data
            again = server.ask("GET", f"/ctx?at={found['at']}").data["context"]
            assert sum(row["version"] for row in found["context"]) == found["at"], "each change made one version"
            assert [row | {"seq": 0} for row in found["context"]] == [row | {"seq": 0} for row in again]
            held = {row["key"]: row["value"] for row in found["context"]}
            assert held["a.first_v1"] - held["z.last_v1"] in (0, 1)
            assert held.get(f"b.new{held['z.last_v1'] + 1}_v1") is None
            assert [row["key"] for row in found["context"]] == sorted(row["key"] for row in found["context"])
    finally:
        is_over.set()
        writer.join()


@contextmanager
def unread(server: Server, target: str, number: int) -> Iterator[list[bytes]]:
    """So many answers of which nobody reads more than the head; returns their first lines."""
    links = [socket.socket(socket.AF_UNIX) for _each in range(number)]
    try:
        heads = []
        for link in links:
            link.settimeout(TIMEOUT)
            link.connect(server.socket)
            link.sendall(f"GET {target} HTTP/1.1\r\nHost: ctx\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += link.recv(1)
            heads.append(head)
        yield heads
    finally:
        for link in links:
            link.close()


def test_long_answers_that_nobody_reads_are_limited(server):
    before = memory(server.process.pid)
    with unread(server, "/ctx", MOST_OF_ONE + 3) as heads:
        lines = [head.split(b"\r\n")[0].split()[1] for head in heads]
        assert lines == [b"200"] * MOST_OF_ONE + [b"429"] * 3
        assert b"\r\nretry-after: 2\r\n" in heads[-1]
        refused = server.ask("GET", "/ctx").data
        assert refused["detail"].startswith(f"the server is sending {MOST_OF_ONE} long answers, {MOST_OF_ONE} of them")
        assert len(server.ask("GET", "/ctx?key=bench.k1_v1").data["context"]) == 1, "what is short is answered"
        assert server.ask("PUT", "/ctx/probe_v1", 1).status == 200
    assert memory(server.process.pid) - before < ROOM
    until = time.monotonic() + TIMEOUT
    while server.ask("GET", "/ctx").status == 429:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_another_process_appends_at_once_is_read_in_between(server):
    records = [delta(f"other.k{number}_v1", number) for number in range(KEYS)]
    longest, connection = 0.0, server.connection()
    append(server.journal, records)
    last = f"/ctx/other.k{KEYS - 1}_v1"
    while connection.ask("GET", last).status == 404:
        before = cpu(server)
        assert connection.ask("GET", "/ctx/bench.k1_v1").status == 200
        longest = max(longest, cpu(server) - before)
    connection.close()
    assert longest < HOLD
    assert server.ask("PUT", last.replace("other", "later"), 1).data["seq"] > KEYS


def test_it_ends_soon_with_readers_in_the_middle(server):
    """The last test of this server."""
    links = [server.connection() for _each in range(2)]
    for link, target in zip(links, ("/ctx", "/diff?from=0"), strict=True):
        link.request("GET", target)
    answers = [link.getresponse() for link in links]
    with reading([Reader(server.socket, "/events?since=0") for _each in range(3)]):
        acknowledged = server.ask("PUT", "/ctx/kept_v1", "kept").data
        began, before = time.monotonic(), cpu(server)
        server.process.terminate()
        while (used := _cpu_or_none(server)) is not None:
            assert used - before < 5
            assert time.monotonic() - began < TIMEOUT
            time.sleep(0.05)
        assert server.stop() == 0
    for link, answer in zip(links, answers, strict=True):
        with pytest.raises(http.client.IncompleteRead):  # nobody takes the beginning for the whole
            json.loads(answer.read())
        link.close()
    server.start()
    assert server.ask("GET", "/ctx/kept_v1").data["value"] == acknowledged["value"]


def _cpu_or_none(server: Server) -> float | None:
    """What the server has used; None once it has ended."""
    return cpu(server) if server.process.poll() is None else None
