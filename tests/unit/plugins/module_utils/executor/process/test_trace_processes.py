# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes that programs start, in the log of a run: by real programs, and by made-up events of the kernel."""

from __future__ import annotations

import os
import re
import struct

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.process import trace_processes
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.trace_processes import (
    EXEC,
    EXIT,
    FORK,
    ProcessFamily,
    ProcessObserver,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, children_of

EXECUTOR, ROOT, CHILD, GRANDCHILD = 10, 11, 12, 13
SECOND = 10**9


@pytest.fixture(scope="module")
def kernel_tells():
    """Skip where the kernel tells nobody: in containers, and before Linux 6.6 to all but root."""
    observer = ProcessObserver()
    observer.close()
    if not observer.is_listening:
        pytest.skip("the kernel tells this process nothing of others")


def processes(ran, step):
    """The lines about processes in the log of a step, without numbers and times."""
    lines = [each["text"] for each in ran.records if each["kind"] == "log" and each["event"] == "process"]
    return [re.sub(r"^process \d+|[\d.]+(?= s,)", "N", line) for line in lines]


@pytest.mark.usefixtures("kernel_tells")
def test_what_a_shell_script_starts_is_logged(work):
    """The argument list, the exit code and the time of each process, in the order of their ends."""
    script = "#!/bin/sh\nsleep 0.2\n( exit 3 )\nsh -c 'sleep 0.1; exit 4'\n" + OK
    ran = work.run(work.script(script), debug=True)
    assert ran.verdicts == {"script": "passed"}
    lines = processes(ran, "script")
    assert 'N ["sleep", "0.2"], after N s, ended with exit code 0' in lines
    assert 'N ["a fork of /bin/sh"], after N s, ended with exit code 3' in lines
    assert lines.index('N ["sleep", "0.1"], after N s, ended with exit code 0') < lines.index(
        'N ["sh", "-c", "sleep 0.1; exit 4"], after N s, ended with exit code 4'
    )


@pytest.mark.usefixtures("kernel_tells")
def test_steps_beside_each_other_have_their_own_processes(work):
    """Also what a step leaves behind, and what is killed at its end, is told of this step alone."""
    slow = work.script("#!/bin/sh\nsleep 77 &\nsleep 0.3\n" + OK, "slow", parallel=True)
    other = work.script("#!/bin/sh\nsleep 0.25\n" + OK, "other", parallel=True)
    ran = work.run(slow, other, log_level="info")
    of = {
        name: [each["text"] for each in ran.records if each["kind"] == "log" and each["step"] == name]
        for name in ("slow", "other")
    }
    assert any('["sleep", "0.25"]' in line for line in of["other"])
    assert not any("0.25" in line for line in of["slow"])
    (left,) = (line for line in of["slow"] if '["sleep", "77"]' in line)
    assert left.endswith(("ended with signal 9", "nobody has waited for its end"))


@pytest.mark.usefixtures("kernel_tells")
def test_secrets_in_argument_lists_are_hidden(work):
    step = work.script(
        "#!/bin/sh\nsh -c ': ' hunter22\n" + OK, args={"word": "hunter22"}, options={"word": {"no_log": True}}
    )
    ran = work.run(step, debug=True, secrets=["hunter22"])
    assert "hunter22" not in str(ran.records)


def test_the_observer_ends_with_the_stage_and_holds_nothing_open(work):
    before = set(children_of(os.getpid()))
    work.run(work.script("#!/bin/sh\n" + OK), debug=True)
    assert set(children_of(os.getpid())) == before


def test_without_a_log_there_is_no_observer(work, monkeypatch):
    monkeypatch.setattr(trace_processes, "ProcessObserver", None)
    assert work.run(work.script("#!/bin/sh\n" + OK)).verdicts == {"script": "passed"}


def test_a_kernel_that_tells_nothing_costs_a_step_nothing(work, monkeypatch):
    """A container, or another user before Linux 6.6: the log has the step's own process, as ever."""
    monkeypatch.setattr(trace_processes, "NETLINK_CONNECTOR", 31)  # a family that does not exist
    ran = work.run(work.script("#!/bin/sh\nsleep 0.1\n" + OK), debug=True)
    assert ran.verdicts == {"script": "passed"}
    assert len(processes(ran, "script")) == 1


def head(what, moment):
    return struct.pack("=IIQ", what, 0, moment)


def fork(parent, child, moment=0, thread=None):
    return head(FORK, moment) + struct.pack("=IIII", parent, parent, thread or child, child)


def execute(pid):
    return head(EXEC, 0) + struct.pack("=II", pid, pid)


def leave(pid, status, moment=0, thread=None):
    return head(EXIT, moment) + struct.pack("=IIIIII", thread or pid, pid, status, 17, 1, 1)


@pytest.fixture
def family(monkeypatch):
    monkeypatch.setattr(trace_processes, "_argument_list", lambda pid: [f"program-{pid}"])
    return ProcessFamily(EXECUTOR)


def told(family, *events):
    for event in events:
        family.add(event)
    return family.started_by(ROOT)


def test_a_step_s_own_process_is_not_among_those_that_it_starts(family):
    events = fork(EXECUTOR, ROOT), execute(ROOT), fork(ROOT, CHILD, SECOND), execute(CHILD)
    ends = leave(CHILD, 3 << 8, 3 * SECOND), leave(ROOT, 0, 4 * SECOND)
    expected = {"kind": "process", "pid": CHILD, "argv": ["program-12"], "end": "exit code 3", "seconds": 2.0}
    assert told(family, *events, *ends) == [expected]
    assert family.started_by(ROOT) == []


def test_threads_and_processes_of_others_are_passed_over(family):
    events = fork(EXECUTOR, ROOT), fork(ROOT, ROOT, thread=99), leave(ROOT, 0, thread=99), fork(50, 51), leave(51, 0)
    assert told(family, *events) == []


def test_a_process_whose_parent_has_ended_still_belongs_to_its_step(family):
    events = fork(EXECUTOR, ROOT), fork(ROOT, CHILD), fork(CHILD, GRANDCHILD), execute(GRANDCHILD), leave(CHILD, 0)
    found = told(family, *events, leave(ROOT, 0))
    assert [(each["pid"], each["argv"], each["end"]) for each in found] == [
        (CHILD, ["a fork"], "exit code 0"),
        (GRANDCHILD, ["program-13"], ""),
    ]


def test_a_fork_is_named_after_the_program_that_it_is_a_fork_of(family):
    events = fork(EXECUTOR, ROOT), execute(ROOT), fork(ROOT, CHILD), leave(CHILD, 9)
    assert [(each["argv"], each["end"]) for each in told(family, *events)] == [(["a fork of program-11"], "signal 9")]


def test_it_is_said_where_the_kernel_had_more_to_tell_than_there_was_room_for(family):
    family.has_missed = True
    assert told(family)[-1]["argv"] == ["(more than could be noted)"]


def test_a_process_that_is_gone_has_no_argument_list():
    assert trace_processes._argument_list(2**22 + 1) == trace_processes.UNKNOWN
