# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's main process that is told to end, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from ansible.plugins.strategy import StrategyBase

from rack_recipes.run.host.worker_stop import STOP_SIGNAL
from rack_recipes.run.recorder.end_run_on_signal import STARTED, STARTING

# As Ansible: workers that heed what they are told, an interrupt that ends the command.
MAIN = """
import atexit, contextlib, multiprocessing, os, signal, sys, threading, time
from rack_recipes.run.recorder import end_run_on_signal
from rack_recipes.run.host.worker_stop import STOP_SIGNAL
end_run_on_signal.SECOND_AFTER, end_run_on_signal.WORKERS_LIMIT = map(float, sys.argv[2:])

def work(stubborn):
    os.setpgid(0, 0)
    heeded = [STOP_SIGNAL, signal.SIGTERM]
    signal.pthread_sigmask(signal.SIG_BLOCK, heeded)  # one that comes just before a sleep would be slept over
    os.write(ready[1], b"!")
    while True:
        os.write(1, b"worker told %d\\n" % signal.sigwait(heeded))
        if not stubborn:
            os._exit(0)

def start():
    os.write(1, b"started\\n")
    work(False)

def tell_result():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    results.put("x" * 2**20)  # more than a pipe takes, with the queue's lock held

def take_results():
    time.sleep(0.5)
    while results.get() != "no more":
        pass

def _queue_task(worker_prc):
    print(os.getpid(), flush=True)
    for _tenth in range(10):
        time.sleep(0.1)
    signal.pthread_sigmask(signal.SIG_BLOCK, [STOP_SIGNAL, signal.SIGTERM])  # in the worker from its fork on
    worker_prc = context.Process(target=start)
    worker_prc.start()
    while True:  # for a free worker
        time.sleep(0.1)

class Forgets:
    def __del__(self):
        print(os.getpid(), flush=True)
        time.sleep(10)

if sys.argv[1] == "passed over":  # a timer that runs on would end a process that is slow to end
    atexit.register(lambda: print("timer", signal.getitimer(signal.ITIMER_REAL)[0], flush=True))
made = end_run_on_signal.SignalGuard()
if sys.argv[1] == "lost":  # by Ansible's own handler
    signal.signal(signal.SIGINT, signal.SIG_DFL)
if sys.argv[1] == "blocked":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
with made.uninterrupted() if sys.argv[1] == "lost" else contextlib.nullcontext():
    if sys.argv[1] == "lost":
        print(os.getpid(), flush=True)
    made.watch(lambda number: print("closed", number, len(multiprocessing.active_children()), flush=True))
context, ready = multiprocessing.get_context("fork"), ()
if sys.argv[1] == "many":
    made.most_hosts = 30
if sys.argv[1] in ("worker", "stubborn", "many", "starting"):
    ready = os.pipe()
if sys.argv[1] in ("worker", "stubborn", "many"):
    worker = context.Process(target=work, args=[sys.argv[1] != "worker"])
    worker.start()
    os.read(ready[0], 1)
if sys.argv[1] == "telling":
    results = context.SimpleQueue()
    context.Process(target=tell_result).start()
    results._reader.poll(60)  # it has begun to
    threading.Thread(target=take_results, daemon=True).start()
if sys.argv[1] == "closing":
    made.only_storing()
try:
    if sys.argv[1] not in ("busy", "forgotten", "passed over", "starting"):
        print(worker.pid if ready else os.getpid(), flush=True)
    if sys.argv[1] == "starting":
        ended = context.Process(target=int)
        ended.start()
        ended.join()
        ended.close()
        _queue_task(ended)
    elif sys.argv[1] == "telling":
        try:
            time.sleep(60)
        finally:
            results.put("no more")
    elif sys.argv[1] == "over":
        made.release()
    elif sys.argv[1] == "forgotten":
        Forgets()
        with made.uninterrupted():
            print("done", flush=True)
        print("and on", flush=True)
    elif sys.argv[1] == "passed over":
        end_run_on_signal.LOST_AFTER = 1.0
        Forgets()
        time.sleep(30)
        print("and on", flush=True)
    elif sys.argv[1] == "fault":
        raise ValueError("of Ansible's own")
    else:
        with made.uninterrupted() if sys.argv[1] == "busy" else contextlib.nullcontext():
            if sys.argv[1] == "busy":
                print(os.getpid(), flush=True)
            for _tenth in range(10):
                time.sleep(0.1)
            print("done", flush=True)
        time.sleep(1)
        print("and on", flush=True)
except KeyboardInterrupt:
    sys.exit(99)
"""


TOLD = f"worker told {STOP_SIGNAL:d}"


