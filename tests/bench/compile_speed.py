# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how long it takes to compile a recipe, and to show the help of the command.

    python tests/bench/compile_speed.py [STEPS [ROUNDS]]

A recipe has STEPS (1000) steps, each of which depends on up to two earlier ones. This project compiles it to a
playbook. The rival reads the same file by PyYAML's C loader, and checks it by jsonschema against the published schema.
Each side is a process of its own and reports the seconds that it took after its imports. The sides take turns. The same
is done with ten times as many steps. The help is timed as a whole command, and compared with that of ansible-playbook.
The output has medians, and ratios between runs of the same round.

Goals: at most `MOST` times the rival's time, at most `MOST_HELP` times the time of ansible-playbook's help, and time
that grows in proportion to the file's bytes. Ten times the steps are somewhat more than ten times the bytes, since
their names are longer. `LINEAR` leaves room for noise.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SIDES = {
    "ours": """
from rack_recipes.plan.compile.playbook_file import playbook_of
import jsonschema, yaml
started = time.perf_counter()
assert playbook_of(file).count("\\n") > steps
""",
    "rival": """
import json, jsonschema, yaml
with open(schema) as opened:
    validator = jsonschema.Draft202012Validator(json.load(opened))
started = time.perf_counter()
with open(file) as opened:
    assert validator.is_valid(yaml.load(opened, yaml.CSafeLoader))
""",
}
MOST, MOST_HELP = 2.0, 0.4  # of the rival's time
LINEAR = 1.05  # times the growth of the file
HELP = {"ours": "rack-recipes", "rival": "ansible-playbook"}

Rounds = Mapping[str, Sequence[float]]


def recipe(steps: int) -> str:
    """Return a recipe in the style that people write."""
    chance = random.Random(steps)
    made = [
        {
            "idx": number,
            "name": f"step_{number}",
            "type": "shell",
            "module": "bench.step",
            "args": {"number": number, "path": f"/var/lib/bench/{number}"},
            "depends_on": sorted({f"step_{chance.randrange(number)}" for _need in range(2)}) if number else [],
            "retry": {"max": 2, "delay_sec": 1},
            "timeout": 60,
            "success": {"ctx_has_keys": [f"bench.sum_{number}_v1"]},
        }
        for number in range(steps)
    ]
    for step in made:
        step["writes"] = [f"bench.sum_{step['idx']}_v1"]
    return yaml.safe_dump({"test_meta": {"test_id": "BENCH-002"}, "steps": made}, sort_keys=False)


def project(folder: Path) -> None:
    """The scriptlet of the recipe's steps."""
    place = folder / "scriptlets" / "bench"
    place.mkdir(parents=True)
    (place / "step.sh").write_text('#!/bin/sh\necho \'{"status": "ok"}\'\n')
    options = "number: {type: int, required: true, description: A number.}"
    sidecar = f"description: Does nothing.\noptions:\n  {options}\n  path: {{type: path, description: A path.}}\n"
    (place / "step.yml").write_text(sidecar)


def compiled(side: str, folder: Path, steps: int) -> float:
    """The seconds that a side takes for a recipe, in a new process."""
    given = {"file": f"{steps}.yml", "steps": steps, "schema": str(PROJECT / "docs" / "recipe.schema.json")}
    head = f"import sys, time\nlocals().update({given!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{head}{SIDES[side]}print(time.perf_counter() - started)"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def helped(side: str) -> float:
    """The seconds that a command takes to show its help."""
    started = time.perf_counter()
    subprocess.run([BIN / HELP[side], "--help"], capture_output=True, check=True)
    return time.perf_counter() - started


def in_turns(measure: Callable[[str], float], rounds: int) -> Rounds:
    """Return the seconds of each side. The sides swap their order every round; the first round is a warm-up."""
    found: dict[str, list[float]] = {"ours": [], "rival": []}
    for number in range(rounds + 1):
        for side in sorted(found, reverse=bool(number % 2)):
            found[side].append(measure(side))
    return {side: seconds[1:] for side, seconds in found.items()}


def median(found: Rounds, side: str) -> float:
    """The seconds of a side."""
    return statistics.median(found[side])


def ratio(found: Rounds) -> float:
    """Return our time divided by the rival's."""
    return statistics.median(mine / other for mine, other in zip(found["ours"], found["rival"], strict=True))


def compared(steps: int, rounds: int) -> Iterator[tuple[str, Rounds]]:
    """Return the figures for this number of steps, for ten times as many, and for the help."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        project(folder)
        for size in (steps, 10 * steps):
            (folder / f"{size}.yml").write_text(recipe(size))
            yield f"{size} steps", in_turns(lambda side, size=size: compiled(side, folder, size), rounds)
    yield "--help", in_turns(helped, rounds)


def growth(steps: int) -> float:
    """Return by which factor the file grows when it has ten times the steps."""
    return len(recipe(10 * steps)) / len(recipe(steps))


def main(steps: int = 1000, rounds: int = 5) -> None:
    """Measure and print."""
    seconds = []
    for what, found in compared(steps, rounds):
        seconds.append(median(found, "ours"))
        print(
            f"{what:12}  ours {seconds[-1]:7.3f} s   rival {median(found, 'rival'):7.3f} s   "
            f"ours / rival {ratio(found):.2f}"
        )
    times = seconds[1] / seconds[0]
    print(f"ten times the steps, {growth(steps):.1f} times the bytes, take {times:.1f} times the time")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
