# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import shell
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import TAIL
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.shell import Program, ShellScriptlet, run_program
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

ENVELOPE = json.dumps({"status": "ok", "outputs": {"test.key_v1": 1}})


class Parsed(ShellScriptlet):
    """Keeps what it was given to parse."""

    def parse(self, stdout, ctx, params):
        self.parsed = stdout


def parsed(command, params=None, **attributes):
    """What `command` printed."""
    scriptlet = type("Some", (Parsed,), {"command": command, **attributes})()
    assert scriptlet.run(None, params or {}) is None
    return scriptlet.parsed


def refusal(command, params=None, **attributes):
    with pytest.raises(ValueError) as caught:
        parsed(command, params, **attributes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("command", "params", "expected"),
    [
        (("printf", "%s|", "a b", "c"), {}, "a b|c|"),
        ("printf %s| 'a b' c", {}, "a b|c|"),
        ("printf %s| {name}", {"name": "a b; rm -rf $HOME `id` \"'"}, "a b; rm -rf $HOME `id` \"'|"),
        ("printf %s| x{name}y {name}", {"name": 2}, "x2y|2|"),
        ("printf %s| {flag} {rate}", {"flag": True, "rate": 0.5}, "true|0.5|"),
        ("printf %s| a {name} b", {"name": None}, "a|b|"),
        ("printf %s| a{name} b", {"name": None}, "a|b|"),
        ("printf %s| {names}", {"names": ["x", "y z", None, 3]}, "x|y z|3|"),
        ("printf %s| {names}!", {"names": ["x"]}, '["x"]!|'),
        ("printf %s| {other} {} {1} ${name} {{name}}", {"name": "x"}, "{other}|{}|{1}|$x|{x}|"),
        ("printf %s| {name}", {"name": "{other}", "other": "no"}, "{other}|"),
    ],
)
def test_arguments_become_words(command, params, expected):
    assert parsed(command, params) == expected


def test_a_method_may_give_the_words():
    def argv(self, ctx, params):
        return ["printf", "%s|", *["x"] * params["many"]]

    assert parsed("", {"many": 2}, argv=argv) == "x|x|"


def test_without_a_command_it_says_so():
    assert refusal("") == "Some has no command"


def test_a_script_takes_arguments_from_its_environment():
    script = 'for word in "$RACK_PARAM_NAME" "$RACK_PARAM_COUNT"; do printf "%s|" "$word"; done; echo {name}'
    assert parsed(script, {"name": 'a "b"', "count": 3}, shell=True) == 'a "b"|3|{name}\n'
    assert parsed(("echo a", "echo b"), shell=True) == "a\nb\n"


def test_without_a_shell_the_environment_is_left_alone():
    assert "RACK_PARAM" not in parsed("env", {"name": "x"})


def test_secrets_and_long_values_are_not_in_the_environment():
    options = {"word": {"no_log": True}, "deep": {"type": "dict", "options": {"word": {"no_log": True}}}, "long": {}}
    params = {"word": "hidden1", "deep": {"word": "hidden2"}, "long": "x" * 200_000, "none": None, "short": "y\0z"}
    found = parsed("env", params, options=options, shell=True)
    assert "hidden" not in found
    assert [line for line in found.splitlines() if line.startswith("RACK_PARAM_")] == ["RACK_PARAM_SHORT=yz"]


def test_what_shows_a_secret_of_the_run_is_not_in_the_environment():
    class Ctx:
        def shows_secret(self, text):
            return "hunter2" in text

    class Some(ShellScriptlet):
        command, shell = "env", True

        def parse(self, stdout, ctx, params):
            return stdout

    found = Some().run(Ctx(), {"url": "http://hunter2@host", "user": "me", "no-name": "x"})
    assert [line for line in found.splitlines() if line.startswith("RACK_PARAM_")] == ["RACK_PARAM_USER=me"]


def test_secrets_go_through_stdin():
    def stdin(self, ctx, params):
        return params["word"]

    assert parsed("cat", {"word": "ü"}, stdin=stdin) == "ü"
    assert parsed("cat") == ""


def test_a_function_runs_one_program(capsys):
    argv = ["/bin/sh", "-c", "cat; echo said >&2; exit $CODE"]
    assert run_program(argv, stdin="a b", exit_codes=(0, 3), env={"CODE": "3"}) == "a b"
    assert capsys.readouterr() == ("", "said\n")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda: run_program(["/bin/sh", "-c", "echo no such disk >&2; exit 3"]),
            "/bin/sh ended with exit code 3: no such disk",
        ),
        (lambda: run_program(["/bin/sh", "-c", "kill $$"]), "/bin/sh was killed by SIGTERM"),
        (lambda: run_program("ip link"), "expected a list of words such as ['ip', '-j', 'link'], got 'ip link'"),
        (lambda: run_program([]), "expected a list of words"),
    ],
)
def test_a_program_that_ends_badly_is_an_error_with_its_last_words(call, expected):
    with pytest.raises(ValueError) as error:
        call()
    assert expected in str(error.value)


