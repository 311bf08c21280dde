# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import argparse

import pytest

from rack_recipes.cli.argument_parser import OptionalNumber, Parser, hint
from rack_recipes.cli.shared_options import add_selection, plan_options, step_names
from rack_recipes.errors import UsageError
from rack_recipes.plan.plan_model import PlanOptions


@pytest.fixture
def parser() -> Parser:
    found = Parser("prog")
    found.add_argument("recipe", nargs="?", default="")
    found.add_argument("--format", choices=("tree", "dot"))
    found.add_argument("--number", type=int)
    found.add_argument("--seed", action=OptionalNumber, const=-1)
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


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--sed"], "there is no option '--sed' (did you mean '--seed'?)"),
        (["--fromat=dot"], "there is no option '--fromat' (did you mean '--format'?)"),
        (["--zzz"], "there is no option '--zzz'"),
        (["--form", "dot"], "there is no option '--form' (did you mean '--format'?)"),
        (["--format", "tre"], "argument --format: expected one of tree, dot, got 'tre' (did you mean 'tree'?)"),
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


@pytest.mark.parametrize(("text", "found"), [("a", ["a"]), ("a,b", ["a", "b"]), (" a , ,b,", ["a", "b"])])
def test_names_of_a_list_with_commas(text: str, found: list[str]):
    assert step_names(text) == found


def selected(*words: str) -> argparse.Namespace:
    parser = Parser("prog")
    add_selection(parser)
    return parser.parse(words)


def test_plan_options_by_default():
    assert plan_options(selected()) == PlanOptions()


def test_plan_options():
    words = ["--only", "a,b", "--only", "c", "--skip", "d", "--stepwise", "--parallel", "--seed", "5"]
    assert plan_options(selected(*words)) == PlanOptions(("a", "b", "c"), ("d",), stepwise=True, parallel=True, seed=5)
    assert selected("--parallel").parallel == 0
    assert selected("--parallel", "8").parallel == 8
    assert plan_options(selected("--parallel", "8")).parallel is True


def test_a_seed_without_a_number_is_chosen_and_told(capsys: pytest.CaptureFixture[str]):
    chosen = plan_options(selected("--seed")).seed
    assert chosen is not None
    assert 0 <= chosen < 2**32
    assert capsys.readouterr().err == f"seed {chosen}: --seed {chosen} gives the same order again\n"
