# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a command as a text that reads like its help: parser, help and the page about commands come from it.

    RECIPE               an argument; [RECIPE] may be left out, RECIPE... may be several, [RECIPE...] may be none
    PATH as pack         the code calls it `pack`; an argument has the name of its word otherwise
    -l, --limit PATTERN  an option with a value; with `...` behind the value it may be repeated, and the help says so
    --last N=20          its value is 20 where it is not given; `=` alone stands for an empty text
    --kind one|other     an option with one of these values
    --db URL -> db       the value goes to a run as the extra var rack_recipes_db
    hosts:               what follows stands under this title
    examples:            what follows is shown as it is

Two spaces stand before what an option is for, which may go on in lines that are indented. What several commands have in
common is in SHARED: there only its first part is given.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, NamedTuple

from rack_recipes.cli.argument_parser import JoinedPattern, OptionalNumber, Parser

if TYPE_CHECKING:
    from pathlib import Path

    from rack_recipes.plan.plan_model import PlanOptions
Answer = tuple[dict[str, Any] | str | None, int]
CommandFunction = Callable[[argparse.Namespace], Answer]

AGE = re.compile(r"(\d{1,9})\s*([smhdw])")
SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]*)")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
DECIMAL = {f"{letter}B": 1000**power for power, letter in enumerate(("", "K", "M", "G", "T"))}
BINARY = {f"{letter}iB": 1024**power for power, letter in enumerate(("K", "M", "G", "T"), 1)}
UNITS = {unit.lower(): factor for unit, factor in {"": 1, **DECIMAL, **BINARY}.items()}
LONGEST = timedelta(days=36525)
ANY_SEED = -1
LARGEST_SEED = 2**32


def parse_age(text: str) -> timedelta:
    """The time span of a text such as 90d, 12h or 4w. Raises ArgumentTypeError."""
    found = AGE.fullmatch(text.strip())
    span = timedelta(seconds=int(found[1]) * SECONDS[found[2]]) if found else None
    if span is None or span > LONGEST:
        raise argparse.ArgumentTypeError(f"expected an age of at most 100 years such as 90d, 12h or 4w, got {text!r}")
    return span


def parse_size(text: str) -> int:
    """The number of bytes of a text such as 10GiB, 500MB or 4096. Raises ArgumentTypeError."""
    found = SIZE.fullmatch(text.strip())
    if not found or found[2].lower() not in UNITS:
        raise argparse.ArgumentTypeError(f"expected a size such as 10GiB, 500MB or 4096, got {text!r}")
    return int(float(found[1]) * UNITS[found[2].lower()])


def size_text(amount: int) -> str:
    """A number of bytes as a short text, such as `1.5 GiB`."""
    for unit, factor in reversed(BINARY.items()):
        if abs(amount) >= factor:
            return f"{amount / factor:.1f} {unit}"
    return f"{amount} B"


def parse_count(text: str, least: int = 0) -> int:
    """The whole number of a text, `least` or more. Raises ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text!r}")
    return int(text)


def parse_number(text: str) -> int:
    """The whole number of a text, 1 or more. Raises ArgumentTypeError."""
    return parse_count(text, 1)


def parse_path(text: str) -> Path:
    """The path of a text."""
    from pathlib import Path  # 10 ms, which help and completion do not need

    return Path(text)


def parse_steps(text: str) -> list[str]:
    """Names with commas between them.

    None of them raises ArgumentTypeError: `--only "$STEPS"` with an empty variable must not select all steps.
    """
    found = [name for part in text.split(",") if (name := part.strip())]
    if not found:
        raise argparse.ArgumentTypeError(f"expected the name of a step, got {text!r}")
    return found


BY_WORD = {"AGE": parse_age, "SIZE": parse_size, "N": parse_number, "P": float, "SECONDS": float}
SHARED = """
[RUN]  the run: its id, the beginning of it, `last`, or `last~1` for the one before (default: the newest)
RUN as first  the earlier run: its id, the beginning of it, or `last~1`
RUN as second  the later run: its id, the beginning of it, or `last`
RECIPE  path of the recipe, such as recipes/numbers.yml, or the name of one, such as rack.recipes.host_health
PATH as pack  the pack: a folder, or an archive with its .sha256 beside it
--db URL  URL of the store, such as sqlite:///PATH (default: the setting rack_recipes_db)
--tokens FILE  the file of tokens, which only its owner can read (default: .rack-recipes/server/tokens.json)
--summary  with a summary in a few sentences: by the language model of the setting summary_url, else by rules
--only STEP  only this step, or a list with commas, and what it depends on
--skip STEP  skip this step, or a list with commas; a step that depends on it is blocked
--stepwise  run each step in a stage of its own: slower, with the same results
--parallel N  run steps that do not depend on each other at the same time, at most N on a host (without N: the setting
    rack_recipes_slots)
