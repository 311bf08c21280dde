# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors that this project raises on the controller, each with the exit code it ends a command with.

RackError               1
├── UsageError          2   the command line or a setting is wrong, or nothing matched
├── RecipeError         2   one problem in a recipe, with its place
├── RecipeErrors        2   all problems found in a recipe
├── CatalogError        2   a scriptlet cannot be found, trusted or read
├── TrustError          2   the policy or the lock file does not allow it
├── JournalError        5   a journal cannot be read or written
└── StoreError          5   results could not be brought into the store, or read from it
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches

MOST_NAMED = 8
"""Of so many hosts or steps a message has the names; it counts the others."""


class RackError(Exception):
    """Base of all errors that a user can do something about; its text is what they read.

    >>> try:
    ...     load_run("20200101")
    ... except RackError as error:
    ...     print(error)
    there is no run '20200101' in the store
    """

    exit_code = 1


class UsageError(RackError):
    """A command, an option or a setting that is wrong.

    >>> issubclass(UsageError, RackError), UsageError.exit_code
    (True, 2)
    """

    exit_code = 2


class CatalogError(RackError):
    """A scriptlet that cannot be found, trusted or read; the text says where it was looked for, or its place."""

    exit_code = 2


class TrustError(RackError):
    """The policy or the lock file does not allow something, or one of these files cannot be trusted."""

    exit_code = 2


class JournalError(RackError):
    """A run's journal cannot be read or written.

    >>> issubclass(JournalError, RackError), JournalError.exit_code
    (True, 5)
    """

    exit_code = 5


class StoreError(RackError):
    """The database refused a request, or could not be reached.

    >>> issubclass(StoreError, RackError), StoreError.exit_code
    (True, 5)
    """

    exit_code = 5


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class RecipeError(RackError):
    """One problem in a recipe: where it is, what was expected, what was found, the nearest valid word."""

    exit_code = 2

    def __init__(self, place: Place, expected: str, got: str = "", near: str = "") -> None:
        super().__init__(place, expected, got, near)  # all values in args, so that the error can be pickled
        self.place = place
        self.expected = expected
        self.got = got
        self.near = near

    def __str__(self) -> str:
        got = f", got {self.got}" if self.got else ""
        near = f" (did you mean {self.near!r}?)" if self.near else ""
        return f"{self.place}: expected {self.expected}{got}{near}"


class RecipeErrors(RackError):
    """Every problem found in one recipe, in the order of the file."""

    exit_code = 2

    def __init__(self, errors: Sequence[RecipeError]) -> None:
        ordered = tuple(sorted(errors, key=lambda error: error.place))
        super().__init__(ordered)
        self.errors = ordered

    def __str__(self) -> str:
        return "\n".join(map(str, self.errors))


@contextmanager
def translate_errors(foreign: type[Exception], more: str = "") -> Iterator[None]:
    """Raise our errors as `foreign`, an error that the caller's framework knows, with the same text and `more`."""
    try:
        yield
    except RackError as error:
        raise foreign(f"{error}{more}") from None  # Ansible would repeat the text for each cause


@contextmanager
def require_installed(lack: str, kind: type[RackError]) -> Iterator[None]:
    """Raise `kind` for an import that fails, with the text `lack` and what to install."""
    try:
        yield
    except ImportError as error:
        raise kind(f"{lack}: {error}: `pip install rack-recipes` brings it") from error


def nearest(word: str, valid: Sequence[str], alike: float = 0.6) -> str:
    """The valid word that `word` was probably meant to be, or an empty string. At `alike` 1 both are the same."""
    return next(iter(get_close_matches(word, valid, n=1, cutoff=alike)), "")


def counted(number: int, noun: str) -> str:
    """A number of things for a message: `1 run`, `2 runs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
