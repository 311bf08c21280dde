# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step can do in its sandbox, and what it cannot: by bubblewrap, in real children."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.executor.child import sandbox, start_process
from ansible_collections.rack.recipes.plugins.module_utils.executor.process import attempt, process_control
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    OK,
    children_of,
    is_alive,
    no_sandbox,
    step,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

NO_SANDBOX = no_sandbox()
needs_sandbox = pytest.mark.skipif(bool(NO_SANDBOX), reason=NO_SANDBOX)


@pytest.fixture
def python(work, monkeypatch):
    """A step that runs the class in a text, as a module that both Pythons can import."""
    folder = work.folder.parent / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def made(run, name="probe", **fields):
        lines = "".join(f"        {line}\n" for line in run.splitlines())
        head = "import os, signal, socket, sys, time\n"
        head += "from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet\n"
        (folder / f"{name}.py").write_text(f"{head}class Probe(Scriptlet):\n    def run(self, ctx, params):\n{lines}")
        monkeypatch.delitem(sys.modules, name, raising=False)
        return step(name, kind="python", module=name, function="Probe", **{"sandbox": {}, **fields})

    return made


def says(work, text, wanted=None, **fields):
    """What a sandboxed script prints before its envelope."""
    ran = work.run(work.script(f"{text}\n{OK}", sandbox=wanted or {}, **fields))
    assert ran.outcome == ("passed", ""), ran.outcome
    return ran.attempt["stdout"].rpartition("\n{")[0], ran.attempt["stderr"]


@needs_sandbox
def test_nothing_of_the_host_is_written(work):
    """But in the working folder, where its scriptlets can only be read."""
    (work.folder / "scriptlets").mkdir()
    (work.folder / "scriptlets" / "next.sh").write_text("what a later step runs\n")
    outside = work.folder.parent / "outside"
    outside.write_text("as it was\n")
    home = Path.home()
    out, err = says(
        work,
        f"echo new > {home}/rack-sandbox; echo changed > {outside}; rm -r scriptlets; echo x >> scriptlets/next.sh\n"
        "mv scriptlets other; echo here > result; cat scriptlets/next.sh",
    )
    assert not (home / "rack-sandbox").exists()
    assert outside.read_text() == "as it was\n"
    assert (work.folder / "result").read_text() == "here\n"
    assert (work.folder / "scriptlets" / "next.sh").read_text() == out + "\n" == "what a later step runs\n"
    assert "Read-only file system" in err


@needs_sandbox
def test_temporary_folders_are_its_own_and_empty(work):
    count = "(cd $d && find . -type f ! -path '*/work/*' | wc -l)"
    out, _err = says(work, f"for d in /tmp /var/tmp /run; do {count}; echo x > $d/rack-mine; done")
    assert out.split() == ["0", "0", "0"]
    assert not any(os.path.exists(f"{folder}/rack-mine") for folder in ("/tmp", "/var/tmp", "/run"))


@needs_sandbox
def test_it_has_no_capabilities_and_gets_none(work):
    out, _err = says(work, "grep -E '^(Cap(Eff|Prm|Inh|Amb)|NoNewPrivs)' /proc/self/status")
    found = dict(line.split(":\t") for line in out.splitlines())
    assert found.pop("NoNewPrivs") == "1"
    assert {int(value, 16) for value in found.values()} == {0}


@needs_sandbox
def test_it_sees_no_other_process_and_no_device(work):
    out, _err = says(work, "ls -d /proc/[0-9]* | wc -l; ls /dev/sd* /dev/mem /dev/kmsg /dev/nvme* 2>/dev/null | wc -l")
    processes, devices = map(int, out.split())
    assert processes <= 5
    assert devices == 0


