# SPDX-License-Identifier: GPL-3.0-or-later

"""Changed programs, and whether the unit tests notice.

Of the methods of analysis they notice each changed constant or sign. Of the whole library a sample is drawn, of which
they notice most: tests/tools/sample_mutants.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import reliability_sweeps
import run_mutant
import sample_mutants

CHECKOUT = reliability_sweeps.CHECKOUT
METHODS = CHECKOUT / "rack_recipes/analysis/methods"
TESTS = CHECKOUT / "tests/unit/rack_recipes/analysis/methods"
MUTANTS: list[dict[str, Any]] = yaml.safe_load((TESTS / "mutants.yml").read_text())
PACKAGE = "rack_recipes.analysis.methods"
SLICE = slice(None, None, 30)  # of all mutants, in a test
SAMPLED, SECONDS = 60, 300  # mutants of the library, and seconds of CPU time for the tests of each
MAIN_JOB = ("recipe", "plan", "journal", "context", "store", "run", "analysis", "report")  # folders of the library
FAILED = 1  # pytest's: tests were run, and some failed


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant['file']}: {mutant['becomes']}")
def test_a_mutant_is_another_program(mutant: dict[str, Any]):
    source = (METHODS / mutant["file"]).read_text()
    compile(run_mutant.changed(source, mutant["line"], mutant["becomes"]), mutant["file"], "exec")


def test_every_method_has_mutants():
    modules = {path.name for path in METHODS.glob("*.py")} - {"__init__.py", "arrays.py"}  # which compute nothing
    assert {mutant["file"] for mutant in MUTANTS} == modules
    assert len(MUTANTS) >= 20


def run_tests(mutant: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run the tests of the file that is changed."""
    name = Path(mutant["file"]).stem
    change = (f"{PACKAGE}.{name}", mutant["line"], mutant["becomes"])
    command = [sys.executable, "tests/tools/run_mutant.py", *change, str(TESTS / f"test_{name}.py")]
    same = {name: value for name, value in os.environ.items() if name != "RACK_SOAK"}  # hypothesis' examples
    return subprocess.run(command, cwd=CHECKOUT, env=same, capture_output=True, text=True, check=False)


def test_without_a_change_the_tests_pass():
    mutant = {"file": "arrays.py", "line": '"""Arrays of', "becomes": '"""All arrays of'}
    done = run_tests(mutant)
    assert done.returncode == 0, done.stdout


def test_the_tests_notice_each_mutant():
    chosen = MUTANTS if reliability_sweeps.is_whole() else MUTANTS[SLICE]
    with reliability_sweeps.sweep("mutated analysis", "the unit tests notice each changed constant or sign") as made:
        unnoticed = []
        for mutant in chosen:
            done = run_tests(mutant)
            made.done += 1
            unnoticed += [] if done.returncode == FAILED else [f"{mutant}: {done.returncode} {done.stdout[-500:]}"]
            made.found = {"unnoticed": len(unnoticed)}
        assert unnoticed == []


@pytest.mark.repeats
def test_the_tests_notice_most_mutants_of_the_library():
    """What `make test` shows of it: tests/unit/tools/test_sample_mutants.py."""
    holds = f"how many changed operators, numbers and conditions of {', '.join(MAIN_JOB)} unit tests notice; no goal"
    with reliability_sweeps.sweep("mutated library", holds) as made:
        tree = sample_mutants.Tree(CHECKOUT)
        unnoticed = []
        folders = [f"{sample_mutants.PACKAGE}/{folder}" for folder in MAIN_JOB]
        for mutant, how in sample_mutants.judged(tree, reliability_sweeps.seed(), SAMPLED, SECONDS, *folders):
            made.done += 1
            made.found[how] = made.found.get(how, 0) + 1
            print(f"{how}: {mutant.what}", flush=True)
            unnoticed += [] if how == sample_mutants.NOTICED else [f"{how}: {mutant.what}"]
        assert made.found.get(sample_mutants.BROKEN, 0) == 0, unnoticed
