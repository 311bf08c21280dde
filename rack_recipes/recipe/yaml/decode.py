# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the bytes of a recipe file and decode them to text."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rack_recipes.collection_path import COLLECTION
from rack_recipes.errors import CatalogError, Place, RecipeError, RecipeErrors
from rack_recipes.recipe.recipe_names import file_of, nearest_beside, nearest_recipe
from rack_recipes.recipe.trusted_files import check_recipe
from rack_recipes.settings import load as load_settings
from rack_recipes.settings import project_nearby
from rack_recipes.yaml_suffixes import ONE, two_of

MAX_SIZE = 8 * 1024 * 1024  # bytes of a recipe file: some 20,000 steps
BOM = b"\xef\xbb\xbf"  # editors on Windows put it before UTF-8
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
BREAK = re.compile(r"\r\n|\r|\n")
CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
CONTROLS = {"\0": "NUL", "\x1b": "escape", "\x0c": "form feed", "\x08": "backspace", "\x7f": "delete"}
REASONS = {
    FileNotFoundError: "no such file",
    IsADirectoryError: "a folder",
    PermissionError: "one that you may not read",
}


@dataclass(frozen=True)
class RecipeSource:
    """A recipe as text without invisible characters. `name` is that of the file, as the user gave it."""

    name: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines as YAML and editors count them."""
        return BREAK.split(self.text)


def read_bytes(path: str) -> bytes:
    """The content of a file. Raises RecipeErrors where it cannot be read or trusted, is too large, or is one of two."""
    try:
        with file_of(path).open("rb") as file:
            _check_trust(path, file.fileno())
            if two := two_of(Path(path)):
                raise refused(Place(path), ONE, two)
            content = file.read(MAX_SIZE + 1)
    except (OSError, ValueError) as error:
        nearby = project_nearby() if isinstance(error, FileNotFoundError) else ""
        near = nearest_beside(Path(path)) if nearby else nearest_recipe(path)  # the folder may be what is wrong
        raise refused(Place(path), "a file that can be read", f"{reason(error)}{nearby}", near) from None
    if len(content) > MAX_SIZE:
        raise refused(Place(path), f"a file of at most {MAX_SIZE // 1024**2} MiB", "a larger file")
    return content


def _check_trust(path: str, opened: int) -> None:
    """Raise RecipeErrors where others can change an ordinary file; who can change the collection can change this, too.

    A pipe, as of a shell's `<(...)`, is whoever's who named it.
    """
    real = file_of(path).resolve()
    if not stat.S_ISREG(os.fstat(opened).st_mode) or real.is_relative_to(COLLECTION.resolve()):
        return
    try:
        check_recipe(str(real), opened, () if real.is_relative_to(Path.cwd()) else load_settings().scriptlets)
    except CatalogError as error:
        which, _is, why = str(error).partition(" is not trusted: ")
        got = f"{which}, which is not trusted: {why}" if why else which
        raise refused(Place(path), "a recipe that nobody else can change", got) from None


def decode(content: bytes, name: str) -> RecipeSource:
    """The text of a recipe. Raises RecipeErrors where it is not UTF-8 or has invisible characters."""
    if content.startswith(UTF16_BOMS):
        raise refused(Place(name), "a file in UTF-8", "one in UTF-16: save it as UTF-8")
    content = content.removeprefix(BOM)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        place = place_of_end(content[: error.start].decode(), name)
        got = foreign_byte(content[error.start]) if error.end < len(content) else "a character that is cut off"
        raise refused(place, "a file in UTF-8", got) from None
    if found := CONTROL.search(text):
        place = place_of_end(text[: found.start()], name)
        raise refused(place, "text without invisible control characters", code_point(found[0]))
    return RecipeSource(name, text)


def refused(place: Place, expected: str, got: str = "", near: str = "") -> RecipeErrors:
    """The errors of a file with one error that ends its reading."""
    return RecipeErrors([RecipeError(place, expected, got, near)])


def reason(error: Exception) -> str:
    """Why a file could not be opened, in words."""
    known = (words for kind, words in REASONS.items() if isinstance(error, kind))
    return next(known, (getattr(error, "strerror", None) or str(error)).lower())


def foreign_byte(byte: int) -> str:
    """A byte that is not UTF-8 in words, with its character in Windows-1252, the most usual other encoding."""
    letter = bytes([byte]).decode("cp1252", "replace")
    return f"the byte 0x{byte:02x} ({letter!r} in Windows-1252: save the file as UTF-8)"


def code_point(letter: str) -> str:
    """An invisible character in words: its number and its name."""
    name = CONTROLS.get(letter) or unicodedata.name(letter, "").lower()
    return f"U+{ord(letter):04X}" + (f" ({name})" if name else "")


def place_of_end(text: str, name: str) -> Place:
    """The place of the character after `text`."""
    lines = BREAK.split(text)
    return Place(name, len(lines), len(lines[-1]) + 1)
