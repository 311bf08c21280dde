# SPDX-License-Identifier: GPL-3.0-or-later

"""The candidates for the next word of a command line, which the completion scripts ask for at each press of Tab.

The first line of an answer says what to complete. After `words` each line is a candidate, then a tab and its meaning.
After `files` each line is a suffix that a file may have; without any line, all files are candidates. `folders` stands
alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rack_recipes.cli.argument_parser import Parser
from rack_recipes.cli.command_table import COMMANDS, RESUME, is_group, parser_of, subcommands
from rack_recipes.errors import RackError
from rack_recipes.yaml_suffixes import SUFFIXES

NEWEST = 20  # how many runs are offered

Lines = Iterator[str]


def candidates(words: Sequence[str]) -> list[str]:
    """Return the lines of the answer; raises nothing.

    `words` are those after the program's name. The last one is being typed.
    """
    try:
        return [*_answer(list(words) or [""])]
    except (RackError, OSError, ValueError):
        return ["words"]


def _answer(words: list[str]) -> Lines:
    *before, current = words
    if "--" in before:  # arguments of ansible-playbook
        yield "words"
        return
    name, rest = _command(before)
    if is_group(name):
        yield from ("words", *_commands(name)) if not current.startswith("-") else _options(parser_of(name), rest)
        return
    parser = parser_of(name)
    action = _option_awaiting_value(parser, rest)
    if action is None and current.startswith("-"):
        yield from _options(parser, rest)
        return
    action = action or _next_positional(parser, rest)
    yield from _values(action, rest, current) if action else ["words"]


def _command(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command that the words begin with, and the words after it; unknown words raise nothing here."""
    name, rest = "", ["run", "--resume", *words[1:]] if words[:1] == [*RESUME] else [*words]
    while rest and rest[0] in subcommands(name):
        name = f"{name} {rest.pop(0)}".strip()
    return name, rest


def _commands(name: str) -> Lines:
    own = {word: COMMANDS[f"{name} {word}".strip()] for word in subcommands(name)}
    for word, command in (own if name else {**own, **RESUME}).items():
        yield f"{word}\t{command.summary}"


def _options(parser: Parser, given: Sequence[str]) -> Lines:
    """Yield the options that are not on the line yet, or may be repeated."""
    yield "words"
    for action in parser._actions:
        used = any(name in given for name in action.option_strings)
        if action.option_strings and not (used and not _may_be_repeated(action)):
            yield f"{action.option_strings[-1]}\t{_first_words(action)}"


def _may_be_repeated(action: argparse.Action) -> bool:
    return isinstance(action, (argparse._AppendAction, argparse._CountAction))


def _first_words(action: argparse.Action) -> str:
    return (action.help or "").partition(";")[0].partition(" (")[0]


def _option_awaiting_value(parser: Parser, words: Sequence[str]) -> argparse.Action | None:
    """Return the option whose value comes next."""
    action = parser._option_string_actions.get(words[-1]) if words else None
    return action if action is not None and action.nargs in (None, 1) else None


def _next_positional(parser: Parser, words: Sequence[str]) -> argparse.Action | None:
    """Return the positional argument that comes next."""
    free = [
        word
        for index, word in enumerate(words)
        if not word.startswith("-") and not _option_awaiting_value(parser, words[:index])
    ]
    wanted = parser._get_positional_actions()
    if len(free) < len(wanted):
        return wanted[len(free)]
    return wanted[-1] if wanted and wanted[-1].nargs in ("*", "+") else None


def _values(action: argparse.Action, words: Sequence[str], current: str) -> Lines:
    if action.choices:
        return iter(["words", *map(str, action.choices)])
    kind = next((KINDS[name] for name in (*action.option_strings, str(action.metavar)) if name in KINDS), None)
    return kind(words, current) if kind else iter(["words"])


def _always(*lines: str) -> Callable[[Sequence[str], str], Lines]:
    return lambda _words, _current: iter(lines)


