# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how long writes take at a context with many keys, alone and beside one greedy reader of each kind.

`server_speed.py` runs this. One client writes a key, again and again with a pause of 2 ms. A greedy reader asks for the
whole context, or for all that has happened, and reads as fast as it can; the last kind leaves after 200 KB, and begins
again. Both are in one process, apart from the server. With each kind stands what the server's memory has grown by at
most, and last how long the server takes to end with readers in the middle. Figures are medians of rounds.
"""

from __future__ import annotations

import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.tests.bench.server_writes import COMMAND, connect, http_request, http_whole
from rack_recipes.journal.append import append
from rack_recipes.server.open_served_run import first_record
from rack_recipes.settings import Settings

RUN = "20261129-000000-000000"
TIME = "2026-11-29T00:00:00.000000Z"
VALUE = {"speed": 100, "errors": 0, "unit": "Gbit/s", "note": "x" * 60}
STRIDE = 7919  # a prime number: keys come in no order
BATCH = 10_000
PAUSE = 0.002  # seconds between two writes
ENOUGH = 200_000  # bytes, after which the reader leaves that does
ALONE, LEAVES, END = "alone", "/events?since=0, leaves", "end with readers"
NO_KEY = "/ctx/bench.k1x_v1"


def kinds(keys: int) -> Sequence[str]:
    """What is read beside the writes."""
    half = keys // 2
    return (ALONE, "/ctx", f"/ctx?at={half}", "/ctx?key=no.*", f"/diff?from={half}", "/events?since=0", LEAVES, NO_KEY)


def delta(key: str, value: Any, host: str = "") -> dict[str, Any]:
    """The record of a write by a client of the server."""
    place = {"host": host, "step": "", "attempt": 1, "scope": "host" if host else "run", "key": key}
    return {"kind": "delta", "stage": 0, "n": 0, **place, "after": value, "based_on": 0, "who": "bench", "time": TIME}


def write_context(project: Path, keys: int) -> Path:
    """Write the journal of a context with so many keys into a project, for a server to go on with; returns its path."""
    journal = project / ".rack-recipes" / "runs" / RUN / "journal.jsonl"
    append(journal, [first_record(RUN, Settings(), {})])
    for first in range(0, keys, BATCH):
        numbers = range(first, min(keys, first + BATCH))
        append(journal, [delta(f"bench.k{i * STRIDE % keys}_v1", {**VALUE, "i": i}) for i in numbers])
    return journal


@dataclass
class Reader:
    """A greedy reader: it asks for a target, reads all that comes, and begins again after `leaves_after` bytes."""

    address: str
    target: str
    leaves_after: float = float("inf")
    is_over: threading.Event = field(default_factory=threading.Event)
    size: int = 0

    def run(self) -> None:
        """Read until it is over, or until all has come."""
        while not self.is_over.is_set():
            with connect(self.address) as link:
                link.settimeout(0.5)
                link.sendall(f"GET {self.target} HTTP/1.1\r\nHost: ctx\r\nConnection: close\r\n\r\n".encode())
                if not self._left(link):
                    return

    def _left(self, link: socket.socket) -> bool:
        """Read; returns whether it has left before the end."""
        got = 0
        while not self.is_over.is_set() and got < self.leaves_after:
            try:
                part = link.recv(1 << 18)
            except TimeoutError:
                continue
            if not part:
                return False
            got += len(part)
            self.size += len(part)
        return True


@contextmanager
def reading(readers: Sequence[Reader]) -> Iterator[None]:
    """Readers at work during the block, each in a thread."""
    threads = [threading.Thread(target=reader.run) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for reader in readers:
            reader.is_over.set()
        for thread in threads:
            thread.join()


@contextmanager
def server(project: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server of a project that goes on with its context, and its socket."""
    path = str(project / "ctx.sock")
    words = [sys.executable, "-c", COMMAND, "serve", "--json", "--socket", path]
    with subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            yield process, path
        finally:
            process.kill()


def writes(address: str, goes_on: Callable[[], bool]) -> list[float]:
    """The seconds that each write took, while it goes on."""
    took: list[float] = []
    with connect(address) as link:
        while goes_on():
            began, answer = time.monotonic(), bytearray()
            link.sendall(http_request("PUT", "/ctx/bench.written_v1", str(len(took))))
            while not http_whole(answer):
                answer += link.recv(65536)
            took.append(time.monotonic() - began)
            time.sleep(PAUSE)
    return sorted(took)


def memory(pid: int) -> float:
    """The most memory that a process has had since `forget_peak`, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def forget_peak(pid: int) -> None:
    """Count the most memory from now on; see proc(5) on clear_refs."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def measured(project: Path, keys: int, seconds: float) -> dict[str, tuple[float, ...]]:
    """Of each kind the median, the 99th percentile and the longest of the writes in milliseconds, and MiB of memory."""
    found: dict[str, tuple[float, ...]] = {}
    with server(project) as (process, address):
        for kind in kinds(keys):
            forget_peak(process.pid)
            before, until = memory(process.pid), time.monotonic() + seconds
            target, _comma, leaves = kind.partition(",")
            readers = [Reader(address, target, ENOUGH if leaves else float("inf"))] if kind != ALONE else []
            with reading(readers):
                took = writes(address, lambda until=until: time.monotonic() < until)  # type: ignore[misc]
            figures = (took[len(took) // 2], took[len(took) * 99 // 100], took[-1])
            found[kind] = (*(1000 * each for each in figures), memory(process.pid) - before)
        with reading([Reader(address, target) for target in ("/ctx", "/events?since=0")]):
            time.sleep(0.5)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            if process.wait():
                raise RuntimeError(f"the server ended with {process.returncode}")
            found[END] = (1000 * (time.monotonic() - began),) * 3 + (0.0,)
    return found


def medians(keys: int, seconds: float, rounds: int) -> dict[str, tuple[float, ...]]:
    """Medians of rounds."""
    with tempfile.TemporaryDirectory(prefix="rb") as folder:
        write_context(Path(folder), keys)
        found = [measured(Path(folder), keys, seconds) for _round in range(rounds)]
    return {
        kind: tuple(statistics.median(column) for column in zip(*(each[kind] for each in found), strict=True))
        for kind in found[0]
    }
