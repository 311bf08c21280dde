# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.cli import main as module

IMPORT = "from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet\n"
PROGRAM = f"from {module.__name__} import main; main()"
COUNT = f'''
"""Counts lines."""
{IMPORT}from scriptlets.t.shared import counted


class Count(Scriptlet):
    """How many lines a file has."""

    options = {{"src": {{"type": "path", "required": True}}, "max": {{"type": "int", "default": 9}}}}
    reads = ("t.offset_v1",)
    writes = ("t.lines_v1",)

    def run(self, ctx, params):
        with open(params["src"]) as file:
            lines = counted(file)
        print("read", params["src"])
        ctx.set("t.lines_v1", lines + ctx.get("t.offset_v1", 0))
        ctx.check("lines", lines, max=params["max"])
        if lines == 7:
            raise RuntimeError("seven")
        if lines == 8:
            raise Failed("eight")
        if lines == 6:
            print('{{"status": "failed", "reason": "six"}}')
            return 1
'''
SHELL = """\
#!/bin/sh
cat >stdin.json
echo "to stderr" >&2
printf '{"status": "ok", "outputs": {"t.said_v1": "%s"}}\\n' "$RACK_PARAM_WORD"
"""
SIDECAR = "description: Says\noptions: {word: {type: str}}\nwrites: [t.said_v1]\n"
SUM = f'''
{IMPORT}

class Sum(Scriptlet):
    """Adds up what the hosts have."""

    scope = "run"
    options = {{}}

    def run(self, ctx, params):
        ctx.set("t.sum_v1", sum(ctx.values("t.n_v1").values()))
'''


SEEN = f'''
{IMPORT}

class Seen(Scriptlet):
    """Tells what it finds."""

    options = {{
        "names": {{"type": "list", "aliases": ["all"]}},
        "map": {{"type": "dict"}},
        "text": {{}},
        "any": {{"type": "raw"}},
    }}
    writes = ("t.seen_v1",)

    def run(self, ctx, params):
        found = [ctx.get(key) for key in ("t.own_v1", "t.run_v1", "t.both_v1")]
        ctx.set("t.seen_v1", {{"context": found, "params": params}})
'''


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    (project / "scriptlets/t").mkdir(parents=True)
    (project / "scriptlets/t/count.py").write_text(COUNT)
    (project / "scriptlets/t/shared.py").write_text("def counted(file):\n    return len(file.readlines())\n")
    (project / "scriptlets/t/sum.py").write_text(SUM)
    (project / "scriptlets/t/seen.py").write_text(SEEN)
    (project / "scriptlets/t/say.sh").write_text(SHELL)
    (project / "scriptlets/t/say.yml").write_text(SIDECAR)
    for lines in range(10):
        (project / f"{lines}.txt").write_text("x\n" * lines)


def test_what_it_came_to_is_the_answer(project: Path):
    before = {*project.rglob("*")}
    done = call("debug", "t.count", "--args", '{"src": "3.txt"}')
    answer = done.answer
    assert done.code == 0
    assert answer.pop("seconds") > 0
    check = {"name": "lines", "value": 3, "unit": "", "limits": {"max": 9}, "distance": 6, "verdict": "passed"}
    assert answer == {
        "status": "ok",
        "verdict": "passed",
        "exit_code": 0,
        "outputs": {"t.lines_v1": 3},
        "measurements": [check],
    }
    assert {path for path in project.rglob("*") if "__pycache__" not in path.parts} == before


def test_what_it_does_is_traced():
    done = call("debug", "t.count", "--args", '{"src": "3.txt"}')
    lines = done.err.splitlines()
    assert [line for line in lines if re.match(r'[\d:.]{12} debug count@localhost start: .*"src": "3.txt"', line)]
    assert [line for line in lines if "debug count@localhost set: t.lines_v1 by count: null -> 3" in line]
    assert done.err.count("stdout: read 3.txt\n") == 1
    assert "lines: 3  passed" in lines
    usage = r"used [\d.e-]+ s of user and [\d.e-]+ s of system CPU, [\d.]+ MiB of memory at most"
    assert re.fullmatch(usage, lines[-3])
    assert re.fullmatch(r"count passed in \d\.\d{3} s", lines[-1])