class Main:
    """Such a process; `pid` is its worker's, if it has one."""

    def __init__(self, kind: str, again: float = 60.0, limit: float = 20.0) -> None:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", MAIN, kind, str(again), str(limit)]
        pipe = subprocess.PIPE
        self.child = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env)
        self.pid = int(self.line())

    def line(self) -> str:
        assert self.child.stdout
        return self.child.stdout.readline().strip()

    def ended(self) -> tuple[int, list[str], str]:
        assert self.child.stdout
        assert self.child.stderr
        with self.child.stdout as stdout, self.child.stderr as stderr:
            return self.child.wait(60), stdout.read().splitlines(), stderr.read()


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 99), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_reaches_the_workers_before_the_run_is_closed(name: str, code: int):
    main = Main("worker")
    main.child.send_signal(signal.Signals[name])
    told = f"rack.recipes.recorder: {name}: the steps on the hosts are ended; a second signal ends this at once\n"
    ended, lines, stderr = main.ended()
    assert (ended, lines[0], lines[-1], stderr) == (code, TOLD, f"closed {signal.Signals[name]:d} 0", told)


def test_a_worker_that_is_in_no_stage_may_tell_its_result():
    """Ended there it would keep the lock, and Ansible could not put its last word behind it."""
    main = Main("telling")
    main.child.send_signal(signal.SIGTERM)
    assert main.ended()[:2] == (143, ["closed 15 0"])


def test_a_worker_that_does_not_end_is_killed():
    main = Main("stubborn", limit=2.0)
    main.child.send_signal(signal.SIGTERM)
    code, lines, _stderr = main.ended()
    assert (code, lines[0], lines[-1][:9]) == (143, TOLD, "closed 15")


def test_a_worker_with_many_hosts_is_waited_for_longer():
    main, began = Main("many", limit=0.5), time.monotonic()
    main.child.send_signal(signal.SIGTERM)
    assert main.ended()[0] == 143
    assert time.monotonic() - began > 3


def test_what_comes_at_once_is_the_first_one_again():
    main = Main("stubborn", limit=2.0)
    main.child.send_signal(signal.SIGTERM)
    assert main.line() == TOLD
    main.child.send_signal(signal.SIGTERM)
    assert main.ended()[0] == 143


def test_a_second_signal_ends_it():
    main = Main("stubborn", again=0.05)
    main.child.send_signal(signal.SIGINT)
    assert main.line() == TOLD
    time.sleep(0.1)
    main.child.send_signal(signal.SIGINT)
    assert main.child.wait(60) == -signal.SIGINT
    os.kill(main.pid, signal.SIGKILL)
    assert set(main.ended()[1]) <= {TOLD, f"worker told {signal.SIGTERM:d}"}


def test_what_is_done_is_done_to_its_end():
    main = Main("busy")
    main.child.send_signal(signal.SIGTERM)
    assert main.ended()[:2] == (143, ["done", "closed 15 0"])


def test_an_end_that_python_forgets_comes_with_the_next_event():
    """As it does with what a signal raises behind a fork."""
    main = Main("forgotten")
    main.child.send_signal(signal.SIGTERM)
    code, lines, stderr = main.ended()
    assert (code, lines) == (143, ["done", "closed 15 0"])
    assert "Exception ignored in" in stderr


def test_it_comes_a_while_later_where_there_is_no_event():
    main = Main("passed over")
    main.child.send_signal(signal.SIGTERM)
    code, lines, stderr = main.ended()
    assert (code, lines) == (143, ["closed 15 0", "timer 0.0"])
    assert "Exception ignored in" in stderr


def test_an_interrupt_that_ansible_has_lost_ends_the_run():
    """The handler of Ansible's own raises an exception, and leaves the next interrupt to the system."""
    code, lines, _stderr = Main("lost").ended()
    assert (code, lines) == (-signal.SIGINT, ["closed 2 0"])


def test_a_blocked_interrupt_is_one_that_is_ignored():
    main = Main("blocked")
    main.child.send_signal(signal.SIGINT)
    assert main.ended() == (0, ["done", "and on", "closed 0 0"], "")


def test_a_worker_that_is_being_started_is_told_too():
    """Ansible is not cut off between the worker that it has closed and the one that it has started instead."""
    main = Main("starting")
    main.child.send_signal(signal.SIGTERM)
    code, lines, _stderr = main.ended()
    assert (code, lines) == (143, ["started", TOLD, "closed 15 0"])


def test_ansible_still_starts_its_workers_there():
    method = getattr(StrategyBase, STARTING)
    assert STARTED in method.__code__.co_varnames
    assert "start" in method.__code__.co_names


def test_while_it_closes_a_signal_is_only_noted():
    main = Main("closing")
    main.child.send_signal(signal.SIGTERM)
    code, lines, stderr = main.ended()
    assert (code, lines) == (0, ["done", "and on", "closed 15 0"])
    assert "SIGTERM: the run is over, its results are being stored" in stderr


def test_a_run_that_was_closed_is_not_closed_again():
    assert Main("over").ended() == (0, [], "")


def test_a_fault_closes_the_run_too():
    code, lines, stderr = Main("fault").ended()
    assert (code, lines) == (1, ["closed 0 0"])
    assert "of Ansible's own" in stderr
