# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json

import pytest

from rack_recipes.errors import RackError, StoreError, UsageError
from rack_recipes.programs import call_cli as called
from rack_recipes.programs.call_cli import CommandEnd, call_command, options_of, write_json_file


def test_the_command_is_called_in_the_project(tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('a file of the project is no module of Python')")
    (tmp_path / "r.yml").write_text("{test_meta: {test_id: A}, steps: [{name: a, modul: b}]}")
    stderr = io.StringIO()
    ended = call_command(["validate", "--json", "r.yml"], tmp_path, show=stderr)
    (problem,) = ended.answer["problems"]
    assert ended.exit_code == 2
    assert "did you mean 'module'?" in json.dumps(problem) + stderr.getvalue()


@pytest.mark.parametrize(
    ("program", "code", "reason"),
    [
        ("print('no JSON'); raise SystemExit('and a message')", 1, "ended with exit code 1: no JSON\nand a message"),
        ("import os; print(os.environ['SITE'], flush=True); os.abort()", -6, "ended with exit code -6: lab"),
        ("import os; os.write(1, bytes([0xff]))", 0, "ended with exit code 0: \\xff"),
    ],
)
def test_a_command_without_an_answer_is_an_error_with_what_it_said(tmp_path, monkeypatch, program, code, reason):
    monkeypatch.setattr(called, "CALL", program)
    ended = call_command(["run"], tmp_path, {"SITE": "lab"})
    assert (ended.exit_code, ended.answer) == (code, {"status": "error", "reason": f"rack-recipes run {reason}"})


def test_an_exception_ends_the_command_as_an_interrupt_does(tmp_path, monkeypatch):
    program = """
import pathlib, sys, time
try:
    print('started', file=sys.stderr, flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path('ended').touch()
"""
    monkeypatch.setattr(called, "CALL", program)

    class Stopped(io.StringIO):
        def write(self, text):
            raise KeyboardInterrupt(text)

    with pytest.raises(KeyboardInterrupt, match="started"):
        call_command(["run"], tmp_path, show=Stopped())
    assert [path.name for path in tmp_path.iterdir()] == ["ended"]


@pytest.mark.parametrize(("code", "kind"), [(1, RackError), (2, UsageError), (5, StoreError), (130, RackError)])
def test_the_error_by_its_exit_code(code, kind):
    error = CommandEnd(code, {"reason": "why"}).error()
    assert (type(error), str(error)) == (kind, "why")


def test_options_as_words(tmp_path):
    given = {"inventory": tmp_path, "limit": None, "only": ["a", "b"], "skip": "c", "report": True, "debug": False}
    words = ["--inventory", str(tmp_path), "--only", "a", "--only", "b", "--skip", "c", "--report"]
    assert [*options_of(given)] == words


def test_what_is_no_json_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"^params\.ports\[1\]: expected JSON data, got a PosixPath"):
        write_json_file(tmp_path, "params", {"ports": [1, tmp_path]})
