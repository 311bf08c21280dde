# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.cli import main as module
from rack_recipes.cli.command_table import COMMANDS, EXIT_CODES, function_of, is_group, subcommands
from rack_recipes.cli.recipes import validate_plan_compile
from rack_recipes.version import VERSION

pytestmark = pytest.mark.usefixtures("lab")
PROGRAM = f"from {module.__name__} import main; main()"
SLOW = {"ansible", "pandas", "sqlalchemy", "alembic", "yaml", "jinja2", "jsonschema", "numpy", "xlsxwriter"}
CALLABLE = [name for name in COMMANDS if not is_group(name)]
LISTINGS = [name for name in COMMANDS if is_group(name)]


def spawn(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(line, capture_output=True, check=False, timeout=60, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("name", CALLABLE)
def test_help_of_a_command(name: str):
    done = call(*name.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: rack-recipes {name} [-h] [--json]")
    assert "examples:\n  " in done.out
    assert "\x1b" not in done.out
    assert function_of(name).__doc__


@pytest.mark.parametrize("name", LISTINGS)
def test_help_of_what_has_commands_below(name: str):
    done = call(name, "--help")
    assert (done.code, done.err) == (0, "")
    for word in subcommands(name):
        assert f"\n  {word:<12}{COMMANDS[f'{name} {word}'].summary}\n" in done.out


def test_help_names_all_commands_and_exit_codes():
    done = call("--help")
    assert done.code == 0
    for word in subcommands(""):
        assert f"\n  {word:<12}{COMMANDS[word].summary}\n" in done.out
    assert "\n  resume      go on where a run stopped: `run --resume RUN`\n" in done.out
    assert done.out.endswith(EXIT_CODES)


def test_version():
    assert call("--version") == (0, f"rack-recipes {VERSION}\n", "")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "rack-recipes: expected a command: run, watch, stop, plan, "),
        (["pln"], "rack-recipes: there is no command 'pln' (did you mean 'plan'?); see rack-recipes --help"),
        (["zzz"], "rack-recipes: there is no command 'zzz'; see rack-recipes --help"),
        (["--versoin"], "rack-recipes: there is no option '--versoin' (did you mean '--version'?)"),
        (["ctx"], "rack-recipes ctx: expected a command: show, history, diff, export; see rack-recipes ctx --help"),
        (["ctx", "hist"], "rack-recipes ctx: there is no command 'hist' (did you mean 'history'?)"),
        (["new", "scriplet"], "rack-recipes new: there is no command 'scriplet' (did you mean 'scriptlet'?)"),
        (["db", "upgrad", "x"], "rack-recipes db: there is no command 'upgrad' (did you mean 'upgrade'?)"),
        (["plan"], "rack-recipes plan: the following arguments are required: RECIPE; see rack-recipes plan --help"),
        (["plan", "r.yml", "s.yml"], "rack-recipes plan: one argument too many: 's.yml'"),
        (
            ["run", "a.yml", "--report", "html"],
            "one argument too many: 'html': `rack-recipes report --format html` writes",
        ),
        (["run", "--report", "md", "a.yml"], "one argument too many: 'md': `rack-recipes report --format md` writes"),
        (["run", "--report", "a.yml", "html"], "rack-recipes run: one argument too many: 'html'; see"),
        (["plan", "--form", "dot", "good.yml"], "rack-recipes plan: there is no option '--form' (did you mean '--form"),
        (
            ["plan", "--format", "png", "good.yml"],
            "rack-recipes plan: argument --format: expected one of tree, json, d",
        ),
        (["run", "--forks", "many", "good.yml"], "argument -f/--forks: expected a whole number from 1, got 'many'"),
        (["run", "--olny", "a", "good.yml"], "there is no option '--olny' (did you mean '--only'?)"),
        (["run"], "rack-recipes run: expected RECIPE or --resume RUN"),
        (["report", "--format", "odt"], "argument --format: expected one of html, xlsx, csv, md, md-full, json"),
        (["validate"], "rack-recipes validate: expected RECIPE or --stdin FILE"),
        (["diff", "one"], "the following arguments are required: RUN"),
        (["ctx", "history"], "the following arguments are required: KEY"),
        (["completion"], "the following arguments are required: shell"),
        (["debug"], "the following arguments are required: SCRIPTLET"),
    ],
)
def test_a_wrong_command_line(arguments: list[str], text: str):
    done = call(*arguments)
    assert done.code == 2
    assert text in done.err
    assert done.err.count("\n") == 1
    as_json = call(*arguments, "--json")
    assert as_json.code == as_json.answer["exit_code"] == 2
    assert as_json.answer["status"] == "error"
    assert as_json.answer["reason"] + "\n" == as_json.err
    assert done.out == (as_json.out if arguments[:1] in (["run"], ["resume"]) else "")  # programs read what `run` says


def test_an_error_is_on_stderr_and_as_json_on_stdout_too():
    done = call("plan", "zzz.yml")
    assert (done.code, done.out) == (2, "")
    assert done.err == "zzz.yml:1:1: expected a file that can be read, got no such file\n"
    as_json = call("plan", "--json", "zzz.yml")
    assert (as_json.code, as_json.err) == (2, done.err)
    assert as_json.answer == {"status": "error", "reason": done.err.strip(), "exit_code": 2}


