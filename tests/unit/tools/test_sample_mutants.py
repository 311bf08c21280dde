# SPDX-License-Identifier: GPL-3.0-or-later

"""A sample of mutants of a small library, whose tests are run in pytests of their own."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sample_mutants

LIBRARY = """\
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    LIMIT = 1


def half(number: int) -> int:
    return number // 2


def wait(number: int) -> None:
    while number > 3:
        number -= 1
"""
TESTS = "from rack_recipes.numbers import half\n\ndef test_half():\n    assert half(9) == 4\n"
BESIDE = "from rack_recipes import numbers\n\ndef test_wait():\n    assert numbers.wait(5) is None\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sample_mutants.Tree:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # this library has no plugin for pytest
    package, tests = tmp_path / "rack_recipes", tmp_path / "tests/unit"
    package.mkdir()
    tests.mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (package / "__init__.py").touch()
    (package / "numbers.py").write_text(LIBRARY)
    (tests / "test_numbers.py").write_text(TESTS)
    (tests / "test_wait.py").write_text(BESIDE)
    return sample_mutants.Tree(tmp_path)


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("x = a == b", ["(a != b)"]),
        ("x = a < b < 7", ["(a <= b < 7)", "(8)"]),
        ("x = not a", ["(a)"]),
        ("x = a and b - 1", ["(a or b - 1)", "(b + 1)", "(2)"]),
        ("if a: x = True", ["(not a)", "(False)"]),
        ("x = [each for each in a if each]", ["(not each)"]),
        ("x: Literal[1] = 'text'", []),
        ("@dataclass(frozen=True)\nclass A: pass", []),
        ("def f(a: list[1] = 2) -> Literal[3]: pass", ["(3)"]),
    ],
)
def test_what_computes_something_has_a_mutant(text: str, changed: list[str]):
    assert [becomes for _node, becomes in sample_mutants.changes_of(ast.parse(text))] == changed


def test_the_same_seed_draws_the_same_programs(tree: sample_mutants.Tree):
    drawn = tree.sample(3, 100, "rack_recipes")
    assert sorted(mutant.what.partition(": ")[2] for mutant in drawn) == sorted(
        ["2 -> (3)", "1 -> (2)", "3 -> (4)", "number // 2 -> (number * 2)", "number > 3 -> (number >= 3)"]
    )
    assert tree.sample(3, 2, "rack_recipes") == drawn[:2]
    assert all(compile(mutant.becomes, "numbers.py", "exec") for mutant in drawn)
    assert tree.sample(3, 100, "rack_recipes/other") == []


def test_how_mutants_end(tree: sample_mutants.Tree):
    """Noticed by a test of theirs, by none of two files, and without an end."""
    mutants = {
        sample_mutants.NOTICED: (LIBRARY.replace("// 2", "// 3"), 120),
        sample_mutants.UNNOTICED: (LIBRARY.replace("> 3", "> 4"), 120),
        sample_mutants.NO_TIME: (LIBRARY.replace("-= 1", "-= 0"), 2),
    }
    assert tree.tests_of("rack_recipes.numbers") == [
        [str(tree.root / "tests/unit" / name) for name in ("test_numbers.py", "test_wait.py")]
    ]
    for how, (becomes, seconds) in mutants.items():
        assert tree.judge(sample_mutants.Mutant("rack_recipes.numbers", "", LIBRARY, becomes), seconds) == how


def test_a_test_that_fails_anyway_has_noticed_nothing(tree: sample_mutants.Tree):
    (tree.root / "tests/unit/test_numbers.py").write_text(TESTS.replace("4", "5"))
    mutant = sample_mutants.Mutant("rack_recipes.numbers", "", LIBRARY, LIBRARY.replace("// 2", "// 3"))
    assert tree.judge(mutant, 60) == sample_mutants.BROKEN


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize(
    "tests",
    [
        '@pytest.mark.parametrize("n", [9], ids=["of nine, {\'min\': 4}"])\ndef test_it(n):\n    assert half(n) == 4\n',
        '@pytest.mark.parametrize("n", [half(9)])\ndef test_it(n):\n    assert n == 4\n',
        "seen = []\ndef test_a():\n    seen.append(1)\n\ndef test_b():\n    assert seen and half(9) == 4\n",
        "assert half(9) == 4\n\ndef test_it():\n    pass\n",
    ],
    ids=["an id with spaces", "an id by the mutant", "after another test", "on import"],
)
def test_a_test_that_passes_without_the_mutant_has_noticed_it(tree: sample_mutants.Tree, tests: str):
    (tree.root / "tests/unit/test_numbers.py").write_text(
        f"import pytest\nfrom rack_recipes.numbers import half\n{tests}"
    )
    mutant = sample_mutants.Mutant("rack_recipes.numbers", "", LIBRARY, LIBRARY.replace("// 2", "// 3"))
    assert tree.judge(mutant, 60) == sample_mutants.NOTICED


def test_tests_of_importers_come_next_and_then_those_beside_the_module(tree: sample_mutants.Tree):
    package, tests = tree.root / "rack_recipes", tree.root / "tests/unit"
    (package / "more.py").write_text("from rack_recipes.numbers import half\n")
    (package / "cli").mkdir()
    (package / "cli/half.py").write_text("")
    (tests / "rack_recipes/cli").mkdir(parents=True)
    (tests / "test_more.py").write_text("import rack_recipes.more\n")
    other = sample_mutants.Tree(tree.root)
    assert [[Path(path).name for path in paths] for paths in other.tests_of("rack_recipes.numbers")] == [
        ["test_numbers.py", "test_wait.py"],
        ["test_more.py"],
    ]
    assert other.tests_of("rack_recipes.cli.half") == [[str(tests / "rack_recipes/cli")]]
    beside = tests / "rack_recipes/cli/test_commands.py"
    beside.touch()
    assert other.tests_of("rack_recipes.cli.half") == [[str(beside)]]


def test_the_command_counts(tree: sample_mutants.Tree):
    shutil.rmtree(tree.root / "tests/unit")
    (tree.root / "tests/unit").mkdir()
    words = ("--tree", str(tree.root), "--count", "2", "--seed", "3")
    done = subprocess.run([sys.executable, sample_mutants.__file__, *words], capture_output=True, text=True, check=True)
    *lines, counts = done.stdout.splitlines()
    assert [line.partition(": rack_recipes/numbers.py:")[0] for line in lines] == ["unnoticed"] * 2
    assert json.loads(counts) == {"unnoticed": 2}
