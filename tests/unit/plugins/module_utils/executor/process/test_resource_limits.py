# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step may use at most, held by the kernel in real children."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.process import process_control
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, python
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

ALL = {"cpu_sec": 7.2, "memory_mib": 4096, "processes": 50, "open_files": 99, "file_mib": 3}


def in_python(text):
    """A script in the interpreter of the tests."""
    return f'#!{sys.executable}\n{text}\nprint(\'{{"status": "ok"}}\')\n'


def does(statement):
    """A class whose `run` does `statement`."""
    names = {"os": os, "resource": resource}
    exec(f"def run(self, ctx, params):\n    {statement}\n", names)
    return type("Probe", (Scriptlet,), {"run": names["run"]})


def test_a_script_has_its_limits(work):
    text = in_python(
        "import json, resource\n"
        "names = ('CPU', 'AS', 'NPROC', 'NOFILE', 'FSIZE')\n"
        "found = {name: resource.getrlimit(getattr(resource, 'RLIMIT_' + name)) for name in names}\n"
        "print(json.dumps({'status': 'ok', 'outputs': {'found_v1': found}}))\n"
        "raise SystemExit"
    )
    found = work.run(work.script(text, limits=ALL)).deltas[0]["after"]
    assert (found["CPU"], found["AS"], found["NOFILE"]) == ([8, 9], [2**32, 2**32], [99, 99])
    assert found["FSIZE"] == [3 * 2**20, 3 * 2**20]
    assert found["NPROC"][0] >= 50


def test_only_what_is_said_is_limited(work):
    before = resource.getrlimit(resource.RLIMIT_AS)
    step = python(
        does(
            "limits = [resource.getrlimit(each)[0] for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS)]; "
            "ctx.set('a_v1', limits)"
        ),
        limits={"open_files": 64},
    )
    assert work.run(step).deltas[0]["after"] == [64, before[0]]
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 64


def test_a_hard_limit_of_the_host_is_kept():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    pid = os.fork()
    if not pid:
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 60))
        process_control.set_limits({"open_files": 1000})
        os._exit(resource.getrlimit(resource.RLIMIT_NOFILE) != (60, 60))
    assert os.waitpid(pid, 0)[1] == 0
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard


@table("name", "most", "text", "verdict")
def test_a_script_that_wants_more_says_which_limit(work, name, most, text, verdict):
    ran = work.run(work.script(in_python(text), limits={name: most}))
    assert ran.only["verdict"] == "error"
    assert ran.only["reason"].endswith(verdict)


@table("name", "most", "statement", "reason")
def test_a_class_that_wants_more_says_which_limit(work, name, most, statement, reason):
    assert work.run(python(does(statement), limits={name: most})).outcome == ("error", reason)


def test_a_shell_whose_program_wants_more_says_which_limit(work):
    loop = "sh -c 'while :; do :; done'; exit $?"
    assert (
        work.run(work.script(loop, limits={"cpu_sec": 1}))
        .only["reason"]
        .endswith("(limits.cpu_sec is 1 s of CPU time)")
    )


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler on this machine")
def test_a_compiler_is_not_limited_but_what_it_makes_is(work):
    source = "#include <stdio.h>\nint main(void) { for (;;) if (putchar(120) < 0) return 1; }\n"
    ran = work.run(work.source(source, limits={"memory_mib": 64, "cpu_sec": 1}))
    assert ran.outcome == ("error", "killed by SIGXCPU (limits.cpu_sec is 1 s of CPU time)")


def test_who_stays_below_is_left_alone(work):
    ran = work.run(work.script(OK, limits=ALL), python(does("pass"), limits=ALL))
    assert set(ran.verdicts.values()) == {"passed"}


def test_another_failure_names_no_limit(work):
    ran = work.run(work.script("exit 3", limits=ALL))
    assert ran.outcome == ("error", "printed no envelope: its stdout is empty (exit code 3)")


@pytest.mark.skipif(os.getuid() != 0, reason="the kernel counts what else the user has, which comes and goes")
def test_too_many_processes(work, monkeypatch):
    """Root is not counted by the kernel, so the executor counts."""
    text = "for n in 1 2 3 4 5 6 7 8; do (setsid sleep 600 &) ; done; sleep 600"
    started = time.monotonic()
    ran = work.run(work.script(text, limits={"processes": 5}, timeout=60))
    assert time.monotonic() - started < 30
    assert ran.only["verdict"] == "error"
    assert ran.only["reason"].startswith("stopped: it has ")
    assert "processes, its limit is 5" in ran.only["reason"]


def test_a_user_who_is_not_root_is_counted_by_the_kernel(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert process_control.describe_surplus_processes({"processes": 0}, Attempt(None, [].append)) == ""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_the_kernel_counts_what_the_user_has_already(tmp_path):
    pid = os.fork()
    if not pid:
        os.setuid(65_534)
        process_control.set_limits({"processes": 3})
        counted = os.getpid()
        try:
            for _more in range(2):
                if not os.fork():
                    while os.getppid() == counted:
                        time.sleep(0.02)
                    os._exit(0)
            os.fork()
        except BlockingIOError as error:
            os._exit(0 if "temporarily unavailable" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@table("given", "attempt", "reason", "expected")
def test_signs_of_a_limit(given, attempt, reason, expected):
    ended = Attempt(None, [].append)
    ended.exit_code, ended.signal = attempt.get("exit_code", 0), attempt.get("signal", 0)
    assert process_control.describe_exceeded_limit(given, ended, reason) == expected
    ended.stderr.add(reason.encode())
    assert process_control.describe_exceeded_limit(given, ended, "") == expected
