# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes generated files, and leaves alone what people have changed in them.

The first line of a file has a digest of the rest. Where they agree, nobody has changed the file since it was generated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from hashlib import sha256
from pathlib import Path

from rack_recipes.errors import UsageError

HEAD = "# Written by rack-recipes awx, digest {}. What you change here is kept: see docs/awx.md.\n"
MARK = re.compile(r"# Written by rack-recipes awx, digest ([0-9a-f]{12})\.")
DIGITS = 12
MADE, CHANGED, SAME = "made", "changed", "same"


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that holds something else than what would be written, and whether people wrote that."""

    path: Path
    old: str
    new: str
    is_theirs: bool

    def lines(self) -> Iterator[str]:
        """The difference, as `diff -u` shows it."""
        pair = (self.old.splitlines(keepends=True), self.new.splitlines(keepends=True))
        yield from (
            line if line.endswith("\n") else f"{line}\n" for line in unified_diff(*pair, str(self.path), str(self.path))
        )


def with_head(text: str) -> str:
    """A text with the line that has its digest."""
    return HEAD.format(_digest(text)) + text


def write_files(files: Mapping[Path, str], *, force: bool) -> tuple[dict[Path, str], list[Difference]]:
    """Write the files; returns what became of each, and the differences that keep all of them from being written.

    A file that people have changed is written only with `force`. Raises UsageError.
    """
    texts = {path: with_head(text) for path, text in files.items()}
    differences = [*filter(None, (_difference(path, text) for path, text in texts.items()))]
    theirs = [one for one in differences if one.is_theirs]
    if theirs and not force:
        return {}, theirs
    changed = {one.path for one in differences}
    return {path: _write(path, text, is_changed=path in changed) for path, text in texts.items()}, []


def _difference(path: Path, new: str) -> Difference | None:
    old = _read(path)
    return None if old in (None, new) else Difference(path, str(old), new, is_theirs=not _is_generated(str(old)))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UsageError(f"{path}: cannot be read: {said}") from error


def _is_generated(text: str) -> bool:
    """Whether a text is as it was generated once, by this version or by another one."""
    head, _newline, rest = text.partition("\n")
    found = MARK.match(head)
    return found is not None and found[1] == _digest(rest)


def _write(path: Path, text: str, *, is_changed: bool) -> str:
    if not is_changed and path.exists():
        return SAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return CHANGED if is_changed else MADE


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:DIGITS]
