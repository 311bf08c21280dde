# SPDX-License-Identifier: GPL-3.0-or-later

"""Scriptlets of each kind in real children, each through a stage of one step.

Python classes; C sources, compiled by the compiler of this machine, and programs that are ready; scripts.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.child import start_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import load_class
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, does, python, step
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table


def scriptlet(run, **members):
    """A class with this method."""
    return type("Probe", (Scriptlet,), {"run": run, **members})


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
    assert log.endswith("  3 frames of rack.recipes\nKeyError: 'x'\n")
    assert "program_by_scriptlet_kind" not in log


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


needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler on this machine")

ROOT_2 = """
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    printf("{\\"status\\":\\"ok\\",\\"outputs\\":{\\"root_v1\\":%.3f}}\\n", sqrt(atof(getenv("RACK_PARAM_OF"))));
    return 0;
}
"""
SAYS_OK = '#include <stdio.h>\nint main(void) { puts("{\\"status\\":\\"ok\\"}"); return 0; }\n'
# Counts how often it is called.
COMPILER = '#!/bin/sh\necho called >> "$CALLS"\nexec cc "$@"\n'


@pytest.fixture
def calls(work, monkeypatch):
    """How often the compiler was called."""
    compiler, log = work.folder.parent / "counting-cc", work.folder.parent / "calls"
    compiler.write_text(COMPILER)
    compiler.chmod(0o700)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setenv("CALLS", str(log))
    return lambda: len(log.read_text().splitlines()) if log.exists() else 0


@needs_compiler
def test_a_c_source_is_compiled_and_run(work):
    ran = work.run(work.source(ROOT_2, flags=["-O1", "-lm"], args={"of": 2}))
    assert ran.outcome == ("passed", "")
    assert ran.deltas[0]["after"] == 1.414


@needs_compiler
def test_it_is_compiled_once(work, calls):
    for _time in range(3):
        assert work.run(work.source(SAYS_OK)).outcome == ("passed", "")
    assert calls() == 1
    assert [path.name for path in work.cache.iterdir()] == [f"sha256-1-{os.uname().machine}"]
    assert sorted(path.name for path in work.folder.iterdir()) == ["program.c"]


@needs_compiler
def test_another_digest_is_compiled_again(work, calls):
    work.run(work.source(SAYS_OK), work.source(SAYS_OK, "again", digest="sha256:2"))
    assert calls() == 2


@needs_compiler
def test_hosts_that_are_one_machine_compile_beside_each_other(work):
    steps = [work.source(SAYS_OK, f"p{number}", parallel=True) for number in range(4)]
    assert set(work.run(*steps).verdicts.values()) == {"passed"}
    assert len(list(work.cache.iterdir())) == 1


@needs_compiler
def test_a_source_with_a_mistake_is_told(work):
    ran = work.run(work.source("int main(void) {\n    return sum;\n}\n"))
    verdict, reason = ran.outcome
    assert verdict == "error"
    assert reason.startswith("the C source does not compile: ")
    assert "program.c:2:" in reason
    assert "sum" in reason
    assert reason.partition(": ")[2] in ran.attempt["stderr"]
    assert not list(work.cache.iterdir())


@needs_compiler
def test_what_does_not_link_is_told(work):
    reason = work.run(work.source("int other(void) { return 0; }\n")).outcome[1]
    assert "undefined reference to `main'" in reason


@needs_compiler
def test_a_compiler_that_says_nothing(work, monkeypatch):
    monkeypatch.setenv("CC", "false")
    assert work.run(work.source(SAYS_OK)).outcome == (
        "error",
        "the C source does not compile: the compiler says nothing",
    )


@needs_compiler
def test_warnings_are_in_the_log(work):
    ran = work.run(work.source("#warning old\n" + SAYS_OK))
    assert ran.outcome == ("passed", "")
    assert "old" in ran.attempt["stderr"]


@needs_compiler
def test_a_host_without_compiler_is_told(work, monkeypatch):
    monkeypatch.setenv("PATH", str(work.cache))
    monkeypatch.delenv("CC", raising=False)
    assert work.run(work.source(SAYS_OK)).outcome == ("error", "no C compiler (cc, gcc, clang) on this host")


@needs_compiler
def test_programs_that_cannot_be_kept_are_told(work):
    work.cache.rmdir()
    verdict, reason = work.run(work.source(SAYS_OK)).outcome
    assert verdict == "error"
    assert "No such file or directory" in reason


@needs_compiler
def test_a_compiler_that_hangs_is_stopped_in_time(work, monkeypatch):
    compiler = work.folder.parent / "slow-cc"
    compiler.write_text("#!/bin/sh\nsleep 600\n")
    compiler.chmod(0o700)
    monkeypatch.setenv("CC", str(compiler))
    assert work.run(work.source(SAYS_OK, timeout=0.5)).outcome == ("error", "timed out after 0.5 s")
    assert not list(work.cache.iterdir())


@needs_compiler
def test_a_program_that_is_ready_runs(work):
    shutil.copy(shutil.which("cat"), work.folder / "ready")
    (work.folder / "ready").chmod(0o600)
    ran = work.run(step("ready", kind="native", file="ready", digest="sha256:3", args={"a": 1}))
    assert json.loads(ran.attempt["stdout"])["params"] == {"a": 1}


@needs_compiler
def test_what_is_no_program_is_told(work):
    (work.folder / "ready").write_bytes(b"\x7fELF and no more")
    reason = work.run(step("ready", kind="native", file="ready", digest="sha256:3")).outcome[1]
    assert reason.startswith(f"printed no envelope: its stdout is empty (exit code 127: {work.folder}/ready: ")


@needs_compiler
@pytest.mark.parametrize("file", ["gone", "gone.c"])
def test_a_missing_file_is_told(work, file):
    ran = work.run(step("s", kind="native", file=file, digest="sha256:3"))
    assert ran.outcome == ("error", f"{work.folder}/{file}: No such file or directory")


INSIDE = """
import json, os, shutil, sys
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, Work, step
os.mkdir("work")
os.chdir("work")
work = Work(os.getcwd())
shutil.copy(shutil.which("true"), "ready")
ready = step("ready", kind="native", file="ready", digest="sha256:3")
ran = work.run(work.script("#!/bin/sh\\n" + OK), work.source(sys.argv[1]), ready)
print(json.dumps(ran.reasons))
"""


@needs_compiler
def test_a_folder_that_is_mounted_noexec_is_enough(tmp_path):
    if os.geteuid() or shutil.which("unshare") is None or os.system("unshare -m true 2> /dev/null"):
        pytest.skip("cannot mount anything here")
    Path(tmp_path, "inside.py").write_text(INSIDE)
    mount = 'mount -t tmpfs -o noexec tmpfs "$1" && cd "$1" && shift && exec "$@"'
    (tmp_path / "mounted").mkdir()
    command = ["unshare", "-m", "sh", "-c", mount, "sh", tmp_path / "mounted", sys.executable, tmp_path / "inside.py"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([*command, SAYS_OK], stdout=subprocess.PIPE, env=env, check=True)
    nothing = "printed no envelope: its stdout is empty"  # and no exit code: it ran
    assert json.loads(done.stdout) == {"script": "", "program": "", "ready": nothing}


# Prints what it was given as a context key, which can have no NUL.
TELL = f"""#!{sys.executable}
import json, os, sys
given = json.loads(sys.stdin.read().replace("\\\\u0000", ""))
env = {{name: value for name, value in os.environ.items() if name.startswith("RACK_")}}
print(json.dumps({{"status": "ok", "outputs": {{"seen.given_v1": given, "seen.env_v1": env}}}}))
"""


def told(ran):
    """What TELL was given: stdin and environment, also where it is written masked."""
    assert ran.reasons == dict.fromkeys(ran.reasons, "")
    real = {entry["key"]: entry["value"] for entry in ran.told if "key" in entry}
    return tuple(real.get(delta["key"], delta["after"]) for delta in ran.deltas)


def test_parameters_and_context_arrive_on_stdin(work):
    own = {"a_v1": [2, {"x": 1}], "b_v1": [1, None]}
    args = {"name": "größer", "list": [1, {"a": "ü"}], "none": None}
    given, _env = told(work.run(work.script(TELL, args=args), own=own, run={"r_v1": [1, 5]}))
    assert given == {
        "params": args,
        "context": {"a_v1": {"x": 1}, "b_v1": None, "r_v1": 5},
        "run": "run1",
        "step": "script",
        "host": "r1",
    }


def test_only_declared_keys_are_read_and_only_those_there(work):
    own = {"a_v1": [1, 1], "b_v1": [1, 2]}
    given, _env = told(work.run(work.script(TELL, reads=["b_v1", "c_v1"]), own=own))
    assert given["context"] == {"b_v1": 2}
    assert told(work.run(work.script(TELL, reads=[]), own=own))[0]["context"] == {}


def test_parameters_arrive_in_the_environment(work):
    args = {
        "text": "a b",
        "number": 1.5,
        "truth": True,
        "list": [1, "x"],
        "none": None,
        "nul": "a\0b",
        "größe": 1,
        "a-b": 1,
    }
    _given, env = told(work.run(work.script(TELL, args=args)))
    assert env == {
        "RACK_RUN": "run1",
        "RACK_STEP": "script",
        "RACK_HOST": "r1",
        "RACK_LOG_LEVEL": "warning",
        "RACK_PARAM_TEXT": "a b",
        "RACK_PARAM_NUMBER": "1.5",
        "RACK_PARAM_TRUTH": "true",
        "RACK_PARAM_LIST": '[1, "x"]',
        "RACK_PARAM_NUL": "ab",
    }


def test_secrets_are_on_stdin_alone(work):
    options = {"pin": {"no_log": True}, "login": {"type": "dict", "options": {"word": {"no_log": True}}}, "user": {}}
    args = {"pin": "1234", "login": {"word": "hunter2"}, "user": "me"}
    given, env = told(work.run(work.script(TELL, args=args, options=options)))
    assert given["params"] == args
    assert {name for name in env if "PARAM" in name} == {"RACK_PARAM_USER"}


def test_what_is_too_long_for_the_environment_is_on_stdin_alone(work):
    args = {"long": "ü" * 60_000, "short": "x" * 90_000}
    given, env = told(work.run(work.script(TELL, args=args)))
    assert given["params"] == args
    assert {name for name in env if "PARAM" in name} == {"RACK_PARAM_SHORT"}


@pytest.mark.parametrize(
    "start", ["", "#!/bin/sh\n", "#!/bin/sh -e\n", "#!/bin/sh\r\n:\n", "#!/usr/bin/env sh\n", "#!\n"]
)
def test_the_first_line_names_the_interpreter(work, start):
    assert work.run(work.script(start + OK)).outcome == ("passed", "")


def test_options_of_the_interpreter_are_one_word(work):
    ran = work.run(work.script("#!/bin/echo  one  two \n"))
    assert ran.attempt["stdout"] == f"one  two {work.folder}/script.sh\n"


def test_an_unknown_interpreter_is_told(work):
    ran = work.run(work.script("#!/no/such/interpreter\n"))
    assert ran.outcome == ("error", "/no/such/interpreter: No such file or directory")
    assert ran.only["attempts"] == []


def test_an_interpreter_that_is_no_program_is_told(work):
    assert work.run(work.script("#!/etc\n")).outcome == ("error", "/etc: Permission denied")


def test_a_missing_script_is_told(work):
    ran = work.run(step("gone", kind="shell", file="gone.sh"))
    assert ran.outcome == ("error", f"{work.folder}/gone.sh: No such file or directory")


def test_a_script_need_not_be_executable(work):
    script = work.script("#!/bin/sh\n" + OK)
    (work.folder / "script.sh").chmod(0o600)
    assert work.run(script).outcome == ("passed", "")


def test_a_command_that_is_not_there_is_told(work, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    ran = work.run(work.script("no-such-command\n"))
    verdict, reason = ran.outcome
    assert verdict == "error"
    assert reason.startswith("printed no envelope: its stdout is empty (exit code 127: ")
    assert "no-such-command: not found" in reason


@pytest.mark.skipif(not shutil.which("awk"), reason="no awk on this machine")
@pytest.mark.parametrize("start", ["", f"#!{shutil.which('awk')} -f\n"])
def test_awk_reads_its_parameters(work, start):
    text = (
        start
        + 'BEGIN { printf "{\\"status\\":\\"ok\\",\\"outputs\\":{\\"sum_v1\\":%d}}\\n", ENVIRON["RACK_PARAM_A"] + 1 }\n'
    )
    ran = work.run(work.script(text, file="add.awk", args={"a": 41}))
    assert ran.outcome == ("passed", "")
    assert ran.deltas[0]["after"] == 42


def test_what_is_no_json_number_cannot_be_given(work):
    verdict, reason = work.run(work.script(OK, args={"a": [float("nan")]})).outcome
    assert verdict == "error"
    assert "not JSON compliant" in reason


def test_text_that_is_no_text_cannot_be_given(work):
    verdict, reason = work.run(work.script(OK, args={"a": "\ud800"})).outcome
    assert verdict == "error"
    assert "surrogates not allowed" in reason


def test_arguments_are_checked_before_the_step_runs(work):
    script = work.script(OK, args={"sorce": "x"}, options={"source": {}})
    ran = work.run(script)
    assert ran.outcome == ("error", "argument 'sorce' is not an argument, did you mean 'source'?")
    assert ran.only["attempts"] == []


def test_a_call_runs_in_a_child_of_its_own(work):
    def call(params, ctx, emit):
        ctx.set("a_v1", [params["x"], os.getpid() != parent])
        print("never flushed")
        os.write(1, b'{"status": "ok", "measurements": [{"name": "m", "value": 1}]}\n')
        emit({"kind": "ending", "verdict": "passed", "reason": ""})

    parent = os.getpid()
    ran = work.run(step("ansible", kind="call", call=call, args={"x": "${n_v1}"}), own={"n_v1": [1, 5]})
    assert ran.outcome == ("passed", "")
    assert ran.deltas[0]["after"] == [5, True]
    assert ran.only["measurements"] == [{"name": "m", "value": 1, "unit": ""}]


def test_a_call_that_goes_wrong_says_so(work):
    def call(params, ctx, emit):
        raise KeyError("x")

    ran = work.run(step("ansible", kind="call", call=call, limits={"open_files": 50}))
    assert ran.outcome == (
        "error",
        "printed no envelope: its stdout is empty (exit code 125: cannot become the step: KeyError: 'x')",
    )


def test_a_call_in_check_mode_is_not_made(work):
    ran = work.run(step("ansible", kind="call", call=None), check=True)
    assert ran.outcome == ("skipped", "check mode: its arguments are right")


def test_a_program_within_limits_is_told_as_it_is(work):
    ran = work.run(work.script("#!/no/such/interpreter\n", limits={"open_files": 50}))
    assert ran.outcome == (
        "error",
        "printed no envelope: its stdout is empty (exit code 127: /no/such/interpreter: No such file or directory)",
    )
