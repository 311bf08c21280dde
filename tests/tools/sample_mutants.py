# SPDX-License-Identifier: GPL-3.0-or-later

"""How many faults the unit tests of the library find: a sample of mutants, drawn by a seed. No file is changed.

    python tests/tools/sample_mutants.py [--tree CHECKOUT] [--seed 1] [--count 20] [--seconds 120] [--below FOLDER...]

A mutant has one operator, number or condition of one module of `rack_recipes` changed. It runs the unit tests that
import this module, those that import an importer of it, then those in the folders that mirror its own, until one
fails. Each line of output is a mutant and how it ended; the last one is a JSON object of the counts. An unnoticed
mutant is a missing test, code that nobody needs, or another program that does the same. `--seconds` is how much CPU
time its tests may take. The checkout has to stay as it is meanwhile.

`--tree` is another checkout, whose own `.venv` runs its tests: a sample before a change can be compared with one after.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

PACKAGE, UNITS = "rack_recipes", "tests/unit"
DOTTED = re.compile(rf"\b{PACKAGE}(?:\.\w+)+")  # in strings, too: what a test replaces, or runs in another process
RUN = Path(__file__).with_name("run_mutant.py")
NOTICED, UNNOTICED, NO_TIME, BROKEN = "noticed", "unnoticed", "no time", "its test fails without it, too"
WAITS = 10  # seconds on the clock for each of CPU time: the machine may be busy, and a mutant may wait for ever
PASSED, NO_TESTS, TOO_LONG = 0, 5, -signal.SIGKILL  # exit codes of pytest, and of one that was ended
SWAPPED = (
    *((ast.Eq, ast.NotEq), (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Is, ast.IsNot), (ast.In, ast.NotIn)),
    *((ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.FloorDiv), (ast.Div, ast.Mult)),
)
OTHER: dict[type[ast.AST], Any] = {after: before for before, after in SWAPPED} | dict(SWAPPED)
COMPUTES_NOTHING = ("annotation", "returns", "decorator_list", "pattern", "type_params")


class Mutant(NamedTuple):
    """A module's text that becomes another one."""

    module: str
    what: str
    source: str
    becomes: str


