# SPDX-License-Identifier: GPL-3.0-or-later

"""What scripts are given, and how they are started."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, step

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
