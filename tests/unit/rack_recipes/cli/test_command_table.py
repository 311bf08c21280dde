# SPDX-License-Identifier: GPL-3.0-or-later

"""A command is a row of the table and a function in the module that the row names."""

from __future__ import annotations

import ast
from keyword import iskeyword
from pathlib import Path

import pytest

from rack_recipes.cli import command_table
from rack_recipes.cli.command_table import COMMANDS, is_group

CLI = Path(command_table.__file__).parent
CALLABLE = [name for name in COMMANDS if not is_group(name)]


def commands_in(file: Path) -> set[str]:
    """The commands of a module, by the last word of each: its functions below `takes`."""
    functions = [node for node in ast.parse(file.read_bytes()).body if isinstance(node, ast.FunctionDef)]
    return {
        one.name for one in functions if any(ast.unparse(above).startswith("takes(") for above in one.decorator_list)
    }


@pytest.mark.parametrize("name", CALLABLE)
def test_a_row_names_a_module_with_its_function(name: str):
    file = CLI.joinpath(*COMMANDS[name].module.split(".")).with_suffix(".py")
    assert file.is_file(), f"the command {name!r} has no module {file}"
    word = name.rpartition(" ")[2]
    assert (f"{word}_" if iskeyword(word) else word) in commands_in(file), f"{file} has no command {name!r}"


@pytest.mark.parametrize("file", sorted(CLI.glob("**/*.py")), ids=lambda file: str(file.relative_to(CLI)))
def test_every_command_of_a_module_has_a_row(file: Path):
    module = ".".join(file.relative_to(CLI).with_suffix("").parts)
    rows = {name.rpartition(" ")[2] for name, command in COMMANDS.items() if command.module == module}
    forgotten = {word.removesuffix("_") for word in commands_in(file)} - rows
    assert not forgotten, f"{command_table.__file__}: COMMANDS lacks a row for {', '.join(sorted(forgotten))} of {file}"


@pytest.mark.parametrize("name", [name for name in COMMANDS if is_group(name)])
def test_a_row_without_a_module_has_commands_below_it(name: str):
    assert command_table.subcommands(name), f"the row {name!r} names no module, and no command begins with {name!r}"
