# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about the command line says what the parsers do, and its examples are command lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rack_recipes.cli.command_reference import reference
from rack_recipes.cli.command_table import COMMANDS, is_group, parser_of, split_command
from rack_recipes.cli.results.diff_and_baseline import NOTHING_COMPARED
from rack_recipes.errors import RackError

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs/commands.md"
START, END = "<!-- commands: ", "<!-- /commands -->"
EXAMPLE = re.compile(r"^\$ (.*)$", re.MULTILINE)
EXAMPLES = [line for line in EXAMPLE.findall(reference()) if "rack-recipes" in line]


def test_the_commands_are_those_of_the_parsers(golden: Callable[[Path, str], None]):
    head, start, rest = PAGE.read_text(encoding="utf-8").partition(START)
    comment, _newline, _old = rest.partition("\n")
    golden(PAGE, f"{head}{start}{comment}\n\n{reference()}\n\n{END}\n")


@pytest.mark.parametrize("name", [name for name in COMMANDS if not is_group(name)])
def test_every_command_is_there_with_all_its_options(name: str):
    _head, _title, section = reference().partition(f"\n## rack-recipes {name}\n")
    section = section.partition("\n## ")[0]
    assert "```console\n$ " in section
    for action in parser_of(name)._actions:
        assert action.help
        assert action.help[-1] != "."
        assert action.dest == "help" or all(f"`{option}" in section for option in action.option_strings)


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_is_a_command_line(line: str):
    words = shlex.split(line.partition("rack-recipes ")[2], posix=True)
    ends = [words.index(sign) for sign in ("|", ">", "<", "&&", "--") if sign in words]
    name, rest = split_command([re.sub(r"\*", "x", word) for word in words[: min([len(words), *ends])]])
    assert not is_group(name)
    parser_of(name).parse(rest)


def test_the_exit_codes_are_those_of_the_errors():
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)}
    waiting, codes = [RackError], {0, 3, NOTHING_COMPARED}
    while waiting:
        error = waiting.pop()
        codes.add(error.exit_code)
        waiting += error.__subclasses__()
    assert told == codes


def test_the_pre_commit_hook():
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {"id", "name", "entry", "language"} <= {*hook}
    assert f"- id: {hook['id']}" in PAGE.read_text(encoding="utf-8")
    program, command, *options = hook["entry"].split()
    assert program == "rack-recipes"
    assert parser_of(command).parse([*options, "recipes/a.yml", "recipes/b.yml"]).recipes == [
        "recipes/a.yml",
        "recipes/b.yml",
    ]
    assert re.search(hook["files"], "lab/recipes/a.yml")
    assert not re.search(hook["files"], "myrecipes/a.yml")