OPEN_ALL = """\
import os
folders = ["/proc", "/sys", "/dev"]
while folders:
    folder = folders.pop()
    try:
        entries = [*os.scandir(folder)]
    except OSError:
        continue
    for entry in entries:
        if entry.is_symlink() or (folder == "/proc" and entry.name.isdigit()) or entry.path.startswith("/dev/pts"):
            continue
        if entry.is_dir():
            folders.append(entry.path)
            continue
        try:
            os.close(os.open(entry.path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            continue
        print(entry.path)
"""
DEVICES = {f"/dev/{name}" for name in ("full", "null", "random", "tty", "urandom", "zero")}


@needs_sandbox
@pytest.mark.parametrize("wanted", [{}, {"network": True}])
def test_no_setting_of_the_kernel_can_be_changed(work, wanted):
    """Root needs no capability to write a file of root's in /proc. Each is opened, and nothing is written."""
    out, _err = says(work, f"/usr/bin/python3 - <<'END'\n{OPEN_ALL}END", wanted)
    assert {"/dev/null"} <= {*out.split()} <= DEVICES


@needs_sandbox
@pytest.mark.parametrize("kind", ["script", "class"])
def test_only_with_network_it_reaches_another_process(work, python, kind):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"socket.create_connection(('127.0.0.1', {port}), 5).close()"
        done = 'print(\'{"status": "ok"}\')'
        script = f"#!/usr/bin/python3\nimport socket\n{connect}\n{done}\n"
        for wanted, verdict in ({"network": True}, "passed"), ({}, "error"), ({"network": False}, "error"):
            tried = python(connect) if kind == "class" else work.script(script)
            ran = work.run({**tried, "sandbox": wanted})
            assert ran.only["verdict"] == verdict
            assert ("Connection refused" in ran.attempt["stderr"]) == (verdict == "error")


@needs_sandbox
def test_it_has_a_loopback_of_its_own(work, python):
    run = "server = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(server.getsockname()).close()"
    assert work.run(python(run)).outcome == ("passed", "")


@needs_sandbox
def test_paths_that_may_be_written(work, python):
    results, beside = work.folder.parent / "results", work.folder.parent / "beside"
    results.mkdir(), beside.mkdir()
    link = work.folder / "link"
    link.symlink_to(results)
    wanted = {"write": [str(link)]}
    says(work, f"echo one > {results}/one; echo two > {link}/two; echo no > {beside}/no", wanted)
    assert work.run(python(f"open('{link}/three', 'w').close()", sandbox=wanted)).outcome == ("passed", "")
    assert sorted(os.listdir(results)) == ["one", "three", "two"]
    assert os.listdir(beside) == []


@needs_sandbox
@pytest.mark.parametrize(
    ("path", "why"),
    [("/nowhere/at/all", "No such file or directory"), ("/tmp/..", "the whole file system is no sandbox")],
)
def test_a_path_that_cannot_be_written(work, path, why):
    assert work.run(work.script(OK, sandbox={"write": [path]})).outcome == ("error", f"sandbox.write: {path}: {why}")


@needs_sandbox
def test_a_class_reads_sets_measures_and_attaches(work, python):
    run = (
        "ctx.set('a.seen_v1', [ctx.get('a.given_v1'), ctx.get('a.of_run_v1'), ctx.get('a.given_v1', host='r2')])\n"
        "ctx.set('a.run_v1', [params['n'] == 2**70, len(params['text'])], scope='run')\n"
        "ctx.measure('speed', 7, 'ms')\n"
        "ctx.check('load', 3, max=5)\n"
        "ctx.attach('log', b'a file')\n"
        "print('said'); print('logged', file=sys.stderr)"
    )
    tried = python(run, args={"n": 2**70, "text": "\u00e4\ud83d"}, options=None)
    context = {
        "own": {"a.given_v1": [3, 1.5]},
        "run": {"a.of_run_v1": [1, None]},
        "hosts": {"r2": {"a.given_v1": [1, "x"]}},
    }
    ran = work.run(tried, **context)
    assert ran.outcome == ("passed", "")
    assert [(each["key"], each["scope"], each["after"]) for each in ran.deltas] == [
        ("a.seen_v1", "host", [1.5, None, "x"]),
        ("a.run_v1", "run", [True, 2]),
    ]
    assert [(each["name"], each["value"]) for each in ran.only["measurements"]] == [("speed", 7), ("load", 3)]
    assert (ran.attempt["stdout"], ran.attempt["stderr"]) == ("said\n", "logged\n")
    (artifact,) = (record for record in ran.records if record["kind"] == "artifact")
    assert (work.artifacts / artifact["sha256"]).read_bytes() == b"a file"


