# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a file holds, it is a recipe or it is refused with its places: never a traceback, and never a long wait."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rack_recipes.errors import RackError
from rack_recipes.recipe.load import parse
from rack_recipes.recipe.recipe_model import Recipe

CASES = Path(__file__).parent / "cases"
RECIPES = sorted(path.read_bytes() for path in CASES.rglob("*.yml"))
GOOD = sorted(path.read_bytes() for folder in ("good", "included") for path in (CASES / folder).rglob("*.yml"))
PROCEDURE = CASES / "included" / "procedure"
SCRAPS = [
    *(b"\t", b"\0", b"\xff", b"\xc3", b"\x1b", b"\r", b"\n", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b" ", b"  ", b"    "),
    *(b":", b": ", b"- ", b"-", b"? ", b"#", b" #", b"'", b'"', b"|\n", b">", b"%", b"@", b"`", b"!", b"!!", b"!<"),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b"{{",
        b"}}",
        b",",
        b"&a ",
        b"*a",
        b"*a ",
        b"<<: *a\n",
        b"---\n",
        b"...\n",
        b"\\",
        b"\\u",
    ),
    *(
        b"~",
        b"null",
        b"true",
        b"yes",
        b".nan",
        b"1e999",
        b"1.10",
        b"0x1F",
        b"-1",
        b"9" * 30,
        b"x" * 1100,
        b"%YAML 1.2\n",
    ),
]
WORDS = sorted({word for text in GOOD for word in re.findall(rb"[\w.]+|\$\{[^{}]*\}|\{\{.*?\}\}", text)})
TOKEN = re.compile(rb"\s+|[A-Za-z0-9_.]+|.")
Mutation = Callable[[bytes], bytes]


def at(share: float, length: int) -> int:
    return min(int(share * length), max(length - 1, 0))


def flipped(share: float, bit: int) -> Mutation:
    def mutate(text: bytes) -> bytes:
        index = at(share, len(text))
        return text[:index] + bytes(byte ^ (1 << bit) for byte in text[index : index + 1]) + text[index + 1 :]

    return mutate


def line_moved(share: float, to: float, kept: bool) -> Mutation:
    def mutate(text: bytes) -> bytes:
        lines = text.splitlines(keepends=True)
        line = lines[at(share, len(lines))] if lines else b""
        rest = lines if kept else [one for index, one in enumerate(lines) if index != at(share, len(lines))]
        index = at(to, len(rest))
        return b"".join([*rest[:index], line, *rest[index:]])

    return mutate


def line_dropped(share: float) -> Mutation:
    def mutate(text: bytes) -> bytes:
        lines = text.splitlines(keepends=True)
        return b"".join(line for index, line in enumerate(lines) if index != at(share, len(lines)))

    return mutate


def tokens_swapped(one: float, other: float) -> Mutation:
    def mutate(text: bytes) -> bytes:
        tokens = TOKEN.findall(text)
        if tokens:
            a, b = at(one, len(tokens)), at(other, len(tokens))
            tokens[a], tokens[b] = tokens[b], tokens[a]
        return b"".join(tokens)

    return mutate


def scrap_put(share: float, scrap: bytes, over: int) -> Mutation:
    def mutate(text: bytes) -> bytes:
        index = at(share, len(text))
        return text[:index] + scrap + text[index + over :]

    return mutate


def word_changed(share: float, word: bytes) -> Mutation:
    """Another word of the language in place of one: values of other types and keys where they do not belong."""

    def mutate(text: bytes) -> bytes:
        tokens = TOKEN.findall(text)
        places = [index for index, token in enumerate(tokens) if token[:1].isalnum()]
        if places:
            tokens[places[at(share, len(places))]] = word
        return b"".join(tokens)

    return mutate


def cut(share: float) -> Mutation:
    return lambda text: text[: at(share, len(text))]


LONG = 2.0  # seconds of CPU time
SHARE = st.floats(0, 1)
MUTATIONS = st.one_of(
    st.builds(flipped, SHARE, st.integers(0, 7)),
    st.builds(line_moved, SHARE, SHARE, st.booleans()),
    st.builds(line_dropped, SHARE),
    st.builds(tokens_swapped, SHARE, SHARE),
    st.builds(scrap_put, SHARE, st.sampled_from(SCRAPS), st.integers(0, 3)),
    st.builds(word_changed, SHARE, st.sampled_from([*WORDS, *SCRAPS])),
    st.builds(cut, SHARE),
)


def check(content: bytes, name: str = "a.yml") -> None:
    """Any other exception than ours is a failure by itself."""
    started = time.process_time()
    found = refused(content, name)
    assert time.process_time() - started < LONG
    if found is not None:
        assert found.exit_code == 2
        for line in str(found).split("\n"):
            assert re.match(r"[^:]+\.yml:\d+:\d+: expected .", line)
            assert line.isprintable()
        assert str(found).encode()


def refused(content: bytes, name: str) -> RackError | None:
    try:
        assert isinstance(parse(content, name), Recipe)
    except RackError as error:
        return error
    return None


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(RECIPES), st.lists(MUTATIONS, min_size=1, max_size=6))
def test_mutated_recipes(text: bytes, mutations: list[Mutation]) -> None:
    for mutate in mutations:
        text = mutate(text)
    check(text)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(GOOD), st.lists(st.builds(word_changed, SHARE, st.sampled_from(WORDS)), min_size=1, max_size=4))
def test_recipes_with_other_words(text: bytes, mutations: list[Mutation]) -> None:
    for mutate in mutations:
        text = mutate(text)
    check(text)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a recipe that includes another, to work in."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PROCEDURE, folder, dirs_exist_ok=True)
    with chdir(folder):
        yield folder


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["recipe.yml", "common/burn.yml"]), st.lists(MUTATIONS, min_size=1, max_size=4))
def test_mutated_includes(project: Path, name: str, mutations: list[Mutation]) -> None:
    text = (PROCEDURE / name).read_bytes()
    for mutate in mutations:
        text = mutate(text)
    (project / "common" / "burn.yml").write_bytes((PROCEDURE / "common" / "burn.yml").read_bytes())
    (project / name).write_bytes(text)
    check(text if name == "recipe.yml" else (PROCEDURE / "recipe.yml").read_bytes(), "recipe.yml")


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.lists(st.sampled_from(SCRAPS), max_size=40).map(b"".join))
def test_any_bytes(content: bytes) -> None:
    check(content)