def test_what_it_prints_is_kept(capsys):
    assert parsed("echo out; echo err >&2; printf '\\377'", shell=True) == "out\n\\xff"
    assert tuple(capsys.readouterr()) == ("out\n\\xff\n[/bin/sh ended with exit code 0]\n", "err\n")


def test_half_a_character_in_the_log_waits_for_its_end(capsys):
    script = "printf '\\303' >&2; sleep 0.2; printf '\\274\\n' >&2"
    parsed(script, shell=True)
    assert capsys.readouterr().err == "ü\n"


@table("command", "expected")
def test_how_it_ended_badly(command, expected):
    assert refusal(command, shell=True) == expected


class Hiding:
    """A context that knows secrets."""

    def __init__(self, *secrets):
        self.mask = Mask(secrets)

    def shows_secret(self, text):
        return False


def ended_by(command, *secrets):
    """Why a script without a parser ended as it did."""
    scriptlet = type("Some", (ShellScriptlet,), {"command": command, "shell": True})()
    with pytest.raises(ValueError) as caught:
        scriptlet.run(Hiding(*secrets), {})
    return str(caught.value)


KEY = "\n".join(f"{number:08d}abcdefgh" for number in range(40))


def test_secrets_are_taken_out_before_the_last_line_is_chosen_and_cut():
    script = f"echo begins >&2\necho '{KEY}' >&2\nexit 3"
    assert ended_by(script, KEY) == "/bin/sh ended with exit code 3: ********"
    assert ended_by(f"printf 'x: %s ' {'a' * 999}b >&2; exit 3", "a" * 999 + "b").endswith("3: x: ********")
    assert ended_by(f"echo {'x' * 300}{'ab' * 500}", "ab" * 500).endswith(f"end with: {'x' * 300}********")


def test_of_very_much_output_the_end_that_is_kept_shows_no_half_of_a_secret(capsys):
    secret = "".join(f"{number:02d}" for number in range(32))
    ended_by(f"yes {secret} | head -c {TAIL + 999 * 65 + 30}; echo", secret)
    assert capsys.readouterr().out.startswith(f"{secret}\n")  # which is masked by who takes it


def test_other_exit_codes_may_be_good():
    assert parsed("echo a; exit 1", shell=True, exit_codes=(0, 1)) == "a\n"


def test_a_program_that_is_not_there(capsys):
    opened = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError) as caught:
        parsed("no_such_program a")
    assert str(caught.value) == "[Errno 2] No such file or directory: 'no_such_program'"
    assert len(os.listdir("/proc/self/fd")) == opened


def test_too_much_to_be_parsed():
    assert refusal("head -c 4194305 /dev/zero") == ("head printed 4194305 bytes: what is to be parsed may have 4194304")


def test_what_is_read_back_is_whole():
    assert len(parsed("head -c 4194304 /dev/zero")) == 4194304


def test_a_descendant_that_holds_the_pipes_does_not_hold_it_up():
    started = time.monotonic()
    os.kill(int(parsed("sleep 30 & echo $!", shell=True)), signal.SIGKILL)
    program = Program(["/bin/sh", "-c", "timeout 20 yes & exit 3"], dict(os.environ), "")
    program.finish()
    assert program.exit_code == 3
    assert time.monotonic() - started < 60


class Plain(ShellScriptlet):
    command = ("printf", "%s", "{text}")


def test_an_envelope_is_left_to_the_executor(capsys):
    assert Plain().run(None, {"text": f"log\n{ENVELOPE}"}) == 0
    assert capsys.readouterr().out == f"log\n{ENVELOPE}\n"


def test_an_envelope_that_says_failed_counts_more_than_the_exit_code(capsys):
    class Failing(ShellScriptlet):
        command = """echo '{"status": "failed", "reason": "r"}'; exit 4"""
        shell = True

    assert Failing().run(None, {}) == 4
    assert capsys.readouterr().out.endswith('"reason": "r"}\n')


@table("text", "expected")
def test_without_a_parser_an_envelope_is_needed(text, expected, capsys):
    with pytest.raises(ValueError) as caught:
        Plain().run(None, {"text": text})
    assert str(caught.value) == expected


def test_an_envelope_is_nothing_special_to_a_parser(capsys):
    assert parsed(("printf", ENVELOPE)) == ENVELOPE
    assert capsys.readouterr().out == f"{ENVELOPE}\n[printf ended with exit code 0]\n"


@pytest.mark.parametrize("script", ["exec sleep 30", "trap '' TERM; while :; do sleep 0.1; done"])
def test_it_is_ended_where_the_scriptlet_is(script, monkeypatch):
    monkeypatch.setattr(shell, "GRACE", 3)
    started = []
    monkeypatch.setattr(shell, "spawn_program", lambda *given: started.append(real(*given)) or started[-1])

    def interrupt(_number, _frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            parsed(script, shell=True)
    finally:
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


real = shell.spawn_program
