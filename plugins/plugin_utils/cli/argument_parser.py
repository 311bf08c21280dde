# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One command's options: whole words only, errors like all of ours, the nearest word for a misspelt one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError, nearest

WIDTH = 100  # columns of the help, at most


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would end the process."""

    def __init__(self, prog: str, **about: Any) -> None:
        super().__init__(prog=prog, allow_abbrev=False, formatter_class=_Formatter, **about)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The options in the words of a command line."""
        self._check_names(words)
        options, rest = self.parse_known_intermixed_args([*self._settled(words)])
        if rest:
            self.error(f"one argument too many: {rest[0]!r}")
        return options

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UsageError(f"{self.prog}: {message}; see {self.prog} --help")

    def _check_names(self, words: Sequence[str]) -> None:
        """A misspelt option is told before what is missing, which may be what was meant to follow it."""
        known = self._option_string_actions
        for name in (word.partition("=")[0] for word in words):
            if name.startswith("--") and name not in known:
                self.error(f"there is no option {name!r}{hint(name, [*known])}")

    def _settled(self, words: Sequence[str]) -> Iterator[str]:
        """An option with an optional number takes nothing that is none: `--seed recipe.yml` gives no seed."""
        for word, follower in zip(words, [*words[1:], ""], strict=False):
            action = self._option_string_actions.get(word)
            yield f"{word}=" if isinstance(action, OptionalNumber) and not follower.isdigit() else word

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = [*map(str, action.choices or ())]
        if choices and value not in choices:
            expected = f"expected one of {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"{expected}, got {value!r}{hint(value, choices)}")


class OptionalNumber(argparse.Action):
    """An option that may be given without its number, which then is `const`."""

    def __init__(self, option_strings: Sequence[str], dest: str, **about: Any) -> None:
        super().__init__(option_strings, dest, nargs="?", **about)

    def __call__(self, _parser: object, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        """Keep the number."""
        if values and not values.isdigit():
            raise argparse.ArgumentError(self, f"expected a whole number, got {values!r}")
        setattr(namespace, self.dest, int(values) if values else self.const)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str, **about: Any) -> None:
        super().__init__(prog, max_help_position=30, **about)
        self._width = min(self._width, WIDTH)


def hint(word: str, valid: Sequence[str]) -> str:
    """The question whether another word was meant, or an empty string."""
    near = nearest(word, valid)
    return f" (did you mean {near!r}?)" if near else ""
