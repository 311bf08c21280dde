# SPDX-License-Identifier: GPL-3.0-or-later

"""Python scriptlets in real children, each through a stage of one step."""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
import threading

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.child import start_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import load_class
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import python
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table


def scriptlet(run, **members):
    """A class with this method."""
    return type("Probe", (Scriptlet,), {"run": run, **members})


def does(statement):
    """A class whose `run` does `statement`."""
    names = {"Failed": Failed, "os": os, "sys": sys, "signal": signal}
    code = f"def run(self, ctx, params):\n    {statement}\n"
    exec(code, names)
    return scriptlet(names["run"])


@table("statement", "verdict", "reason", "code")
def test_how_a_class_ends(work, statement, verdict, reason, code):
    ran = work.run(python(does(statement)))
    assert ran.outcome[0] == verdict
    assert ran.outcome[1].startswith(reason) if reason else not ran.outcome[1]
    assert ran.attempt["exit_code"] == code


def test_a_text_as_exit_code_is_in_the_log(work):
    assert work.run(python(does("sys.exit('disk is missing')"))).attempt["stderr"] == "disk is missing\n"


def test_a_traceback_is_in_the_log(work):
    log = work.run(python(does("raise KeyError('x')"))).attempt["stderr"]
    assert log.startswith("Traceback (most recent call last):\n")
    assert log.endswith("KeyError: 'x'\n")


def test_a_verdict_needs_no_traceback(work):
    assert work.run(python(does("raise Failed('x')"))).attempt["stderr"] == ""


def test_validate_comes_first(work):
    def validate(self, ctx, params):
        raise ValueError(f"{params['src']} is no disk")

    ran = work.run(python(scriptlet(lambda *_: print("ran"), validate=validate), args={"src": "x"}))
    assert ran.outcome == ("error", "x is no disk")
    assert ran.attempt["stdout"] == ""


def test_a_registered_class_needs_no_base(work):
    class Plain:
        def run(self, ctx, params):
            ctx.set("a_v1", 1)

    assert work.run(python(Plain)).verdicts == {"Plain": "passed"}


def test_what_is_printed_and_logged(work):
    def run(self, ctx, params):
        print("größer", "\ud800")
        sys.stderr.write("log")
        os.write(1, b"raw\n")

    attempt = work.run(python(scriptlet(run))).attempt
    assert attempt["stdout"] == "größer \\ud800\nraw\n"
    assert attempt["stderr"] == "log"


def test_what_was_said_before_being_killed_is_kept(work):
    def run(self, ctx, params):
        print("one line")
        sys.stderr.write("another\n")
        ctx.set("a_v1", 1)
        os.kill(os.getpid(), signal.SIGKILL)

    ran = work.run(python(scriptlet(run)))
    assert (ran.attempt["stdout"], ran.attempt["stderr"]) == ("one line\n", "another\n")
    assert [delta["after"] for delta in ran.deltas] == [1]


@pytest.mark.parametrize("spoil", ["sys.stdout.close()", "sys.stdout = sys.stderr = None", "sys.stdout = 5"])
def test_streams_may_be_spoiled(work, spoil):
    assert work.run(python(does(f"print('x'); {spoil}"))).outcome == ("passed", "")


def test_a_class_may_keep_its_output_to_itself(work):
    def run(self, ctx, params):
        print("before")
        sys.stdout = io.StringIO()
        print("kept")

    assert work.run(python(scriptlet(run))).attempt["stdout"] == "before\n"


def test_stdin_is_empty(work):
    assert work.run(python(does("assert sys.stdin.read() == ''"))).outcome == ("passed", "")


def test_a_broken_connection_is_an_exception(work):
    def run(self, ctx, params):
        here, there = socket.socketpair()
        there.close()
        try:
            here.sendall(b"x")
        except BrokenPipeError:
            ctx.set("a_v1", "noticed")

    assert work.run(python(scriptlet(run))).deltas[0]["after"] == "noticed"


def test_threads_may_set_keys(work):
    def run(self, ctx, params):
        threads = [threading.Thread(target=ctx.set, args=(f"t{number}_v1", "x" * 200_000)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    ran = work.run(python(scriptlet(run)))
    assert ran.outcome == ("passed", "")
    assert {len(delta["after"]) for delta in ran.deltas} == {200_000}
    assert len(ran.deltas) == 8


def test_a_value_that_is_too_large_is_an_error(work, monkeypatch):
    monkeypatch.setattr(start_process, "LARGEST_EVENT", 10_000)

    def run(self, ctx, params):
        ctx.set("small_v1", "x" * 9000)
        ctx.set("large_v1", "x" * 10_000)

    ran = work.run(python(scriptlet(run)))
    assert [delta["key"] for delta in ran.deltas] == ["small_v1"]
    assert ran.outcome[0] == "error"
    assert ran.outcome[1].startswith("large_v1: 10")
    assert ran.outcome[1].endswith(" bytes of JSON, a step can hand over 10000 at once")


def test_a_measurement_that_is_too_large_is_an_error(work, monkeypatch):
    monkeypatch.setattr(start_process, "LARGEST_EVENT", 1000)
    reason = work.run(python(does("ctx.measure('trace', 'x' * 1000)"))).outcome[1]
    assert reason.startswith("trace: 10")


@table("name", "error")
def test_a_module_without_the_class(name, error):
    with pytest.raises(ValueError) as caught:
        load_class("os", name)
    assert error in str(caught.value)


def test_a_class_is_loaded_by_name(work, monkeypatch):
    (work.folder / "mine_for_test.py").write_text("class Mine:\n    def run(self, ctx, params):\n        pass\n")
    monkeypatch.syspath_prepend(str(work.folder))
    monkeypatch.delitem(sys.modules, "mine_for_test", raising=False)
    assert load_class("mine_for_test", "Mine").__name__ == "Mine"