def _recipes(_words: Sequence[str], current: str) -> Lines:
    from rack_recipes.recipe.recipe_names import PREFIX, shipped_names

    return iter(["words", *shipped_names()] if current.startswith(PREFIX[:5]) else ["files", *SUFFIXES])


def _steps(words: Sequence[str], current: str) -> Lines:
    """Yield the steps of the recipe on the line; in a list with commas the last name is completed."""
    yield "words"
    first, comma, _last = current.rpartition(",")
    yield from (f"{first}{comma}{name}" for name in _step_names(_recipe_of(words)))


def _params(words: Sequence[str], _current: str) -> Lines:
    yield "words"
    declared = _read(_recipe_of(words)).get("params")
    yield from (f"{name}=" for name in (declared if isinstance(declared, dict) else ()))


def _runs(words: Sequence[str], current: str) -> Lines:
    yield from _groups(words, current)
    yield from _by_name()


def _resumed_runs(_words: Sequence[str], _current: str) -> Lines:
    """Yield no group, since each controller resumes its own part."""
    yield "words"
    yield from _by_name()


def _by_name() -> Lines:
    ids = [path.parent.name for path in _newest()]
    return iter([*["last", "last~1"][: len(ids)], *ids])


def _groups(_words: Sequence[str], _current: str) -> Lines:
    from rack_recipes.run.run_folders import group_of

    yield "words"
    yield from dict.fromkeys(filter(None, map(group_of, _newest())))


def _newest() -> list[Path]:
    """The journals of the newest runs, the newest first."""
    from rack_recipes import settings
    from rack_recipes.run.run_folders import journals

    return journals(Path(settings.load().runs))[: -NEWEST - 1 : -1]


def _scriptlets(_words: Sequence[str], _current: str) -> Lines:
    from rack_recipes import settings
    from rack_recipes.recipe.catalog.scriptlet_files import MODULES, all_candidates, drop_in_folders

    yield "words"
    folders = (*drop_in_folders(tuple(map(Path, settings.load().scriptlets))), MODULES)
    yield from sorted({found[0].name for folder in folders for found in all_candidates(folder)})


def _recipe_of(words: Sequence[str]) -> Path | None:
    from rack_recipes.recipe.recipe_names import WORDS, file_of, resolve

    named = (word for word in words if word.endswith(SUFFIXES) or WORDS.fullmatch(word))
    return next(filter(Path.is_file, (file_of(resolve(word)) for word in named)), None)


def _step_names(recipe: Path | None, around: tuple[Path, ...] = ()) -> Lines:
    """Yield the step names of a file and of the files that it includes.

    The reader of recipes is not used because its import is too slow for a key press.
    """
    if recipe is None or recipe in around:
        return
    steps = _read(recipe).get("steps")
    for step in steps if isinstance(steps, list) else ():
        name, inner = (step.get("name"), step.get("include")) if isinstance(step, dict) else (None, None)
        if isinstance(inner, str):
            yield from (f"{name}.{nested}" for nested in _step_names(recipe.parent / inner, (*around, recipe)))
        elif name is not None:
            yield str(name)


def _read(recipe: Path | None) -> dict[str, object]:
    import yaml

    if recipe is None or not recipe.is_file():
        return {}
    try:
        data = yaml.load(recipe.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError:
        return {}
    return data if isinstance(data, dict) else {}


# By the option, or else by the word that stands for the value in the help.
KINDS: dict[str, Callable[[Sequence[str], str], Lines]] = {
    "--resume": _resumed_runs,
    "RECIPE": _recipes,
    **dict.fromkeys(("FILE", "PATH", "PLAN", "SOURCE"), _always("files")),
    "FOLDER": _always("folders"),
    **dict.fromkeys(("STEP", "TAGS"), _steps),
    "NAME=VALUE": _params,
    "RUN": _runs,
    "GROUP": _groups,
    "SCRIPTLET": _scriptlets,
}
