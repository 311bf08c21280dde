# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about the command line says what the parsers do, and its examples are command lines."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from rack_recipes.cli.argument_parser import OptionalNumber, Parser
from rack_recipes.cli.command_table import COMMANDS, GROUPS, PROGRAM, is_group, parser_of, split_command
from rack_recipes.cli.results.diff_and_baseline import NOTHING_COMPARED
from rack_recipes.errors import RackError

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs/commands.md"
START, END = "<!-- commands: ", "<!-- /commands -->"
EXAMPLE = re.compile(r"^\$ (.*)$", re.MULTILINE)
HEAD = "| option | meaning |\n| --- | --- |"


def reference() -> str:
    """Return the page: an overview, then each command with its options and examples."""
    return "\n\n".join([*_overview(), *(_command(name) for name in COMMANDS if not is_group(name))])


def _overview() -> Iterator[str]:
    for title, commands in GROUPS.items():
        rows = [
            f"| [`{PROGRAM} {name}`](#rack-recipes-{name.replace(' ', '-')}) | {_cell(command.summary)} |"
            for name, command in commands.items()
            if not is_group(name)
        ]
        yield "\n".join([f"| {title} | |", "| --- | --- |", *rows])


def _command(name: str) -> str:
    parser = parser_of(name)
    return "\n\n".join(
        [f"## {PROGRAM} {name}", str(parser.description), _usage(parser), *_tables(parser), *_examples(parser)]
    )


def _usage(parser: Parser) -> str:
    words = [_shown(action) for action in parser._get_positional_actions()]
    return f"```text\n{' '.join([parser.prog, '[OPTIONS]', *words])}\n```"


def _tables(parser: Parser) -> Iterator[str]:
    """Yield one table for the options without a group, then one for each group under its title."""
    alone = [action for group in parser._action_groups[:2] for action in group._group_actions]
    yield _table([action for action in alone if action.dest != "help"])
    for group in parser._action_groups[2:]:
        yield f"{str(group.title).capitalize()}:\n\n{_table(group._group_actions)}"


def _table(actions: list[argparse.Action]) -> str:
    return "\n".join([HEAD, *(f"| {_cell(_names(action))} | {_cell(str(action.help))} |" for action in actions)])


def _names(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{_shown(action)}`"
    value = "" if action.nargs == 0 else f" {_shown(action)}"
    return ", ".join(f"`{name}{value}`" for name in reversed(action.option_strings))


def _shown(action: argparse.Action) -> str:
    """Return the word that stands for a value, in brackets if the value may be left out."""
    word = str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper())
    if action.nargs in ("*", "+"):
        return f"{word}..."
    return f"[{word}]" if action.nargs == "?" or isinstance(action, OptionalNumber) else word


def _examples(parser: Parser) -> Iterator[str]:
    """Yield what the help shows below the options: commands as a code block, then the rest as text."""
    lines = [line.removeprefix("  ") for line in str(parser.epilog or "").splitlines()[1:]]
    code, _blank, text = "\n".join(lines).partition("\n\n")
    if code:
        yield f"```console\n{'\n'.join(f'$ {line}' for line in code.splitlines())}\n```"
    if text:
        yield text


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


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
