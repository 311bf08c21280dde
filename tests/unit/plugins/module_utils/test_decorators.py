# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import decorators

LINE = re.compile(r"\[resource\] step=(\w+) duration_sec=(\d+\.\d{3}) memory_diff=(\d+\.\d)MB\n")


class Step:
    @decorators.track_resources
    def run(self, ctx, params):
        """What it does."""
        if params.get("fail"):
            raise OSError("broken")
        self.kept = bytearray(params.get("size", 0))
        return ctx, params

    @decorators.track_resources
    def filling(self, ctx, params):
        kept = bytearray(b"x" * params["size"])
        return len(kept)


def test_the_method_stays_what_it_was():
    assert Step().run(1, {}) == (1, {})
    assert (Step.run.__name__, Step.run.__doc__) == ("run", "What it does.")


def test_what_it_took_is_logged(capsys):
    Step().filling(None, {"size": 64 * 1024 * 1024})
    name, seconds, grown = LINE.fullmatch(capsys.readouterr().err).groups()
    assert name == "Step"
    assert 0 <= float(seconds) < 30
    assert 0 <= float(grown) < 1000


def test_it_is_logged_where_the_method_fails_too(capsys):
    with pytest.raises(OSError):
        Step().run(None, {"fail": True})
    assert LINE.fullmatch(capsys.readouterr().err)


def test_any_class_can_be_registered(monkeypatch):
    monkeypatch.setattr(decorators, "REGISTRY", {})
    assert decorators.register_scriptlet(Step) is Step
    assert {"Step": Step} == decorators.REGISTRY


def test_a_class_that_cannot_be_run_is_not_registered():
    with pytest.raises(TypeError) as caught:

        @decorators.register_scriptlet
        class Nothing:
            pass

    assert str(caught.value) == "Nothing is no scriptlet: it has no method run(self, ctx, params)"


class Slow:
    @decorators.timeout_enforce(0.2)
    def stubborn(self, swallowed):
        """Sleep, and swallow what is raised."""
        try:
            time.sleep(20)
        except swallowed:
            return 0

    @decorators.timeout_enforce(0.2)
    def failing(self):
        try:
            time.sleep(20)
        finally:
            raise OSError("another error")

    @decorators.timeout_enforce(20)
    def quick(self, ctx, params=None):
        """What it does."""
        return ctx, params

    @decorators.timeout_enforce(20)
    def outer(self):
        self.quick(1)
        return signal.getitimer(signal.ITIMER_REAL)

    @decorators.timeout_enforce(0.2)
    def hurried(self):
        return self.patient()

    @decorators.timeout_enforce(20)
    def patient(self):
        time.sleep(20)


def test_a_method_in_time_is_as_without_a_timeout():
    handler = signal.getsignal(signal.SIGALRM)
    assert Slow().quick(1, params=2) == (1, 2)
    assert (Slow.quick.__name__, Slow.quick.__doc__) == ("quick", "What it does.")
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is handler


@pytest.mark.parametrize("swallowed", [ZeroDivisionError, Exception, BaseException])
def test_a_method_that_takes_too_long_ends_with_an_error_whatever_it_swallows(swallowed):
    started = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        Slow().stubborn(swallowed)
    assert str(caught.value) == "Slow.stubborn was ended after 0.2 s"
    assert time.monotonic() - started < 15
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_an_error_that_follows_does_not_hide_the_timeout():
    with pytest.raises(TimeoutError) as caught:
        Slow().failing()
    assert str(caught.value.__cause__) == "another error"


def test_a_deadline_around_another_goes_on():
    left, grace = Slow().outer()
    assert 10 < left <= 20
    assert grace == decorators.GRACE


def test_the_deadline_that_ends_first_counts():
    with pytest.raises(TimeoutError) as caught:
        Slow().hurried()
    assert str(caught.value) == "Slow.hurried was ended after 0.2 s"


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_is_a_time(seconds):
    with pytest.raises(ValueError) as caught:
        decorators.timeout_enforce(seconds)
    assert "expected a number of seconds above 0" in str(caught.value)


STUCK = """
import itertools, signal, sys, time
from ansible_collections.rack.recipes.plugins.module_utils.decorators import timeout_enforce

class Stuck:
    @timeout_enforce(0.2, grace=0.2)
    def swallow_all(self, ctx, params):
        while True:
            try:
                time.sleep(20)
            except BaseException:
                pass

    @timeout_enforce(0.2, grace=0.2)
    def held_up(self, ctx, params):
        started = time.monotonic()
        while time.monotonic() < started + 1:  # as on a machine that is busy: no handler runs for a second
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        while True:
            try:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
                time.sleep(20)
            except BaseException:
                pass

    @timeout_enforce(0.2, grace=0.2)
    def never_leave_c(self, ctx, params):
        sum(itertools.repeat(1))

print("begun", end="", flush=True)
getattr(Stuck(), sys.argv[1])(None, {})
"""


def stuck(method):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run([sys.executable, "-c", STUCK, method], env=env, text=True, timeout=60, check=False, **streams)


@pytest.mark.parametrize("method", ["swallow_all", "held_up"])
def test_a_process_that_swallows_everything_is_ended_with_an_envelope(method):
    done = stuck(method)
    reason = f"Stuck.{method} was ended after 0.2 s, and went on for 0.2 s more"
    assert done.returncode == 1
    assert done.stdout.startswith("begun\n")
    assert json.loads(done.stdout.splitlines()[-1]) == {"status": "error", "reason": reason, "exit_code": 1}


def test_a_process_that_runs_no_python_any_more_is_ended_with_its_place():
    done = stuck("never_leave_c")
    assert done.returncode == 1
    assert "in never_leave_c" in done.stderr


class Traced:
    options = {"name": {}}

    @decorators.debug_trace
    def run(self, ctx, params):
        """What it does."""
        return 3

    @decorators.debug_trace(force=True)
    def always(self, ctx, params):
        return 4

    @decorators.debug_trace(force=True)
    def parse(self, stdout, ctx, params):
        return len(stdout)


@pytest.mark.parametrize(("value", "is_on"), [(None, False), ("", False), ("0", False), ("1", True)])
def test_a_trace_is_for_debugging(value, is_on, capsys, monkeypatch):
    monkeypatch.delenv("RACK_DEBUG", raising=False)
    if value is not None:
        monkeypatch.setenv("RACK_DEBUG", value)
    assert Traced().run(None, {"name": "x"}) == 3
    assert (Traced.run.__name__, Traced.run.__doc__) == ("run", "What it does.")
    assert ("Traced.run returned 3" in capsys.readouterr().err) is is_on


def test_a_trace_may_be_forced(capsys, monkeypatch):
    monkeypatch.delenv("RACK_DEBUG", raising=False)
    assert Traced().always(None, {}) == 4
    assert "Traced.always returned 4" in capsys.readouterr().err
    assert Traced().parse("text", None, {"name": "x"}) == 4
    assert "Traced.parse starts, params: {'name': 'x'}" in capsys.readouterr().err
