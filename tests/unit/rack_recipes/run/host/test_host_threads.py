# SPDX-License-Identifier: GPL-3.0-or-later

"""Threads that wait for hosts: one works at a time, all wait at once, and each wait has its limit."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.errors import RackError
from rack_recipes.run.host import host_threads
from rack_recipes.run.host.host_threads import (
    FEW_THREADS,
    HostThread,
    HostThreads,
    can_end_clients,
    lease_on_hosts,
    wait_of_this_host,
)
from rack_recipes.run.host.worker_stop import AnswerLimit, NoAnswer, Stopped
from rack_recipes.run.stage.resource_locks import Resource, hold_locks

HOSTS = [f"r{number}" for number in range(8)]
HANGS = [sys.executable, "-c", "import time; time.sleep(600)"]


def own() -> HostThread:
    found = wait_of_this_host()
    assert isinstance(found, HostThread)
    return found


def ask(command: list[str], limit: AnswerLimit = AnswerLimit(60)) -> int:  # noqa: B008 - it is frozen
    return own().within(limit, lambda: subprocess.run(command, check=False).returncode)


def told(work: Callable[[], object]) -> str:
    """What the work raises, as a text; empty where it raises nothing."""
    try:
        work()
    except (Exception, NoAnswer, Stopped) as error:
        return f"{type(error).__name__} {error}".strip()
    return ""


def test_each_host_has_its_own_result():
    assert HostThreads(3).run(HOSTS, lambda host: host.upper()) == {host: host.upper() for host in HOSTS}
    assert HostThreads(3).run([], str) == {}
    assert wait_of_this_host() is None


def test_one_works_at_a_time_and_all_wait_at_once():
    busy, waiting, everybody = [0], [0], threading.Barrier(len(HOSTS), timeout=60)

    def work(_host: str) -> int:
        busy[0] += 1
        most = busy[0]
        time.sleep(0.01)  # the turn is kept
        most = max(most, busy[0])
        busy[0] -= 1
        own().within(AnswerLimit(60), everybody.wait)
        own().sleep(0.01)
        return most

    assert set(HostThreads(len(HOSTS)).run(HOSTS, work).values()) == {1}
    assert waiting == [0]


def test_no_more_are_waited_for_than_there_are_connections():
    waiting, most = [0], [0]
    lock = threading.Lock()

    def wait() -> None:
        with lock:
            waiting[0] += 1
            most[0] = max(most[0], waiting[0])
        time.sleep(0.02)
        with lock:
            waiting[0] -= 1

    HostThreads(3).run(HOSTS, lambda _host: own().within(AnswerLimit(60), wait))
    assert most == [3]


@pytest.mark.parametrize(
    ("connections", "open_hosts", "found"),
    [(8, 8, (math.inf, 0.0, 0.0)), (2, 8, (0.5, 0.16, 10.0)), (128, 1000, (0.64, 20.0, 20.0))],
)
def test_who_waits_for_a_connection_is_asked_to_wait_on_less(
    monkeypatch: pytest.MonkeyPatch, connections: int, open_hosts: int, found: tuple[float, ...]
):
    monkeypatch.setattr(host_threads, "CORES", 4)
    threads = HostThreads(connections)
    threads.hosts = open_hosts
    one = HostThread(threads)
    assert (one.longest_answer, one.before_poll(0), one.before_poll(100)) == found


def test_a_host_goes_on_for_longer_where_many_others_are_asked_before_it():
    found = HostThreads(1).run([f"r{number}" for number in range(100)], lambda _host: lease_on_hosts(120))
    assert (found["r0"], found["r99"]) == (140, 120)  # the last one has the connection for itself
    assert lease_on_hosts(120) == 120


def test_a_host_whose_answer_took_long_is_left_alone_for_as_long():
    threads = HostThreads(2)

    def work(_host: str) -> float:
        own().within(AnswerLimit(60), lambda: time.sleep(0.3))
        return own().before_poll(0)

    found = threads.run(HOSTS, work)
    assert found["r0"] >= 0.3
    assert max(found.values()) >= 0.6  # it has waited for its connection


def test_the_last_hosts_have_a_connection_each():
    def work(host: str) -> float:
        own().sleep(0.5 if host == "r7" else 0)
        return own().longest_answer

    found = HostThreads(1).run(HOSTS, work)
    assert found["r0"] < found["r7"] == math.inf


def test_the_last_hosts_are_asked_at_once_when_they_have_a_connection_each():
    began, asked = time.monotonic(), {}

    def work(host: str) -> None:
        own().sleep(own().before_poll(1000) if host in {"r6", "r7"} else 0.5)
        asked[host] = time.monotonic() - began

    HostThreads(2).run(HOSTS, work)
    assert max(asked.values()) < 60


@pytest.mark.skipif(not can_end_clients(), reason="this kernel does not tell which processes a thread has started")
def test_an_answer_that_takes_too_long_is_cut_off_and_no_other_one():
    def work(host: str) -> Any:
        if host == "r3":
            return told(lambda: ask(HANGS, AnswerLimit(0.5)))
        return ask([sys.executable, "-c", "import time; time.sleep(2)"])

    found = HostThreads(8).run(HOSTS, work)
    assert found.pop("r3") == "NoAnswer within 0.5 s"
    assert set(found.values()) == {0}


@pytest.mark.skipif(not can_end_clients(), reason="this kernel does not tell which processes a thread has started")
def test_an_answer_without_an_end_is_cut_off():
    flood = "import os\nwhile True: os.write(1, bytes(65536))"

    def read() -> None:
        own().within(
            AnswerLimit(60, 1024 * 1024), lambda: subprocess.run([sys.executable, "-c", flood], check=False, stdout=-1)
        )

    assert HostThreads(1).run(["r1"], lambda _host: told(read)) == {"r1": "NoAnswer that ends: 1 MiB have come"}


@pytest.mark.skipif(not can_end_clients(), reason="this kernel does not tell which processes a thread has started")
def test_a_signal_stops_each_host_that_waits():
    begun = threading.Semaphore(0)

    def work(host: str) -> str:
        if host == "r0":
            begun.release()
            return told(lambda: own().wait_for(lambda: own().sleep(600)))
        begun.release()
        return told(lambda: own().wait_for(lambda: subprocess.CompletedProcess([], ask(HANGS)).check_returncode()))

    def interrupt() -> None:
        for _host in HOSTS:
            begun.acquire()
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt, daemon=True).start()
    threads = HostThreads(8)
    assert set(threads.run(HOSTS, work).values()) == {"Stopped"}
    assert threads.stop.is_requested
    assert threads.run(["r1"], str) == {}


def test_what_one_raises_ends_the_work_and_is_raised():
    def work(host: str) -> None:
        if host == "r2":
            raise ValueError(host)

    with pytest.raises(ValueError, match="r2"):
        HostThreads(2).run(HOSTS, work)


def test_where_no_more_threads_begin_those_that_did_take_all_hosts(monkeypatch: pytest.MonkeyPatch):
    """Most of them end: each host needs processes for its connection as well."""
    begun, start = [0], threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if begun[0] == 6:
            raise RuntimeError("can't start new thread")
        begun[0] += 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    threads = HostThreads(8)
    assert threads.run(HOSTS, lambda host: own().sleep(0.3) or host) == {host: host for host in HOSTS}
    assert threads.warnings == [FEW_THREADS.format(number=1, hosts=8)]
    with pytest.raises(RackError, match="raise the limit of processes"):
        HostThreads(8).run(HOSTS, str)


def test_hosts_that_wait_for_the_same_lock_sleep(tmp_path: Path):
    """All 400 would look ten times a second, which takes a second of CPU here and more on a run's disk."""
    hosts = [f"r{number}" for number in range(400)]
    held, most = [0], [0]

    def work(_host: str) -> None:
        with hold_locks([Resource("pdu", "p1", 2)], tmp_path, own().sleep, own().admitted):
            held[0] += 1
            most[0] = max(most[0], held[0])
            own().sleep(2 if held[0] == 1 else 0)
            held[0] -= 1

    start = time.process_time()
    HostThreads(8).run(hosts, work)
    assert most == [2]
    assert time.process_time() - start < 1


def test_a_signal_ends_the_wait_for_a_lock(tmp_path: Path):
    def work(_host: str) -> str:
        def wait() -> None:
            with hold_locks([Resource("pdu", "p1")], tmp_path, own().sleep, own().admitted):
                own().sleep(600)

        return told(lambda: own().wait_for(wait))

    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    assert set(HostThreads(8).run(HOSTS, work).values()) == {"Stopped"}


def test_more_hosts_than_a_thousand_are_under_test_at_a_time():
    everybody = threading.Barrier(2000, timeout=120)
    threads = HostThreads(2000)
    assert (
        len(threads.run([*map(str, range(2000))], lambda _host: own().within(AnswerLimit(120), everybody.wait))) == 2000
    )
