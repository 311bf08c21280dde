# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe of a thousand steps compiles in a moment, and three times as many take three times as long."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rack_recipes.plan.compile.playbook_file import compile_to_file
from rack_recipes.settings import Settings

CASES = Path(__file__).parents[1] / "cases"
MOST = 0.45  # seconds of CPU for a thousand steps: half of it is measured on an idle machine
LINEAR = 1.35  # an allowance for caches, and for neighbours on the machine


def recipe(number: int) -> bytes:
    """Steps with dependencies, references and keys, of one scriptlet whose key they all write."""
    return "".join(["test_meta: {test_id: MANY}\nsteps:\n", *steps(number)]).encode()


def steps(number: int) -> Iterator[str]:
    chance = random.Random(number)
    for n in range(number):
        near = [f"s{max(0, n - chance.randrange(1, 50))}" for _other in range(2)] if n else []
        yield (
            f"  - idx: {n}\n    name: s{n}\n    type: shell\n    module: t.limits\n"
            f"    args:\n      device: eth{n}\n      speed: 100\n"
            f"    depends_on: [{', '.join(sorted({*near}))}]\n"
            f"    reads: [of.s{max(0, n - chance.randrange(1, 50))}_v1]\n    writes: [of.s{n}_v1]\n"
            f"    timeout: 60\n    parallel: {'true' if n % 3 else 'false'}\n"
        )


def seconds(folder: Path, number: int) -> float:
    path = folder / f"{number}.yml"
    path.write_bytes(recipe(number))
    gc.collect()
    started = time.process_time()
    compile_to_file(str(path), Settings(runs=str(folder / "runs")))
    return time.process_time() - started


def test_time_to_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(CASES)
    seconds(tmp_path, 10)
    thousand = min(seconds(tmp_path, 1000) for _other in range(3))
    assert thousand <= MOST
    assert min(seconds(tmp_path, 3000) for _other in range(2)) <= 3 * thousand * LINEAR