@pytest.mark.parametrize(
    ("words", "code", "verdict", "reason"),
    [
        (["--arg", "src=3.txt", "--arg", "max=2"], 1, "failed", "lines"),
        (["--arg", "src=7.txt"], 1, "error", "RuntimeError: seven"),
        (["--arg", "src=8.txt"], 1, "failed", "eight"),
        (["--arg", "src=6.txt"], 1, "failed", "six"),
        (["--arg", "src=/absent"], 1, "error", "FileNotFoundError"),
        (["--arg", "src=3.txt", "--arg", "max=x"], 1, "error", "max"),
        (["--args", '{"src": "3.txt", "max": 1}', "--arg", "max=5"], 0, "passed", ""),
        (["--args", "@args.yml"], 0, "passed", ""),
        ([], 1, "error", "argument 'src' is required"),
        (["--arg", "scr=3.txt"], 1, "error", "did you mean 'src'?"),
    ],
)
def test_verdicts(words: list[str], code: int, verdict: str, reason: str):
    Path("args.yml").write_text("{src: 3.txt, max: 5}")
    done = call("debug", "t.count", *words)
    assert (done.code, done.answer["verdict"]) == (code, verdict)
    assert reason in done.answer.get("reason", "")
    assert done.answer["status"] == ("ok" if verdict == "passed" else verdict)
    assert f"count {verdict} in " in done.err


def test_a_traceback_is_shown():
    done = call("debug", "t.count", "--arg", "src=7.txt")
    assert 'raise RuntimeError("seven")' in done.err


def test_what_has_the_name_of_a_secret_is_masked(project: Path):
    print_result = '#!/bin/sh\ngiven=$(cat)\necho "$given" | tee /dev/stderr\n'
    envelope = 'printf \'{"status": "ok", "outputs": {"t.said_v1": %s}}\\n\' "$given"\n'
    (project / "scriptlets/t/say.sh").write_text(print_result + envelope)
    options = "{word: {type: raw}, token: {type: raw}}"
    (project / "scriptlets/t/say.yml").write_text(
        f"description: Says\noptions: {options}\nreads: [bmc.password_v1, bmc.login_v1]\n"
    )
    (project / "context.json").write_text(
        json.dumps({"bmc.password_v1": {"of": "Canary-3"}, "bmc.login_v1": {"token": "Canary-4"}})
    )
    args = {"token": {"of": ["Canary-1"]}, "word": [{"Api_Key": "Canary-2"}, "open"]}
    done = call("debug", "t.say", "--args", json.dumps(args), "--context", "context.json")
    assert done.code == 0
    assert done.answer["outputs"]["t.said_v1"]["params"]["word"] == [{"Api_Key": "********"}, "open"]
    assert "Canary" not in done.out + done.err
    assert (done.out + done.err).count("********") >= 7
    (project / "ansible.cfg").write_text("[rack_recipes]\nsecret_keys = another\n")
    assert "Canary-1" in call("debug", "t.say", "--args", json.dumps(args)).out


def test_a_shell_scriptlet():
    done = call("debug", "t.say", "--arg", "word=hello")
    assert (done.code, done.answer["outputs"]) == (0, {"t.said_v1": "hello"})
    assert done.err.count("stderr: to stderr\n") == 1, "the log has it, so the result does not show it again"
    assert "stderr: to stderr\n" in call("debug", "t.say", "--arg", "word=hello", "--log-level", "WARN").err
    less = call("debug", "t.say", "--arg", "word=hello", "--log-level", "Error").err
    assert "stdout: " not in less
    assert "stderr: " not in less


def test_a_scriptlet_of_the_collection():
    assert call("debug", "rack.recipes.numbers_stats", "--arg", "src=3.txt").answer["verdict"] == "error"
    assert call("debug", "memory.usage").answer["outputs"]["memory.usage_v1"]["total_bytes"] > 0


