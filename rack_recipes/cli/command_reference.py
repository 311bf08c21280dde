# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands as a page of Markdown, made from their parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from rack_recipes.cli.argument_parser import OptionalNumber, Parser
from rack_recipes.cli.command_table import COMMANDS, GROUPS, PROGRAM, is_group, parser_of

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
