# SPDX-License-Identifier: GPL-3.0-or-later

"""Every command with standard streams that are closed or full, and with odd words: no traceback, nothing is lost."""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from call_rack_recipes import COMMAND, SUCCESS, environment
from rack_recipes.cli.call_command import call_command
from rack_recipes.cli.command_table import COMMANDS, is_group, parser_of

NOT_WRITTEN = "the answer could not be written to stdout: "
PASSED, WRONG, NO_ANSWER = 0, 2, 5
RECIPE = {
    "test_meta": {"test_id": "STREAMS"},
    "params": {"n": {"type": "int", "default": 1}, "d": {"type": "dict", "default": {}}},
    "steps": [{"name": "one", "module": "t.one", "success": SUCCESS["ok"]}],
}
SCRIPTLET = """\
from rack_recipes import Scriptlet


class One(Scriptlet):
    def run(self, ctx, params):
        ctx.set("t.ok_v1", 1)
"""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one run."""
    folder = tmp_path_factory.mktemp("streams")
    (folder / "ansible.cfg").write_text("[defaults]\nretry_files_enabled = False\n")
    (folder / "recipes").mkdir()
    (folder / "recipes" / "one.yml").write_text(json.dumps(RECIPE))
    (folder / "scriptlets" / "t").mkdir(parents=True)
    (folder / "scriptlets" / "t" / "one.py").write_text(SCRIPTLET)
    (folder / "folder").mkdir()
    (folder / "bytes").write_bytes(b"\xff\xfe\0\n[\x80")
    (folder / "deep.json").write_text('{"d":' + '{"a":' * 3000 + "1" + "}" * 3001)
    (folder / "numbers.json").write_text(f'{{"n": {10**400}, "d": {{"x": NaN}}}}')
    (folder / "list.yml").write_text("- 1\n")
    done = called(folder, ["run", "recipes/one.yml"])
    assert done.returncode == PASSED, done.stderr
    return folder


def called(folder: Path, words: list[str], streams: str = "") -> subprocess.CompletedProcess[str]:
    """A command whose streams are redirected as the shell does."""
    shell = f'exec "$@" {streams}'
    line = ["bash", "-c", shell, "bash", sys.executable, "-c", COMMAND, *words]
    return subprocess.run(
        line,
        check=False,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


STREAMS = [
    *("<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"),
    *(">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full", "<&- >/dev/full 2>&-"),
]
READING = ["show", "runs --json", "plan recipes/one.yml", "ctx show", "--help", "run --help", "--version", "scriptlets"]


def check(done: subprocess.CompletedProcess[str], streams: str, code: int) -> None:
    """A command that ends with `code` where its streams are open."""
    is_unwritten = ">&-" in streams.replace("2>&-", "") or ">/dev/full" in streams.replace("2>/dev/full", "")
    assert "Traceback" not in done.stderr
    assert done.returncode == (code or (NO_ANSWER if is_unwritten else PASSED)), done.stderr
    assert bool(done.stdout) is not is_unwritten
    if is_unwritten and "2>" not in streams:
        assert NOT_WRITTEN in done.stderr.splitlines()[-1]


@pytest.mark.repeats(one_in=5)
@pytest.mark.parametrize("streams", STREAMS)
def test_a_run_with_streams_that_nobody_can_use(there: Path, streams: str):
    """It runs, and its results are in the store: no file has got the number of a stream."""
    before = len(list((there / ".rack-recipes" / "runs").iterdir()))
    check(called(there, ["run", "recipes/one.yml"], streams), streams, PASSED)
    assert len(list((there / ".rack-recipes" / "runs").iterdir())) == before + 1
    shown = json.loads(called(there, ["show", "--json"]).stdout)
    assert [step["verdict"] for step in shown["steps"]] == ["passed"]
    assert called(there, ["db", "check"]).returncode == PASSED


@pytest.mark.repeats(one_in=13)
@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("words", READING)
def test_an_answer_that_cannot_be_written(there: Path, words: str, streams: str):
    check(called(there, words.split(), streams), streams, PASSED)


@pytest.mark.repeats(one_in=30)
@pytest.mark.parametrize("name", [name for name in COMMANDS if not is_group(name)])
def test_an_error_that_cannot_be_written(there: Path, name: str):
    """Each command: its help, and its error as JSON."""
    for streams in (">&-", "2>&-", "<&- >/dev/full 2>/dev/full"):
        check(called(there, [*name.split(), "--help"], streams), streams, PASSED)
        check(called(there, [*name.split(), "--json", "--no-such-option"], streams), streams, WRONG)


@pytest.mark.parametrize("words", ["run recipes/one.yml", "runs", "run --help", "runs --no-such-option --json"])
def test_a_reader_who_has_seen_enough(there: Path, words: str):
    """As of `head`: the command ends quietly."""
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-c", COMMAND, *words.split()]
    try:
        done = subprocess.run(
            line,
            check=False,
            cwd=there,
            env=environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    finally:
        os.close(writing)
    assert done.returncode == (WRONG if "--no-such-option" in words else PASSED)
    assert "Traceback" not in done.stderr
    assert "Broken pipe" not in done.stderr


ODD = [
    *("", " ", "-", "--", "=", "=x", "n=", "a=b", "[", "{", "@", "@folder", "@bytes", "%s", "{{ 7 }}", "${x", "\t\n"),
    *("0", "-1", "1.5", "9" * 400, "nan", "inf", "1e999", "last", "\udcff\udcfe", "ü🙂", "a\nb", "x" * 100_000),
    *(".", "folder", "bytes", "deep.json", "numbers.json", "list.yml", "recipes/one.yml", "missing/x", "bytes/x"),
    *(
        "n=" + "9" * 5000,
        "d=" + '{"a":' * 3000,
        "d={x: .inf}",
        "n=\udcff",
        "sqlite:///folder",
        "sqlite:///bytes",
        "x://y",
    ),
]
# They would not end, or work on the machine itself.
LEFT_OUT = ("serve", "rack up", "rack break", "rack heal", "rack down", "upload")
LIMIT = 60  # seconds


def odd_words(name: str, seed: int) -> list[str]:
    """A command line of a command: some of its options, with odd values."""
    chance = random.Random(f"{name} {seed}")
    words = name.split()
    for action in parser_of(name)._actions:
        is_wanted = not action.option_strings or action.required or chance.random() < 0.25
        if is_wanted and not isinstance(action, argparse._HelpAction):
            words += [*_words_of(action, chance)]
    return [*words, *(["--dry-run"] if name == "run" else [])]


def _words_of(action: argparse.Action, chance: random.Random) -> Iterator[str]:
    yield from [chance.choice(action.option_strings)] if action.option_strings else []
    if action.nargs == 0:
        return
    for _number in range(1 if action.nargs in (None, "?") else chance.randint(1, 3)):
        yield chance.choice([*action.choices] if action.choices and chance.random() < 0.7 else ODD)


def ended(folder: Path, words: list[str]) -> tuple[int, str]:
    """The exit code of a command in a process of its own, and what it printed. No Python is started: it takes long."""
    output = folder / "output"
    pid = os.fork()
    if not pid:
        os.chdir(folder)
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number, source in enumerate((os.open(os.devnull, os.O_RDONLY), file, file)):
            os.dup2(source, number)
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
        stdout, stderr = (io.BufferedWriter(io.FileIO(number, "w", closefd=False)) for number in (1, 2))
        sys.stdout, sys.stderr = io.TextIOWrapper(stdout), io.TextIOWrapper(stderr, errors="backslashreplace")
        code = 70
        try:
            signal.alarm(LIMIT)
            call_command(words)
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            sys.stdout.flush()
            os._exit(code)
    _pid, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), output.read_text(errors="backslashreplace")


@pytest.mark.repeats(one_in=13)
@pytest.mark.parametrize("seed", range(14))
@pytest.mark.parametrize("name", [name for name in COMMANDS if not is_group(name) and name not in LEFT_OUT])
def test_odd_words(there: Path, name: str, seed: int):
    """No traceback, and an exit code that the manual has."""
    words = odd_words(name, seed)
    code, said = ended(there, words)
    assert "Traceback" not in said, (words, said[-2000:])
    assert code in (0, 1, 2, 3, 5), (words, code, said[-2000:])


GREAT = "9" * 401
DEEP = '{"a":' * 3000 + "1" + "}" * 3000
VALUES = (GREAT, "9" * 5001, "NaN", "Infinity", "1e999", DEEP)


@pytest.mark.repeats(one_in=5)
@pytest.mark.parametrize("way", ["--param", "--param-file", "--context", "recipe", "criterion", "limits"])
@pytest.mark.parametrize("value", VALUES, ids=lambda text: text[:8])
def test_numbers_that_no_database_holds(there: Path, way: str, value: str):
    """A clear error with its place, before anything runs."""
    words = ["run", "recipes/one.yml", "--dry-run"]
    if way == "--param":
        words, place = [*words, way, f"n={value}"], "parameter 'n'"
    elif way == "--param-file":
        (there / "value.json").write_text(f'{{"n": {value}}}')
        words, place = [*words, way, "value.json"], "value.json"
    elif way == "--context":
        (there / "value.json").write_text(f'{{"run": {{"t.x_v1": {value}}}, "hosts": {{}}}}')
        words, place = ["run", "recipes/one.yml", way, "value.json"], "value.json"
    else:
        step = {"recipe": '"args": {"x": %s}', "criterion": '"success": {"values": {"x": {"min": %s}}}'}
        written = step.get(way, '"limits": {"cpu_sec": %s}') % value
        (there / "recipes" / "value.yml").write_text(
            f'{{"test_meta": {{"test_id": "V"}},\n"steps": [{{"name": "a", "module": "t.one", {written}}}]}}'
        )
        words, place = ["validate", "recipes/value.yml"], "recipes/value.yml:2:"
    code, said = ended(there, words)
    assert code == WRONG, said
    assert place in said
    assert "Traceback" not in said