def test_what_it_has_found_in_its_run(project: Path):
    code = f"{IMPORT}\n\nclass Look(Scriptlet):\n    scope = 'run'\n    reads_results = True\n\n"
    run = "    def run(self, ctx, params):\n        ctx.finding(f'{len(ctx.results())} results\\x1b', grade='note')\n"
    (project / "scriptlets" / "t" / "look.py").write_text(code + run)
    done = call("debug", "t.look")
    assert done.code == 0, done.err
    assert "note: 0 results" in done.err
    assert "\x1b" not in done.err
    assert json.loads(done.out)["findings"][0]["grade"] == "note"


def test_the_context_that_it_finds(project: Path):
    (project / "context.yml").write_text("t.offset_v1: 100\n")
    done = call("debug", "t.count", "--arg", "src=3.txt", "--context", "context.yml")
    assert done.answer["outputs"] == {"t.lines_v1": 103}


def test_the_context_of_a_run(project: Path):
    entries = [{"key": "t.n_v1", "host": f"r{number}", "value": number} for number in range(5)]
    (project / "shown.json").write_text(json.dumps({"run_id": "R", "context": entries, "values": {"t.offset_v1": 50}}))
    assert call("debug", "t.sum", "--context", "shown.json").answer["outputs"] == {"t.sum_v1": 10}
    done = call("debug", "t.count", "--arg", "src=3.txt", "--context", "shown.json")
    assert done.answer["outputs"] == {"t.lines_v1": 53}


def _write_shown(project: Path, *hosts: str) -> None:
    """What `ctx show --json` prints of a run with these hosts."""
    run = [{"key": key, "host": "", "value": "run's"} for key in ("t.run_v1", "t.both_v1")]
    own = [{"key": key, "host": host, "value": f"{host}'s"} for host in hosts for key in ("t.own_v1", "t.both_v1")]
    (project / "shown.json").write_text(json.dumps({"run_id": "R", "at": None, "context": run + own}))


def _seen(*words: str) -> list[str]:
    done = call("debug", "t.seen", "--context", "shown.json", *words)
    assert done.code == 0, done.err
    found: list[str] = done.answer["outputs"]["t.seen_v1"]["context"]
    return found


@pytest.mark.parametrize(
    ("hosts", "own"),
    [((), None), (("r1",), "r1's"), (("localhost",), "localhost's"), (("r1", "localhost"), "localhost's")],
)
def test_the_context_of_all_hosts_of_a_run(hosts: tuple[str, ...], own: str | None, project: Path):
    _write_shown(project, *hosts)
    assert _seen() == [own, "run's", own or "run's"]


def test_the_context_of_all_hosts_of_a_run_on_one(project: Path):
    (project / "hosts.yml").write_text(json.dumps({"all": {"hosts": {name: _local() for name in ("r1", "r2")}}}))
    _write_shown(project, "localhost", "r1", "r2")
    there = ("-i", "hosts.yml", "--host")
    assert _seen(*there, "r2") == ["r2's", "run's", "r2's"]
    assert _seen("--host", "localhost") == _seen() == ["localhost's", "run's", "localhost's"]
    _write_shown(project)
    assert _seen(*there, "r2") == _seen() == [None, "run's", "run's"]


