# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.cli import main as module
from ansible_collections.rack.recipes.plugins.plugin_utils.cli import recipe
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.main import ADD, COMMANDS, EXIT_CODES
from ansible_collections.rack.recipes.plugins.plugin_utils.version import VERSION
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.cli.commands import call, make_project

PROGRAM = f"from {module.__name__} import main; main()"
SLOW = {"ansible", "pandas", "sqlalchemy", "alembic", "yaml", "jinja2", "jsonschema", "numpy", "xlsxwriter"}


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    make_project(project)


def spawn(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(line, capture_output=True, check=False, timeout=60, **options)  # type: ignore[call-overload,no-any-return]


def test_every_command_has_its_options_and_its_module():
    assert {*ADD} == {*COMMANDS}
    for name, add in ADD.items():
        assert add.__doc__
        imported = __import__(f"{module.__name__.rpartition('.')[0]}.{COMMANDS[name]}", fromlist=[name])
        assert callable(getattr(imported, name))


@pytest.mark.parametrize("command", ADD)
def test_help_of_a_command(command: str):
    done = call(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: rack-recipes {command} [-h] [--json]")
    assert "\x1b" not in done.out


def test_help_names_all_commands_and_exit_codes():
    done = call("--help")
    assert done.code == 0
    assert all(f"\n    {command} " in done.out for command in ADD)
    assert done.out.endswith(EXIT_CODES)


def test_version():
    assert call("--version") == (0, f"rack-recipes {VERSION}\n", "")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["pln"], "invalid choice: 'pln'"),
        (["plan"], "the following arguments are required: recipe"),
        (["plan", "r.yml", "s.yml"], "unrecognized arguments: s.yml"),
        (["plan", "--form", "dot", "good.yml"], "unrecognized arguments: --form"),
        (["plan", "--format", "png", "good.yml"], "argument --format: invalid choice: 'png'"),
        (["run", "--forks", "many", "good.yml"], "argument -f/--forks: invalid int value: 'many'"),
        (["report", "--format", "pdf"], "argument --format: invalid choice: 'pdf'"),
        (["validate"], "the following arguments are required: recipes"),
    ],
)
def test_a_wrong_command_line(arguments: list[str], text: str):
    done = call(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: rack-recipes")
    assert text in done.err
    as_json = call(*arguments, "--json")
    assert as_json.code == as_json.answer["exit_code"] == 2
    assert as_json.answer["status"] == "error"
    assert as_json.answer["reason"] + "\n" == as_json.err


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

    monkeypatch.setattr(recipe, "plan", interrupted)
    assert call("plan", "good.yml", "--json") == (130, "", "")


@pytest.mark.parametrize(
    ("error", "text"),
    [(PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied"), (OSError("no space"), "no space")],
)
def test_a_file_that_cannot_be_used_is_told(error: OSError, text: str, monkeypatch: pytest.MonkeyPatch):
    def refused(options: argparse.Namespace) -> None:
        raise error

    monkeypatch.setattr(recipe, "plan", refused)
    assert call("plan", "good.yml") == (2, "", f"{text}\n")


def test_arguments_behind_two_dashes_are_ansible_s(monkeypatch: pytest.MonkeyPatch):
    seen: list[argparse.Namespace] = []
    monkeypatch.setattr(recipe, "plan", lambda options: (seen.append(options), 0) and ("text", 0))
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


def test_help_imports_nothing_slow():
    program = (
        f"import sys\nfrom {module.__name__} import main\ntry: main()\nfinally: sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, check=True, text=True)
    assert not {name.partition(".")[0] for name in done.stderr.split()} & SLOW


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
    assert cpu("-c", PROGRAM, "--help") <= 0.4 * cpu("-m", "ansible", "playbook", "--help")
