# SPDX-License-Identifier: GPL-3.0-or-later

"""A command is a row of the table and two functions in the module that the row names."""

from __future__ import annotations

import ast
from keyword import iskeyword
from pathlib import Path

import pytest

from rack_recipes.cli import command_table
from rack_recipes.cli.command_table import COMMANDS, is_group

CLI = Path(command_table.__file__).parent
CALLABLE = [name for name in COMMANDS if not is_group(name)]


def functions_in(file: Path) -> set[str]:
    """The names of a module's functions."""
    return {node.name for node in ast.parse(file.read_bytes()).body if isinstance(node, ast.FunctionDef)}


def commands_in(file: Path) -> set[str]:
    """The commands of a module, by the last word of each: it has a function `WORD` and one `add_WORD`."""
    names = {name.removesuffix("_") for name in functions_in(file)}  # a word of Python's has an underscore after it
    return {name for name in names if f"add_{name}" in names}


@pytest.mark.parametrize("name", CALLABLE)
def test_a_row_names_a_module_with_both_functions(name: str):
    file = CLI.joinpath(*COMMANDS[name].module.split(".")).with_suffix(".py")
    assert file.is_file(), f"the command {name!r} has no module {file}"
    word = name.rpartition(" ")[2]
    missing = {f"{word}_" if iskeyword(word) else word, f"add_{word}"} - functions_in(file)
    assert not missing, f"{file}: the command {name!r} has no function {' and no function '.join(sorted(missing))}"


@pytest.mark.parametrize("file", sorted(CLI.glob("*/**/*.py")), ids=lambda file: str(file.relative_to(CLI)))
def test_every_command_of_a_module_has_a_row(file: Path):
    module = ".".join(file.relative_to(CLI).with_suffix("").parts)
    rows = {name.rpartition(" ")[2] for name, command in COMMANDS.items() if command.module == module}
    forgotten = commands_in(file) - rows
    assert not forgotten, f"{command_table.__file__}: COMMANDS lacks a row for {', '.join(sorted(forgotten))} of {file}"


@pytest.mark.parametrize("name", [name for name in COMMANDS if is_group(name)])
def test_a_row_without_a_module_has_commands_below_it(name: str):
    assert command_table.subcommands(name), f"the row {name!r} names no module, and no command begins with {name!r}"