def test_whose_keys_are_its_own_is_asked(project: Path):
    _write_shown(project, "r2", "r1")
    done = call("debug", "t.seen", "--context", "shown.json")
    assert done.code == 2
    assert done.err == (
        "--context: shown.json: expected keys of one host, got those of r1, r2: name it with --host, "
        "or give what `rack-recipes ctx show --host NAME --json` prints\n"
    )
    done = call("debug", "t.seen", "--context", "shown.json", "--host", "r3", "-i", "r3,")
    assert done.code == 2
    assert done.err == (
        "--context: shown.json: expected keys of r3, got those of r1, r2: "
        "give what `rack-recipes ctx show --host NAME --json` prints\n"
    )


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("names=[1, a]", "names", [1, "a"]),
        ('names=["1", {"a": null}]', "names", ["1", {"a": None}]),
        ("names=[]", "names", []),
        ("all=[1, a]", "names", [1, "a"]),
        ("names=a, b", "names", ["a", "b"]),
        ("names=a: b, c", "names", ["a: b", "c"]),
        ("names=7", "names", ["7"]),
        ("names=[a, b", "names", ["[a", "b"]),
        ("map={a: 1}", "map", {"a": 1}),
        ("map=a: 1", "map", {"a": 1}),
        ('map={"a": [1]}', "map", {"a": [1]}),
        ("text=[1, a]", "text", "[1, a]"),
        ("any={a: 1}", "any", "{a: 1}"),
    ],
)
def test_an_argument_is_a_list_or_a_mapping(word: str, name: str, value: Any):
    assert call("debug", "t.seen", "--arg", word).answer["outputs"]["t.seen_v1"]["params"][name] == value


def test_an_argument_that_is_no_mapping():
    done = call("debug", "t.seen", "--arg", "map=[1]")
    assert (done.code, done.answer["reason"]) == (1, "argument 'map': expected a mapping, got '[1]'")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["t.coutn"], "no scriptlet 't.coutn'"),
        (["t.coutn"], "(did you mean 't.count'?)"),
        (["t.count", "--function", "Cuont"], "(did you mean 'Count'?)"),
        (["t.count", "--type", "shell"], "t.count has no scriptlet of type shell"),
        (["t.count", "--args", "[]"], "--args: expected a JSON object, got a list"),
        (["t.count", "--args", '"s3cret!"'], "--args: expected a JSON object, got a single value"),
        (["t.count", "--args", "{"], "--args: expected a JSON object: "),
        (["t.count", "--arg", "src"], "--arg: expected NAME=VALUE, got 'src'"),
        (
            ["t.seen", "--arg", "text=${inventory_hostname}"],
            "argument 'text': expected a reference, such as ${host} or ${numbers.stats_v1.mean}, got '${inventory_host",
        ),
        (["t.seen", "--args", '{"any": [{"a": "x ${b c"}]}'], "argument 'any': expected a reference, such as ${host}"),
        (["t.count", "--arg", "src=gone.txt"], "src: expected a file inside the project"),
        (["t.count", "--context", "absent.yml"], "--context: absent.yml: No such file or directory"),
        (
            ["t.count", "--context", "odd.yml"],
            "--context: odd.yml: expected what `rack-recipes ctx show --json` prints",
        ),
        (["t.hidden.one"], "scriptlets/t/hidden.py hides the folder scriptlets/t/hidden: rename one of them"),
        (["t.noexec"], "scriptlets/t/noexec is not executable: chmod +x scriptlets/t/noexec"),
        (["t.count", "--context", "keys.yml"], "--context: keys.yml: expected a context key such as numbers.stats_v1"),
        (["t.say", "--pdb"], "expected a Python scriptlet on this machine, got scriptlets/t/say.sh (type: shell)"),
        (["t.count", "--pdb", "--host", "r1"], "--pdb: expected a Python scriptlet on this machine, got host r1"),
        (["t.sum", "--host", "r1"], "--host: t.sum is meant for the controller (scope: run), leave --host out"),
    ],
)
def test_what_cannot_be_run(words: list[str], text: str, project: Path):
    (project / "keys.yml").write_text("Wrong: 1\n")
    (project / "odd.yml").write_text("context: [t.n_v1]\n")
    (project / "scriptlets/t/hidden").mkdir()
    for name in ("hidden.py", "hidden/one.py"):
        (project / "scriptlets/t" / name).write_text(COUNT)
    (project / "scriptlets/t/noexec").write_text("\x7fELF")
    (project / "scriptlets/t/noexec.yml").write_text(SIDECAR)
    done = call("debug", *words, "--json")
    assert (done.code, done.answer["status"]) == (2, "error")
    assert text in done.answer["reason"]