class Tree:
    """A checkout: its modules, and which files import which."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        own = self.root / ".venv/bin/python"
        self.python = str(own) if own.exists() else sys.executable
        self.modules = {self._name(path): path for path in sorted((self.root / PACKAGE).rglob("*.py"))}

    def _name(self, path: Path) -> str:
        return ".".join(path.relative_to(self.root).with_suffix("").parts).removesuffix(".__init__")

    @cached_property
    def importers(self) -> dict[str, set[str]]:
        """The modules that import a module."""
        return self._importing(self.modules.values(), self._name)

    @cached_property
    def tests(self) -> dict[str, set[str]]:
        """The files of tests that import a module."""
        return self._importing((self.root / UNITS).rglob("test_*.py"), str)

    def _importing(self, paths: Iterable[Path], named: Callable[[Path], str]) -> dict[str, set[str]]:
        found = defaultdict(set)
        for path in paths:
            source = path.read_text(encoding="utf-8")
            froms = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom))
            names = {f"{node.module}.{each.name}" for node in froms for each in node.names} | {*DOTTED.findall(source)}
            for module in (names | {name.rpartition(".")[0] for name in names}) & self.modules.keys():
                found[module].add(named(path))
        return found

    def tests_of(self, module: str) -> list[list[str]]:
        """The files of tests that import a module, those that import an importer of it, and those in its own folders.

        Commands are imported by their names in a table, and cases of many modules have one test: these name none.
        """
        near = self.tests[module]
        far = {test for name in self.importers[module] for test in self.tests[name]}
        folders = [self.root / UNITS / parent for parent in self.modules[module].relative_to(self.root).parents]
        beside = {str(test) for folder in folders[:-2] for test in folder.glob("test_*.py")}
        groups = [sorted(tests) for tests in (near, far - near, beside - near - far) if tests]
        return groups or [[str(next(folder for folder in folders if folder.is_dir()))]]

    def sample(self, seed: int, count: int, *below: str) -> list[Mutant]:
        """Draw mutants from all that can be made of the modules in folders."""
        folders = {self.root / each for each in below}
        chosen = {name: path.read_bytes() for name, path in self.modules.items() if folders & {*path.parents}}
        changes = [(name, *change) for name, source in chosen.items() for change in changes_of(ast.parse(source))]
        drawn = random.Random(seed).sample(changes, min(count, len(changes)))
        return [self._mutant(name, chosen[name], node, text) for name, node, text in drawn]

    def _mutant(self, module: str, source: bytes, node: ast.expr, text: str) -> Mutant:
        lines, last = source.splitlines(keepends=True), node.end_lineno or node.lineno
        before = b"".join(lines[: node.lineno - 1]) + lines[node.lineno - 1][: node.col_offset]
        after = lines[last - 1][node.end_col_offset :] + b"".join(lines[last:])
        what = f"{self.modules[module].relative_to(self.root)}:{node.lineno}: {ast.unparse(node)} -> {text}"
        return Mutant(module, what, source.decode(), (before + text.encode() + after).decode())

    def judge(self, mutant: Mutant, seconds: float) -> str:
        """Say how the tests of a mutant end."""
        for tests in self.tests_of(mutant.module):
            code, failed = self._pytest(mutant, tests, seconds)
            if code == TOO_LONG:
                return NO_TIME
            if code not in (PASSED, NO_TESTS):
                return NOTICED if self._passes_without(mutant, [failed, tests], seconds) else BROKEN
        return UNNOTICED

    def _passes_without(self, mutant: Mutant, choices: Iterable[Sequence[str]], seconds: float) -> bool:
        """Whether tests pass on the module as it is: the test that failed, or else all that ran.

        The mutant may have given the test its name, and another test may have to run before it.
        """
        same = mutant._replace(becomes=mutant.source)
        return any(tests and self._pytest(same, tests, seconds)[0] == PASSED for tests in choices)

    def _pytest(self, mutant: Mutant, tests: Sequence[str], seconds: float) -> tuple[int, list[str]]:
        """Run tests on a mutant: the exit code, and which test failed."""
        env = {name: value for name, value in os.environ.items() if name != "RACK_SOAK"}
        command = [self.python, str(RUN), mutant.module, mutant.source, mutant.becomes, *tests]
        with tempfile.TemporaryFile() as said:
            child = subprocess.Popen(command, cwd=self.root, env=env, stdout=said, stderr=said, process_group=0)
            resource.prlimit(child.pid, resource.RLIMIT_CPU, (int(seconds), int(seconds)))
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(WAITS * seconds)
            with contextlib.suppress(ProcessLookupError):  # what it started ends with it, in any case
                os.killpg(child.pid, signal.SIGKILL)
            code = child.wait()
            said.seek(0)
            *_, last = b"", *said.read().splitlines()
            return code, json.loads(last) if last.startswith(b"[") else []  # a process that was ended has said nothing


def changes_of(node: ast.AST, *, decides: bool = False) -> Iterator[tuple[ast.expr, str]]:
    """Walk through a tree: each expression that computes something, with what may stand in its place."""
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "__name__ == '__main__'"):
        return
    if isinstance(node, ast.expr) and (other := change(node, decides=decides)):
        yield node, f"({ast.unparse(other)})"
    for field, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        for child in children if field not in COMPUTES_NOTHING else ():
            if isinstance(child, ast.AST) and not isinstance(child, ast.FormattedValue):
                yield from changes_of(child, decides=field in ("test", "ifs"))


def change(node: ast.expr, *, decides: bool) -> ast.expr | None:
    """What may stand in place of an expression; of a condition, its opposite."""
    match node:
        case ast.UnaryOp(op=ast.Not()):
            return node.operand
        case ast.Constant(value=bool() | int() | float() as value):
            return ast.Constant(not value if isinstance(value, bool) else value + 1)
        case ast.Compare(ops=[first, *others]):
            return ast.Compare(node.left, [OTHER[type(first)](), *others], node.comparators)
        case ast.BoolOp():
            return ast.BoolOp(OTHER[type(node.op)](), node.values)
        case ast.BinOp() if type(node.op) in OTHER:
            return ast.BinOp(node.left, OTHER[type(node.op)](), node.right)
    return ast.UnaryOp(ast.Not(), node) if decides else None


def main(arguments: Sequence[str]) -> int:
    """Draw a sample and run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=Path, default=Path(__file__).parents[2])
    parser.add_argument("--below", nargs="+", default=[PACKAGE])
    for name, default in (("seed", 1), ("count", 20), ("seconds", 120)):
        parser.add_argument(f"--{name}", type=int, default=default)
    wanted = parser.parse_args(arguments)
    counts = Counter[str]()
    for mutant, how in judged(Tree(wanted.tree), wanted.seed, wanted.count, wanted.seconds, *wanted.below):
        counts[how] += 1
        print(f"{how}: {mutant.what}", flush=True)
    print(json.dumps(counts))
    return 0


def judged(tree: Tree, seed: int, count: int, seconds: float, *below: str) -> Iterator[tuple[Mutant, str]]:
    """Draw a sample, and run the tests of as many mutants at once as there are cores."""
    drawn = tree.sample(seed, count, *below)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield from zip(drawn, pool.map(lambda mutant: tree.judge(mutant, seconds), drawn), strict=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