def test_a_wrong_setting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACK_RECIPES_SLOTS", "many")
    done = call("scriptlets", "--json")
    assert done.code == 2
    assert done.answer["reason"].startswith("RACK_RECIPES_SLOTS (how many parallel steps")


def test_an_interrupt(monkeypatch: pytest.MonkeyPatch):
    def interrupted(options: argparse.Namespace) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(validate_plan_compile, "plan", interrupted)
    assert call("plan", "good.yml", "--json") == (130, "", "")


# Sends a signal to its own process, where a module is imported, in the callback of a weak reference.
LOSES = f"""
import os, signal, sys, weakref
number, where = int(sys.argv.pop(1)), sys.argv.pop(1)

class Finder:
    def find_spec(name, path, target=None):
        if name.endswith(where):
            there = Finder()
            alive = weakref.ref(there, lambda gone: os.kill(os.getpid(), number))
            del there

sys.meta_path.insert(0, Finder)
{PROGRAM}
"""


@pytest.mark.repeats(one_in=5)  # each signal, early and late
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    "where", ["cli.command_table", "cli.running.run", "launcher.ansible_playbook", "running.run_ansible"]
)
def test_no_signal_gets_lost_while_modules_are_imported(number: int, where: str):
    line = [sys.executable, "-c", LOSES, str(int(number)), where, "run", "good.yml"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    is_early = where.startswith("cli.")
    told = "" if is_early else f"nothing was run: ended by {number.name}\n"
    code = -number if is_early else 128 + number
    assert (done.returncode, done.stderr) == (code, told)
    assert is_early or json.loads(done.stdout) == {"status": "error", "reason": told.strip(), "exit_code": code}
    assert not [*Path().glob(".rack-recipes/runs/*/journal.jsonl")]


def test_an_interrupt_of_another_command_is_an_exception():
    program = f"""
import os, signal, sys
from {validate_plan_compile.__name__} import __name__ as name
sys.modules[name].plan = lambda options: os.kill(os.getpid(), signal.SIGINT)
{PROGRAM}
"""
    done = subprocess.run([sys.executable, "-c", program, "plan", "good.yml"], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.parametrize(
    ("error", "text"),
    [(PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied"), (OSError("no space"), "no space")],
)
def test_a_file_that_cannot_be_used_is_told(error: OSError, text: str, monkeypatch: pytest.MonkeyPatch):
    def refused(options: argparse.Namespace) -> None:
        raise error

    monkeypatch.setattr(validate_plan_compile, "plan", refused)
    assert call("plan", "good.yml") == (2, "", f"{text}\n")


def test_arguments_behind_two_dashes_are_ansible_s(monkeypatch: pytest.MonkeyPatch):
    seen: list[argparse.Namespace] = []

    def looked_at(options: argparse.Namespace) -> tuple[str, int]:
        seen.append(options)
        return "text", 0

    monkeypatch.setattr(validate_plan_compile, "plan", looked_at)
    assert call("plan", "good.yml", "--", "--json", "--", "-v") == (0, "text\n", "")
    assert seen[0].ansible == ["--json", "--", "-v"]
    assert seen[0].json is False


def test_a_name_that_is_no_text_still_gives_json():
    done = call("validate", "--json", "no\udcff.yml")
    assert done.code == 2
    assert done.answer["problems"][0]["file"] == "no\udcff.yml"


def test_as_a_program_in_a_plain_locale():
    plain = {**os.environ, "LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii", "FORCE_COLOR": "1"}
    done = spawn("plan", "good.yml", env=plain)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "└── ok_step" in done.stdout.decode()
    assert b"\x1b" not in done.stdout
    done = spawn("validate", "faulty.yml", env=plain)
    assert done.returncode == 2
    assert json.loads(done.stdout)["status"] == "error"
    assert b"faulty.yml:1:" in done.stderr


def test_a_reader_that_goes_away_is_no_trouble():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "scriptlets", "--json"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        ("--help", set()),
        ("run --help", set()),
        ("ctx show --help", set()),
        ("--complete run -", set()),
        ("--complete run good.yml --only ", {"yaml"}),
        ("--complete debug ", {"yaml"}),
        ("--complete show ", {"yaml"}),
    ],
)
def test_help_and_completion_import_nothing_slow(words: str, needed: set[str]):
    program = f"import sys\ntry: exec({PROGRAM!r})\nfinally: sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program, *words.split(" ")], capture_output=True, check=True, text=True
    )
    assert {name.partition(".")[0] for name in done.stderr.split()} & SLOW <= needed


def cpu(*line: str) -> float:
    """Seconds of CPU that a program takes, the least of three times."""
    times = []
    for _other in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *line], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def test_help_is_quick():
    ansible = cpu("-m", "ansible", "playbook", "--help")
    for words in (["--help"], ["run", "--help"], ["--complete", "run", "--"]):
        assert cpu("-c", PROGRAM, *words) <= 0.4 * ansible, words