def test_on_a_host(project: Path):
    (project / "hosts.yml").write_text(json.dumps({"g": {"hosts": {"r2": _local()}}, "all": {"hosts": {"r1": {}}}}))
    (project / "context.yml").write_text("t.offset_v1: 40\n")
    words = ["-i", "hosts.yml", "--context", "context.yml", "--host"]
    done = call("debug", "t.count", "--arg", "src=3.txt", *words, "r2")
    assert (done.code, done.answer["verdict"]) == (0, "passed")
    assert done.answer["outputs"] == {"t.lines_v1": 43}
    run_id = done.answer["run_id"]
    assert f" {run_id} count@r2 set: t.lines_v1 by count" in done.err
    assert call("show", run_id, "--json").answer["run"]["test_id"] == "DEBUG t.count"
    failed = call("debug", "t.count", "--arg", "src=8.txt", *words, "g", "--json")  # a pattern that means this host
    assert (failed.code, failed.answer["reason"]) == (1, "eight")
    assert failed.answer["outputs"] == {"t.lines_v1": 48}


def _local() -> dict[str, str]:
    return {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


def test_a_host_that_is_not_there(project: Path):
    done = call("debug", "t.count", "--arg", "src=3.txt", "--host", "nowhere", "-i", "localhost,")
    assert done.code == 2
    assert "no host matches" in done.err


def typed(commands: str, *words: str) -> tuple[dict[str, Any], str, int]:
    line = [sys.executable, "-c", PROGRAM, "debug", "t.count", "--pdb", *words]
    done = subprocess.run(line, input=commands, capture_output=True, text=True, check=False, timeout=60)
    return json.loads(done.stdout), done.stderr, done.returncode


def test_the_debugger_stops_where_run_begins():
    answer, told, code = typed("n\nn\nn\np lines\np params\nc\n", "--arg", "src=3.txt")
    assert (code, answer["verdict"], answer["outputs"]) == (0, "passed", {"t.lines_v1": 3})
    assert "scriptlets/t/count.py(" in told
    assert "(Pdb) 3\n" in told
    assert "'src': '3.txt'" in told
    assert "read 3.txt" in told


def test_the_debugger_stops_where_it_raises():
    answer, told, code = typed("c\np lines\nq\n", "--arg", "src=7.txt")
    assert (code, answer["verdict"]) == (1, "error")
    assert answer["reason"].startswith("RuntimeError: seven (scriptlets/t/count.py:21")
    assert "python_debugger.py" not in told
    assert re.search(r"  [0-9]+ frames? of rack.recipes\nRuntimeError: seven\n> ", told)
    assert "(Pdb) 7\n" in told


def test_a_failure_is_no_accident():
    answer, told, code = typed("c\n", "--arg", "src=8.txt")
    assert (code, answer["verdict"], answer["reason"]) == (1, "failed", "eight")
    assert told.count("(Pdb)") == 1


def test_an_envelope_that_is_printed_counts_in_the_debugger_too():
    answer, _told, code = typed("c\n", "--arg", "src=6.txt")
    assert (code, answer["status"], answer["reason"]) == (1, "failed", "six")


@pytest.mark.parametrize("commands", ["q\n", ""])
def test_the_debugger_can_be_left(commands: str):
    answer, told, code = typed(commands, "--arg", "src=3.txt")
    assert (code, answer["verdict"], answer["reason"]) == (1, "error", "left in the debugger")
    assert "Traceback" not in told


def test_the_debugger_on_a_terminal(project: Path):
    line = ["-c", PROGRAM, "debug", "t.count", "--pdb", "--arg", "src=3.txt"]
    env = {**os.environ, "TERM": "dumb"}
    with pexpect.spawn(sys.executable, line, env=env, encoding="utf-8", timeout=30) as session:
        session.expect_exact("(Pdb) ")
        session.sendline("p 40 + 2")
        session.expect_exact("42")
        session.expect_exact("(Pdb) ")
        session.send("p 40 + 3\x7f5\r")  # a line can be edited
        session.expect_exact("45")
        session.expect_exact("(Pdb) ")
        session.sendline("c")
        session.expect('"verdict": "passed"')
        session.expect(pexpect.EOF)
    session.close()
    assert session.exitstatus == 0


LOGS = """
import logging
import json
from rack_recipes import Scriptlet
log = logging.getLogger(__name__)
class Talk(Scriptlet):
    options = {"how": {"type": "str", "default": ""}, "file": {"type": "path", "default": "~/a"},
        "pin": {"type": "str", "no_log": True}, "names": {"type": "list"}, "most": {"type": "int", "default": "7"}}
    reads, writes = (), ()
    def run(self, ctx, params):
        log.debug("d %s", 1); log.info("i"); log.warning("w"); log.error("e")
        if params["how"] == "key":
            {}["n"]
        if params["how"] == "json":
            json.loads("{")
        if params["how"] == "int":
            int("x")
        if params["how"] == "own":
            raise ValueError("own words")
"""


@pytest.fixture
def _talk(project: Path) -> None:
    (project / "scriptlets/t/talk.py").write_text(LOGS)


def reason_of(*words: str) -> str:
    """Why t.talk ended as it did."""
    return str(call("debug", "t.talk", "--log-level", "error", *words).answer["reason"])


@pytest.mark.usefixtures("_talk")
@pytest.mark.parametrize(
    ("words", "levels"),
    [
        (["--log-level", "warning"], ["WARNING", "ERROR"]),
        (["--log-level", "info"], ["INFO", "WARNING", "ERROR"]),
        ([], ["DEBUG", "INFO", "WARNING", "ERROR"]),
    ],
)
def test_python_s_logging_has_the_level_of_the_run(words: list[str], levels: list[str]):
    command = [sys.executable, "-c", PROGRAM, "debug", "t.talk", *words]  # pytest has handlers of its own in this one
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    lines = [line.split() for line in re.findall(r" stderr: (20.*)", done.stderr)]
    assert [line[1] for line in lines] == levels
    assert all(len(line[0]) == len("2026-11-25T14:44:31.123Z") for line in lines)
    assert {(line[2], line[4], line[5]) for line in lines} == {("scriptlets.t.talk", "talk", "localhost]")}


@pytest.mark.usefixtures("_talk")
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("key", "KeyError: 'n' (scriptlets/t/talk.py:13; `rack-recipes debug t.talk --arg how=key` shows more)"),
        ("json", "JSONDecodeError: .*in double quotes.* \\(scriptlets/t/talk.py:15; .*"),
        ("int", "invalid literal for int.* \\(scriptlets/t/talk.py:17; .*"),
        ("own", "own words"),
    ],
)
def test_an_exception_names_file_and_line(how: str, reason: str):
    told = reason_of("--arg", f"how={how}")
    assert told == reason or re.fullmatch(reason, told)