--seed N  shuffle independent steps, to find hidden dependencies; without N a random number is chosen and printed
-l, --limit PATTERN  only these hosts of the inventory
"""
ENTRY = re.compile(
    r"(?P<left_out>\[)?(?P<flags>-\w, --\w[\w-]*|-{1,2}\w[\w-]*)? ?"
    r"(?P<word>NAME=VALUE|[^\s=\[-][^\s=]*?)?(?P<usual>=\S*?)?(?P<several>\.\.\.)?(?(left_out)\])(?: as (?P<name>\w+))?"
)
Given = Mapping[str, Any]
OF_SHARED: Given = {
    "only": {"action": "extend", "default": [], "type": parse_steps},
    "skip": {"action": "extend", "default": [], "type": parse_steps},
    "limit": {"action": JoinedPattern},
    "tokens": parse_path,
    "parallel": {"action": OptionalNumber, "least": 1, "const": 0},
    "seed": {"action": OptionalNumber, "const": ANY_SEED},
}


class Entry(NamedTuple):
    """A line of the text: an option or an argument, the extra var that gets its value, and what it is for."""

    head: str
    variable: str
    about: str


class CommandOptions(NamedTuple):
    """What stands above a command: its text, what `given` says of some options, and of which only one may be given."""

    text: str
    given: Given
    either: tuple[str, ...]


OF_COMMANDS: dict[tuple[str, str], CommandOptions] = {}  # by module and function


def takes(text: str, *, either: tuple[str, ...] = (), **given: Any) -> Callable[[CommandFunction], CommandFunction]:
    """Say above a command which options it has.

    What is `given` for an option is its default, the function that reads its value, a tuple of the values that it may
    have, or a mapping with arguments of argparse's add_argument.
    """

    def note(command: CommandFunction) -> CommandFunction:
        OF_COMMANDS[command.__module__, command.__name__] = CommandOptions(cleandoc(text), given, either)
        return command

    return note


def add_options(parser: Parser, module: str, function: str) -> None:
    """Add to a parser what stands above a command."""
    text, given, either = OF_COMMANDS[module, function]
    options, title, examples = f"\n{text}".partition("\nexamples:\n")
    if title:
        parser.epilog = "\n".join(["examples:", *(f"  {line}" for line in examples.splitlines())])
    known = {entry.head: entry.about for entry in _entries(SHARED)}
    group: argparse._ActionsContainer = parser
    one_of = parser.add_mutually_exclusive_group() if either else None
    for head, _variable, about in _entries(options):
        if head.endswith(":"):
            group = parser.add_argument_group(head[:-1])
            continue
        name, flags, arguments = _argument(head, {**OF_SHARED, **given} if not about else given)
        repeated = "; may be repeated" if arguments.get("action") in ("append", "extend", JoinedPattern) else ""
        text = f"{about or known[head]}{repeated}"
        (one_of if one_of and name in either else group).add_argument(*flags, help=text, **arguments)


def variables_of(command: CommandFunction) -> dict[str, str]:
    """The extra vars, without the beginning of their names, by the options whose values they get."""
    entries = _entries(OF_COMMANDS[command.__module__, command.__name__].text.partition("\nexamples:\n")[0])
    return {_argument(head, {})[0]: variable for head, variable, _about in entries if variable}


def _entries(text: str) -> Iterator[Entry]:
    """The lines of a text, each with those that are indented below it."""
    for whole in re.split(r"\n(?=\S)", text.strip()) if text.strip() else ():
        first, _gap, about = whole.partition("  ")
        head, _sign, variable = first.partition(" -> ")
        yield Entry(head, variable, " ".join(about.split()))


def _argument(head: str, given: Given) -> tuple[str, list[str], dict[str, Any]]:
    """The name of an option in the code, and what argparse is told of it."""
    found = ENTRY.fullmatch(head)
    if not found:
        raise ValueError(f"{head!r} is no option")
    flags, word, several = found["flags"].split(", ") if found["flags"] else [], found["word"], bool(found["several"])
    name = found["name"] or (flags[-1].lstrip("-").replace("-", "_") if flags else word.lower())
    arguments: dict[str, Any] = {"metavar": word}
    if not flags:
        nargs = {(True, False): "?", (False, True): "+", (True, True): "*"}.get((bool(found["left_out"]), several))
        arguments |= {"nargs": nargs, **({"default": ""} if nargs == "?" else {})} if nargs else {}
    elif not word:
        arguments = {"action": "store_true"}
    elif several:
        arguments |= {"action": "append", "default": []}
    if found["usual"]:
        arguments["default"] = found["usual"][1:]
        if word in BY_WORD and not arguments["default"]:
            raise ValueError(f"{head!r}: leave out the = where there is no number")
    if word and "|" in word:
        arguments |= {"choices": tuple(word.split("|")), "metavar": None}
    said = _said(given.get(name))
    if word in BY_WORD and "action" not in said:
        arguments["type"] = BY_WORD[word]
    return name, flags or [name], {**arguments, **({"dest": name} if flags else {}), **said}


def _said(given: object) -> dict[str, Any]:
    """What is given for an option, as arguments of add_argument."""
    if isinstance(given, Mapping):
        return {name: value() if name == "choices" and callable(value) else value for name, value in given.items()}
    if isinstance(given, tuple):
        return {"choices": given, "metavar": None}
    if callable(given):
        return {"type": given}
    return {} if given is None else {"default": given}


def log_levels(default: str = "") -> dict[str, Any]:
    """What is given for --log-level."""
    return {"choices": _levels, "metavar": None, "default": default, "type": str.lower}


def _levels() -> tuple[str, ...]:
    from ansible_collections.rack.recipes.plugins.module_utils.journal_record import LEVELS, SHORT_LEVELS

    return (*LEVELS, *SHORT_LEVELS)


def plan_options(options: argparse.Namespace) -> PlanOptions:
    """The options that select and order steps. For --seed without a number it chooses one and prints it."""
    from rack_recipes.plan.plan_model import PlanOptions

    if options.seed == ANY_SEED:
        import secrets

        options.seed = secrets.randbelow(LARGEST_SEED)
        sys.stderr.write(f"seed {options.seed}: --seed {options.seed} gives the same order again\n")
    return PlanOptions(
        only=tuple(options.only),
        skip=tuple(options.skip),
        stepwise=options.stepwise,
        parallel=options.parallel is not None,
        seed=options.seed,
    )