@needs_sandbox
def test_a_class_cannot_read_what_it_does_not_declare(work, python):
    ran = work.run(python("ctx.get('a.given_v1')", reads=["b_v1"]), own={"a.given_v1": [1, 7]})
    reason = "the key a.given_v1 is not among those that the scriptlet reads (b_v1): add it to its reads"
    assert ran.outcome == ("error", reason)


@needs_sandbox
def test_a_class_runs_by_the_python_of_an_environment(work, python, monkeypatch):
    """Which is a link in a folder that the sandbox shows anyway."""
    own = work.folder.parent / "environment"
    (own / "bin").mkdir(parents=True)
    (own / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    (own / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}/bin\n")
    tried = python("ctx.set('a.prefix_v1', sys.prefix)")
    monkeypatch.syspath_prepend(str(own))
    monkeypatch.setattr(sys, "executable", f"{own}/bin/python")
    monkeypatch.setattr(sys, "prefix", str(own))
    ran = work.run(tried)
    assert ran.outcome == ("passed", "")
    assert ran.deltas[0]["after"] == str(own)


@needs_sandbox
@table("run", "verdict", "reason")
def test_how_a_class_ends(work, python, run, verdict, reason):
    ran = work.run(python(run))
    assert (ran.only["verdict"], ran.only["reason"][: len(reason)]) == (verdict, reason)


@needs_sandbox
def test_secrets_are_in_memory_alone(work, python):
    """Neither on a command line nor in an environment nor on a disk; and they are masked inside, too."""
    run = (
        "seen = ''.join(open(f'/proc/{p}/{n}').read() for p in os.listdir('/proc') if p.isdigit()"
        " for n in ('cmdline', 'environ'))\n"
        "ctx.set('a.shows_v1', params['word'][:-1] in seen)\n"
        "ctx.attach('log', f'it is {params[\"word\"]}, and told {ctx.secret(\"registered-inside\")}'.encode())\n"
        "print(params['word'], 'registered-inside')"
    )
    ran = work.run(python(run, args={"word": "tell-nobody-1"}, options={"word": {"no_log": True}}))
    assert ran.outcome == ("passed", "")
    assert ran.deltas[0]["after"] is False
    assert {"secret": "registered-inside"} in ran.told
    (artifact,) = work.artifacts.iterdir()
    assert artifact.read_bytes() == b"it is ********, and told ********"
    assert "tell-nobody" not in json.dumps(ran.records)
    assert "registered-inside" not in json.dumps(ran.records)


def _is_inherited(number):
    """Whether a descriptor of the tests' own process, which whoever started it gave to it, goes to each program."""
    try:
        return os.get_inheritable(number)
    except OSError:
        return False


@needs_sandbox
def test_code_that_is_handed_over_is_a_copy(work, python, monkeypatch):
    """The stage's code comes in a memory file that can be written: by a class in a sandbox, only its own copy of it."""
    payload = work.folder.parent / "payload.zip"
    with zipfile.ZipFile(payload, "w") as archive:
        archive.writestr("carried.py", "WORD = 'carried'\n")
    number = os.memfd_create("payload")
    os.write(number, payload.read_bytes())
    monkeypatch.syspath_prepend(f"/proc/self/fd/{number}")
    run = (
        "import carried\n"
        "ctx.set('a.word_v1', carried.WORD)\n"
        f"os.pwrite({number}, b'changed', 0)\n"
        "links = [f'/proc/self/fd/{n}' for n in os.listdir('/proc/self/fd')]\n"
        "ctx.set('a.open_v1', [os.readlink(link) for link in links if os.path.exists(link)])"
    )
    inherited = sum(map(_is_inherited, range(3, 300)))
    ran = work.run(python(run))
    assert ran.outcome == ("passed", "")
    word, left_open = (each["after"] for each in ran.deltas)
    assert word == "carried"
    assert len(left_open) == 3 + 2 + inherited  # streams; events and code
    assert os.pread(number, 10**6, 0) == payload.read_bytes()
    os.close(number)


@needs_sandbox
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler on this machine")
def test_a_program_is_compiled_outside_and_run_inside(work):
    source = (
        '#include <stdio.h>\nint main(void) { FILE *f = fopen("/var/tmp/rack-native", "w");\n'
        '  if (f == NULL || fopen("/rack-native", "w") != NULL) return 1;\n  puts("{\\"status\\": \\"ok\\"}"); }\n'
    )
    for _again in range(2):
        assert work.run(work.source(source, sandbox={})).outcome == ("passed", "")
    assert not os.path.exists("/var/tmp/rack-native")
    assert len(list(work.cache.iterdir())) == 1


@needs_sandbox
def test_a_program_in_a_folder_mounted_noexec(work, monkeypatch):
    """It is handed over in memory."""
    program = work.folder / "program"
    shutil.copy("/bin/true", program)
    monkeypatch.setattr(os, "statvfs", lambda _path: type("Stat", (), {"f_flag": os.ST_NOEXEC}))
    path = sandbox.runnable(str(program))
    assert path.startswith("/proc/self/fd/")
    number = int(path.rpartition("/")[2])
    assert subprocess.run([*sandbox.box({}, str(work.folder)), path], pass_fds=[number], check=False).returncode == 0
    os.close(number)


@needs_sandbox
@pytest.mark.parametrize(
    "text",
    [
        "(setsid sh -c 'setsid sleep 600 & sleep 600' &); sleep 600",
        "trap '' TERM HUP INT; (env -i setsid sleep 600 &); while :; do sleep 0.05; done",
    ],
)
@pytest.mark.parametrize("kind", ["script", "class"])
def test_a_timeout_leaves_nothing_behind(work, python, monkeypatch, text, kind):
    monkeypatch.setattr(attempt, "GRACE", 0.5)
    text = f"echo $$ > begun; {text}"
    tried = python(f"os.system({text!r})") if kind == "class" else work.script(text)
    ran = work.run({**tried, "timeout": 1.5, "sandbox": {}})
    assert ran.outcome == ("error", "timed out after 1.5 s")
    assert (work.folder / "begun").exists()
    assert children_of(os.getpid()) == []
    own = start_process.marks_of_process(os.getpid())
    left = [pid for pid in process_control.other_processes() if _mark(pid) in own and is_alive(pid)]
    assert left == []


def _mark(pid):
    try:
        return process_control.mark_of(pid)
    except OSError:
        return process_control.UNMARKED


@needs_sandbox
def test_who_is_stopped_has_time_to_clean_up(work, monkeypatch):
    """Bubblewrap, which would end it at once, is left alone."""
    monkeypatch.setattr(attempt, "GRACE", 100.0)
    text = "trap 'echo cleaned > cleaned; exit 1' TERM; echo > begun; while :; do sleep 0.05; done"
    started = time.monotonic()
    ran = work.run(work.script(text, timeout=1.0, sandbox={}))
    assert ran.outcome == ("error", "timed out after 1 s")
    assert (work.folder / "cleaned").exists()
    assert time.monotonic() - started < 60  # less than the grace


@needs_sandbox
def test_what_it_leaves_in_the_background_ends_with_it(work):
    says(
        work,
        "(setsid sh -c 'while :; do echo $$ >> alive; sleep 0.05; done' &); while ! [ -s alive ]; do sleep 0.02; done",
    )
    size = (work.folder / "alive").stat().st_size
    time.sleep(0.3)
    assert (work.folder / "alive").stat().st_size == size


@needs_sandbox
def test_it_ends_with_the_executor(work):
    """Killed, it can end nothing itself."""
    pid = os.fork()
    if not pid:
        work.run(work.script("echo > begun; sleep 600", sandbox={}))
    until = time.monotonic() + 60
    while not (work.folder / "begun").exists() and time.monotonic() < until:
        time.sleep(0.02)
    mark = start_process.marks_of_process(pid)
    assert any(_mark(each) in mark for each in process_control.other_processes())
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    while any(_mark(each) in mark and is_alive(each) for each in process_control.other_processes()):
        assert time.monotonic() < until
        time.sleep(0.02)


@needs_sandbox
def test_what_it_uses_is_counted(work, python):
    loop = "end = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    text = f'#!/usr/bin/python3\nimport time\n{loop}\nprint(\'{{"status": "ok"}}\')\n'
    for tried in (python(loop), work.script(text, sandbox={})):
        used = work.run(tried).attempt
        assert used["user_sec"] + used["system_sec"] > 0.4


@needs_sandbox
@table("name", "most", "run")
def test_limits_hold_inside(work, python, name, most, run):
    given = {"own": {"a.large_v1": [1, "x" * 2**21]}} if name == "file_mib" else {}
    ran = work.run(python(run, limits={name: most}), **given)
    assert ran.only["verdict"] == "error"
    assert f"(limits.{name} is " in ran.only["reason"]


@needs_sandbox
def test_its_own_processes_do_not_count(work):
    for most, verdict in (4, "passed"), (2, "error"):
        text = f"for n in 1 2; do sleep 1 & done; wait; {OK}"
        ran = work.run(work.script(text, limits={"processes": most}, sandbox={}))
        if os.getuid() == 0 or verdict == "passed":
            assert ran.only["verdict"] == verdict, ran.only["reason"]


@needs_sandbox
def test_tries_rounds_and_loops_are_each_in_one(work):
    text = "test ! -e /tmp/mine || exit 9; echo x > /tmp/mine; echo x >> count; test $(wc -l < count) -ge 3 || exit 1"
    ran = work.run(
        work.script(f"{text}\n{OK}", "tried", sandbox={}, retry={"max": 5}),
        work.script(f"test ! -e /tmp/x && echo > /tmp/x && {OK}", "looped", sandbox={}, loop=[1, 2, 3]),
    )
    assert set(ran.verdicts.values()) == {"passed"}
    assert len(ran.steps["tried"]["attempts"]) == 3


@needs_sandbox
def test_hooks_run_outside(work):
    here = work.folder.parent / "hooked"
    hook = {**work.script(f"echo hook >> {here}\n{OK}", "hook"), "args": {}}
    ran = work.run(
        work.script(f"echo step >> {here}\n{OK}", sandbox={}), hooks={"pre_step": [hook], "post_step": [hook]}
    )
    assert ran.outcome == ("passed", "")
    assert here.read_text() == "hook\nhook\n"
    assert "hooks" not in ran.only


@needs_sandbox
def test_a_check_looks_at_its_arguments_inside(work, python):
    (work.folder.parent / "code" / "checked.py").write_text(
        "from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet\n"
        "class Probe(Scriptlet):\n    def validate(self, ctx, params):\n        open('/var/tmp/rack-validated', 'w')\n"
        "    def run(self, ctx, params):\n        raise SystemExit(9)\n"
    )
    checked = {**python("pass"), "module": "checked"}
    ran = work.run(checked, check=True)
    assert ran.outcome == ("skipped", "check mode: its arguments are right")
    assert not os.path.exists("/var/tmp/rack-validated")


def test_inputs_differ_with_the_sandbox(work):
    inputs = {
        json.dumps(wanted): work.run(work.script(OK, digest="sha256:1", **wanted)).only.get("inputs")
        for wanted in ({}, {"sandbox": {}}, {"sandbox": {"network": True}})
    }
    if NO_SANDBOX:
        pytest.skip(NO_SANDBOX)
    assert len({*inputs.values()} - {None}) == 3


@pytest.mark.parametrize("kind", ["script", "class", "program"])
def test_without_bubblewrap_nothing_runs(work, python, monkeypatch, kind):
    """The folder of the shell need not have it."""
    tools = work.folder.parent / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    source = '#include <stdio.h>\nint main(void) { puts("ran"); }\n'
    tried = {"class": python("open('ran', 'w')"), "script": work.script("echo > ran"), "program": work.source(source)}
    ran = work.run({**tried[kind], "sandbox": {}})
    assert ran.outcome == ("error", sandbox.MISSING)
    assert ran.only["attempts"] == []
    assert not (work.folder / "ran").exists()


def test_a_module_of_ansible_s_runs_in_none(work):
    called = step("module", kind="call", call=print, sandbox={})
    assert work.run(called).outcome == ("error", "a module of Ansible's cannot run in a sandbox")


NO_ROOM = "for f in user pid mnt net; do echo 0 > /proc/sys/user/max_${f}_namespaces; done"


def no_more_namespaces():
    """Why a user namespace that gives no other ones cannot be made here; empty where it can."""
    done = subprocess.run(["unshare", "-Ur", "sh", "-ec", NO_ROOM], stderr=subprocess.PIPE, check=False)
    return done.stderr.decode().strip()


@needs_sandbox
@pytest.mark.skipif(bool(no_more_namespaces()), reason=no_more_namespaces())
def test_where_it_is_refused_nothing_runs(work):
    """In a user namespace whose share of further ones is none."""
    code = (
        "import json, os, sys\n"
        "from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import Work\n"
        "os.chdir(sys.argv[1])\nos.rmdir(sys.argv[1] + '/../programs')\nwork = Work(sys.argv[1])\n"
        "ran = work.run(work.script('echo > ran', sandbox={}, retry={'max': 3}))\n"
        "print(json.dumps([ran.outcome, len(ran.only['attempts'])]))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = ["unshare", "-Ur", "sh", "-ec", f'{NO_ROOM}; exec "$@"', "sh", sys.executable, "-c", code, work.folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=env, check=True)
    (verdict, reason), attempts = json.loads(done.stdout)
    assert (verdict, attempts) == ("error", 0)
    assert reason.startswith("the sandbox cannot be made: bwrap: ")
    assert reason.endswith(sandbox.NAMESPACES)
    assert not (work.folder / "ran").exists()


def test_of_what_is_hidden_only_what_is_needed_is_shown(work):
    """Never a whole private folder, nor what is no absolute path: that would be the working folder, or everything."""
    link = work.folder / "python"
    link.symlink_to("/bin/sh")
    given = (
        "",
        ".",
        "scriptlets",
        "/",
        "/tmp",
        "/tmp/",
        "/tmp/a/..",
        "/usr/lib",
        "/var/tmp/code",
        "/run/x.zip",
        str(link),
    )
    if not shutil.which("bwrap"):
        pytest.skip(sandbox.MISSING)
    words = sandbox.box({}, str(work.folder), given)
    shown = {path for option, path in zip(words, words[1:]) if option == "--ro-bind-try"}
    shown -= {str(work.folder / name) for name in sandbox.CODE}
    in_tmp = {str(link)} if str(link).startswith(("/tmp/", "/var/tmp/")) else set()
    assert shown == {*sandbox.NEEDED, "/var/tmp/code", "/run/x.zip", *in_tmp}


@table("stdout", "stderr", "code", "expected")
def test_what_bubblewrap_says_is_told(stdout, stderr, code, expected):
    ended = attempt.Attempt(None, [].append)
    ended.stdout.add(stdout.encode())
    ended.stderr.add(stderr.encode())
    ended.exit_code = code
    assert sandbox.refused(ended, None) == expected
