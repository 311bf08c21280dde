# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.cli.argument_parser import JoinedPattern, OptionalNumber, Parser, hint
from rack_recipes.errors import UsageError


@pytest.fixture
def parser() -> Parser:
    found = Parser("prog")
    found.add_argument("recipe", nargs="?", default="")
    found.add_argument("--format", choices=("tree", "dot"))
    found.add_argument("--number", type=int)
    found.add_argument("--seed", action=OptionalNumber, const=-1)
    found.add_argument("--limit", action=JoinedPattern)
    return found


def parsed(parser: Parser, *words: str) -> dict[str, object]:
    return vars(parser.parse(words))


@pytest.mark.parametrize(
    ("words", "seed", "recipe"),
    [
        (["r.yml"], None, "r.yml"),
        (["--seed", "r.yml"], -1, "r.yml"),
        (["--seed", "7", "r.yml"], 7, "r.yml"),
        (["--seed=7", "r.yml"], 7, "r.yml"),
        (["r.yml", "--seed"], -1, "r.yml"),
        (["--seed"], -1, ""),
        (["--number", "3", "r.yml"], None, "r.yml"),
    ],
)
def test_an_optional_number_takes_nothing_else(words: list[str], seed: int | None, recipe: str, parser: Parser):
    found = parsed(parser, *words)
    assert (found["seed"], found["recipe"]) == (seed, recipe)


@pytest.mark.parametrize(("words", "limit"), [([], None), (["--limit", "a:b", "--limit=!c"], "a:b,!c")])
def test_patterns_that_are_given_one_by_one_are_a_list(words: list[str], limit: str | None, parser: Parser):
    assert parsed(parser, *words)["limit"] == limit


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--sed"], "there is no option '--sed' (did you mean '--seed'?)"),
        (["--fromat=dot"], "there is no option '--fromat' (did you mean '--format'?)"),
        (["--zzz"], "there is no option '--zzz'"),
        (["--form", "dot"], "there is no option '--form' (did you mean '--format'?)"),
        (["--format", "tre"], "argument --format: expected one of tree, dot, got 'tre' (did you mean 'tree'?)"),
        (["--format", "TRE"], "argument --format: expected one of tree, dot, got 'TRE' (did you mean 'tree'?)"),
        (["--number", "x"], "argument --number: invalid int value: 'x'"),
        (["--number"], "argument --number: expected one argument"),
        (["--seed=x"], "argument --seed: expected a whole number, got 'x'"),
        (["a", "b"], "one argument too many: 'b'"),
    ],
)
def test_a_wrong_command_line(words: list[str], text: str, parser: Parser):
    with pytest.raises(UsageError) as refused:
        parser.parse(words)
    assert str(refused.value) == f"prog: {text}; see prog --help"


def test_options_may_stand_between_arguments():
    parser = Parser("prog")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--json", action="store_true")
    assert parsed(parser, "a", "--json", "b") == {"files": ["a", "b"], "json": True}


def test_hint():
    assert hint("pln", ["plan", "run"]) == " (did you mean 'plan'?)"
    assert hint("zzz", ["plan", "run"]) == ""
