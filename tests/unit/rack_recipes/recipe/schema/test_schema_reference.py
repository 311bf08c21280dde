# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipe's documentation says what the code does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.recipe.schema.fields_as_markdown import fields
from rack_recipes.errors import RecipeErrors
from rack_recipes.recipe.load import parse
from rack_recipes.recipe.schema.json_schema import SCHEMA, mappings, schema
from rack_recipes.recipe.yaml.reader import read

DOCS = Path(__file__).resolve().parents[5] / "docs"
GUIDE, PAGE = DOCS / "recipe.md", DOCS / "recipe-reference.md"
BLOCK = re.compile(r"(?s)```(\w+)\n(.*?)```")
TABLE = re.compile(r"^\| (`.*?) \| (.*?) \|", re.MULTILINE)
ERRORS = Path(__file__).parents[1] / "cases" / "errors" / "several.txt"


def blocks(language: str) -> list[str]:
    pages = (page.read_text(encoding="utf-8") for page in (GUIDE, PAGE))
    return [text for page in pages for name, text in BLOCK.findall(page) if name == language]


def test_the_fields_are_the_schema_s(golden: Callable[[Path, str], None]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, start, rest = page.partition("<!-- fields:")
    comment, _other, _other = rest.partition("\n")
    _other, end, tail = rest.partition("<!-- /fields -->")
    golden(PAGE, f"{head}{start}{comment}\n\n{fields(schema())}\n\n{end}{tail}")


def test_the_schema_is_published(golden: Callable[[Path, str], None]) -> None:
    golden(DOCS / SCHEMA.name, SCHEMA.read_text(encoding="utf-8"))


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples that name a file in their first line, as files."""
    for text in blocks("yaml"):
        if named := re.match(r"# (\S+\.yml)\n", text):
            path = tmp_path / named[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_examples_are_recipes(text: str) -> None:
    if text.startswith("- "):
        text = f"steps:\n{text}"
    if "test_meta:" not in text:
        text = f"test_meta: {{test_id: T}}\n{text}"
    if "steps:" not in text:
        text += "steps: [{name: a, module: b}]\n"
    assert parse(text.encode(), "recipe.md").steps


def test_every_field_has_an_example() -> None:
    words = {word for text in blocks("yaml") for word in re.findall(r"(\w+):", text)}
    fields_of_all = {name for _home, mapping in mappings(schema(), "") for name in mapping["properties"]}
    assert fields_of_all <= words


def test_the_errors_shown_are_real() -> None:
    real = ERRORS.read_text(encoding="utf-8").splitlines()
    shown = blocks("text")[0].splitlines()
    assert len(shown) == 4
    assert set(shown) <= set(real)


WORDS = PAGE.read_text(encoding="utf-8").partition("| written |")[2].partition("\n\n")[0]
READ_AS = [
    (word, meaning)
    for words, meaning in TABLE.findall(WORDS)
    for word in re.findall(r"`(.+?)`", words)
    if not word.startswith("!!") or "error" in meaning
]


@pytest.mark.parametrize(("word", "meaning"), READ_AS)
def test_words_are_read_as_the_table_says(word: str, meaning: str) -> None:
    line = word if ":" in word and word.startswith("src") else f"a: {word}"
    if meaning == "an error":
        with pytest.raises(RecipeErrors):
            read(f"{line}\n".encode(), "a.yml")
        return
    value = next(iter(read(f"{line}\n".encode(), "a.yml").data.values()))
    kinds: dict[str, Any] = {"text": str, "a number": (int, float), "null": type(None), "true, false": bool}
    assert isinstance(value, kinds[meaning])
    assert meaning == "a number" or not isinstance(value, (int, float)) or isinstance(value, bool)
    assert meaning != "text" or value == word
