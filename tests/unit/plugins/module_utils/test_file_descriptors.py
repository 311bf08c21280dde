# SPDX-License-Identifier: GPL-3.0-or-later

"""Files in memory that several processes share: nothing is read twice, nothing is overwritten."""

from __future__ import annotations

import fcntl
import os
import signal

from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import in_memory, read_next, shared_log

PROCESSES = 4
MANY = 5000
WIDTH = 4


def in_processes(work):
    """Call `work` with its number in processes that run at the same time."""
    started = []
    for number in range(PROCESSES):
        pid = os.fork()
        if not pid:
            try:
                work(number)
                os._exit(0)
            finally:
                os._exit(1)
        started.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in started] == [0] * PROCESSES


def test_what_one_process_reads_no_other_reads(tmp_path):
    waiting = in_memory(b"".join(number.to_bytes(WIDTH, "big") for number in range(MANY)))

    def take(number):
        with open(tmp_path / str(number), "wb") as taken:
            while data := read_next(waiting, WIDTH):
                taken.write(data)

    in_processes(take)
    data = b"".join((tmp_path / str(number)).read_bytes() for number in range(PROCESSES))
    found = [int.from_bytes(data[start : start + WIDTH], "big") for start in range(0, len(data), WIDTH)]
    assert sorted(found) == list(range(MANY))


def test_a_process_killed_while_it_reads_holds_up_no_other():
    waiting = in_memory(b"ab")
    pid = os.fork()
    if not pid:
        fcntl.lockf(waiting, fcntl.LOCK_EX)
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert read_next(waiting, 2) == b"ab"


def test_no_process_overwrites_what_another_has_written():
    log = shared_log("rack")

    def tell(number):
        for each in range(MANY):
            os.write(log, b"%d %d\n" % (number, each))

    in_processes(tell)
    os.lseek(log, 0, os.SEEK_SET)
    with open(log, "rb") as file:
        lines = file.read().splitlines()
    assert sorted(lines) == sorted(b"%d %d" % (number, each) for number in range(PROCESSES) for each in range(MANY))