@pytest.mark.usefixtures("_talk")
def test_on_a_host_the_advice_is_for_the_inventory_of_the_run(project: Path):
    (project / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"leaf1": _local()}}}))
    (project / "b c.yml").write_text(json.dumps({"g": {"hosts": {"leaf1": {}}}}))
    command = "`rack-recipes debug t.talk --arg how=key --host leaf1 -i hosts.yml -i 'b c.yml'` shows more)"
    words = ("--host", "leaf1", "-i", "hosts.yml", "-i", "b c.yml")
    assert reason_of(*words, "--arg", "how=key").endswith(command)


@pytest.mark.usefixtures("_talk")
@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"file": "/a b", "most": 3}, "--arg how=key --arg file='/a b' --arg most=3"),
        ({"pin": "12", "names": ["a"], "most": 7}, "--arg how=key --arg pin=... --arg names=..."),
        ({"file": "/`a`"}, "--arg how=key --arg file=..."),
        ({"file": f"/{'a' * 200}"}, "--arg how=key --arg file=..."),
    ],
)
def test_an_exception_names_what_was_given_and_no_secret(args: dict[str, Any], words: str):
    told = reason_of("--args", json.dumps({"how": "key", **args}))
    assert told == f"KeyError: 'n' (scriptlets/t/talk.py:13; `rack-recipes debug t.talk {words}` shows more)"
