# SPDX-License-Identifier: GPL-3.0-or-later

"""The parser of one command's options.

It takes no abbreviated options, raises UsageError, and suggests the nearest word for a misspelt one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NoReturn

from rack_recipes.cli.signals_and_streams import write_stdout
from rack_recipes.errors import RackError, UsageError, nearest

WIDTH = 100  # most columns that the help uses


class NotWritten(RackError):
    """The answer of a command could not be written to stdout."""

    exit_code = 5  # as for results that are in no store and no report


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises UsageError where argparse would end the process."""

    def __init__(self, prog: str, **about: Any) -> None:
        super().__init__(prog=prog, allow_abbrev=False, formatter_class=_Formatter, **about)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the options in the words of a command line, without the command itself. Raises UsageError."""
        self._check_names(words)
        options, rest = self.parse_known_intermixed_args([*self._end_optional_numbers(words)])
        if rest:
            self.error(f"one argument too many: {_format_of_report(words) or repr(rest[0])}")
        return options

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with the message and a pointer to the help."""
        raise UsageError(f"{self.prog}: {message}; see {self.prog} --help")

    def _print_message(self, message: str, file: object = None) -> None:
        """Print the help or the version. argparse is silent where this cannot be done."""
        problem = write_stdout(message)
        if problem:
            raise NotWritten(f"the answer could not be written to stdout: {problem}")

    def _check_names(self, words: Sequence[str]) -> None:
        """Raise UsageError for an unknown option.

        This comes before argparse looks for missing arguments: the value of a misspelt option may be one of them.
        """
        known = self._option_string_actions
        for name in (word.partition("=")[0] for word in words):
            if name.startswith("--") and name not in known:
                self.error(f"there is no option {name!r}{hint(name, [*known])}")

    def _end_optional_numbers(self, words: Sequence[str]) -> Iterator[str]:
        """Yield the words, with `=` after an OptionalNumber that no number follows.

        argparse would otherwise take the next word as its value: the recipe in `--seed recipe.yml`.
        """
        for word, follower in zip(words, [*words[1:], ""], strict=False):
            action = self._option_string_actions.get(word)
            yield f"{word}=" if isinstance(action, OptionalNumber) and not follower.isdigit() else word

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = [*map(str, action.choices or ())]
        if choices and value not in choices:
            expected = f"expected one of {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"{expected}, got {value!r}{hint(value, choices)}")


class OptionalNumber(argparse.Action):
    """An option whose number may be left out; its value is `const` then. `least` is the smallest number."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, least: int = 0, **about: Any) -> None:
        super().__init__(option_strings, dest, nargs="?", **about)
        self.least = least

    def __call__(self, _parser: object, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        """Store the number as an int. Raises argparse.ArgumentError for anything else."""
        if values and not (values.isascii() and values.isdigit() and int(values) >= self.least):
            expected = f"a whole number from {self.least}" if self.least else "a whole number"
            raise argparse.ArgumentError(self, f"expected {expected}, got {values!r}")
        setattr(namespace, self.dest, int(values) if values else self.const)


class JoinedPattern(argparse.Action):
    """An option with a pattern of hosts; of several ones the value is a list with commas, as Ansible reads it."""

    def __call__(self, _parser: object, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        """Store the pattern behind those before."""
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, values if before is None else f"{before},{values}")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str, **about: Any) -> None:
        super().__init__(prog, max_help_position=30, **about)
        self._width = min(self._width, WIDTH)


def _format_of_report(words: Sequence[str]) -> str:
    """The format that stands behind `--report`, with the command that takes it; empty where none does."""
    from rack_recipes.report.report_formats_and_status import FORMATS

    asked = [word for option, word in pairwise(words) if option == "--report" and word in FORMATS]
    return f"{asked[0]!r}: `rack-recipes report --format {asked[0]}` writes one format after the run" if asked else ""


def hint(word: str, valid: Sequence[str]) -> str:
    """Return ` (did you mean 'WORD'?)` for the valid word that is nearest, or an empty string."""
    near = nearest(word, valid) or nearest(word.casefold(), valid)
    return f" (did you mean {near!r}?)" if near else ""
