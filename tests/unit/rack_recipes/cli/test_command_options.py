# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.cli import command_options
from rack_recipes.cli.argument_parser import Parser
from rack_recipes.cli.command_options import (
    add_options,
    parse_age,
    parse_count,
    parse_number,
    parse_size,
    parse_steps,
    plan_options,
    size_text,
    takes,
    variables_of,
)
from rack_recipes.cli.command_table import COMMANDS, function_of, is_group, parser_of
from rack_recipes.cli.running.run import run
from rack_recipes.plan.plan_model import PlanOptions
from rack_recipes.run.extra_vars import REUSE
from rack_recipes.settings import Settings

WITHOUT_SETTING = {"report", *REUSE}


@takes(
    """
    KIND  what it is
    [NAME...] as names  which
    -n, --number N=3  how many; this goes
        on here
    --to FOLDER=  where
    --level low|high=low  how much
    --word NAME=VALUE... -> words  a word
    --fast  is quick
    results:
    --db URL -> db
    examples:
    prog x

    That is all.
    """,
    kind=("a", "b"),
    to={"required": True, "type": Path},
)
def sample(options: argparse.Namespace) -> Any:
    """A command."""


def parser() -> Parser:
    made = Parser("prog")
    add_options(made, sample.__module__, sample.__name__)
    return made


def test_a_text_becomes_options():
    found = vars(parser().parse(["a", "x", "y", "-n", "7", "--to", "out", "--word", "p=1", "--word", "q=2", "--fast"]))
    assert found == {
        "kind": "a",
        "names": ["x", "y"],
        "number": 7,
        "to": Path("out"),
        "level": "low",
        "word": ["p=1", "q=2"],
        "fast": True,
        "db": None,
    }
    few = parser().parse(["b", "--to", "."])
    assert (few.number, few.names, few.word, few.fast) == (3, [], [], False)


def test_what_is_said_of_them():
    made = parser()
    assert [(group.title, [action.dest for action in group._group_actions]) for group in made._action_groups[2:]] == [
        ("results", ["db"])
    ]
    about = {action.dest: action.help for action in made._actions}
    assert (about["number"], about["word"]) == ("how many; this goes on here", "a word; may be repeated")
    assert about["db"] == "URL of the store, such as sqlite:///PATH (default: the setting rack_recipes_db)"
    assert made.epilog == "examples:\n  prog x\n  \n  That is all."
    assert variables_of(sample) == {"word": "words", "db": "db"}


@pytest.mark.parametrize("line", ["-- x", "--to two words  about", "[RUN  about"])
def test_what_is_no_option_is_told(line: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command_options, "OF_COMMANDS", {})
    takes(line)(sample)
    with pytest.raises(ValueError, match="is no option"):
        parser()


def test_what_a_run_gets_as_extra_vars_are_settings():
    """Others are known to Ansible's side by name: the run to go on from, its context, whether there is a report."""
    known = Settings.__slots__
    assert {name for name in variables_of(run).values() if name not in known} <= WITHOUT_SETTING


@pytest.mark.parametrize("name", [name for name in COMMANDS if not is_group(name)])
def test_what_is_given_is_for_an_option(name: str):
    function = function_of(name)
    _text, given, either = command_options.OF_COMMANDS[function.__module__, function.__name__]
    assert {*given, *either} <= {action.dest for action in parser_of(name)._actions}


@pytest.mark.parametrize(("text", "found"), [("a", ["a"]), ("a,b", ["a", "b"]), (" a , ,b,", ["a", "b"])])
def test_names_of_a_list_with_commas(text: str, found: list[str]):
    assert parse_steps(text) == found


def selected(*words: str) -> argparse.Namespace:
    return parser_of("compile").parse(["a.yml", *words])


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


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90d", timedelta(days=90)),
        ("12 h", timedelta(hours=12)),
        ("4w", timedelta(weeks=4)),
        ("30m", timedelta(minutes=30)),
        ("0s", timedelta()),
    ],
)
def test_ages(text: str, span: timedelta):
    assert parse_age(text) == span


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5d", "1y", "999999d", "9" * 30 + "w", "٣d"])
def test_what_is_no_age(text: str):
    if text == "٣d":  # a digit of another script counts as one
        assert parse_age(text) == timedelta(days=3)
        return
    with pytest.raises(argparse.ArgumentTypeError, match="expected an age of at most 100 years such as 90d, 12h or 4w"):
        parse_age(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("4096", 4096), ("10GiB", 10 * 2**30), ("1.5 kib", 1536), ("500MB", 500_000_000), ("2TB", 2 * 10**12), ("7B", 7)],
)
def test_sizes(text: str, number: int):
    assert parse_size(text) == number


@pytest.mark.parametrize("text", ["", "GiB", "-1", "1e3", "10 Gi", "1,5MB", "9" * 40])
def test_what_is_no_size(text: str):
    with pytest.raises(argparse.ArgumentTypeError, match="expected a size such as 10GiB, 500MB or 4096, got "):
        parse_size(text)


def test_counts():
    assert parse_count("0") == 0
    for text in ("", "-1", "x", "1.0"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number from 0, got "):
            parse_count(text)


def test_numbers():
    assert parse_number("1") == 1
    for text in ("", "0", "00", "-0", "-1", "x"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number from 1, got "):
            parse_number(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**30, "1.0 GiB"), (-2048, "-2.0 KiB"), (2**42, "4.0 TiB")],
)
def test_shown(amount: int, text: str):
    assert size_text(amount) == text
