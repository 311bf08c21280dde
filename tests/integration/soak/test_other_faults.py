# SPDX-License-Identifier: GPL-3.0-or-later

"""Which faults that `rack break` does not know our recipes find: those of other_faults.yml, each made, seen and healed.

`make soak` tries all, each beside a healthy run, and writes docs/detection_of_other_faults.json: a table of
docs/detection.md, which test_detection.py writes.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from virtual_racks import copy_recipes

import reliability_sweeps
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from call_rack_recipes import CHECKOUT, rack_recipes, results
from rack_recipes.lab.rack_state import FOLDER, RackState, load_state
from rack_recipes.lab.start_rack import down, up, wait_for_routes
from rack_recipes.lab.topology import build
from rack_recipes.recipe.load import load

FAULTS: Mapping[str, Mapping[str, Any]] = yaml.safe_load(Path(__file__).with_name("other_faults.yml").read_text())
FIGURES = CHECKOUT / "docs" / "detection_of_other_faults.json"
RECIPES = ("fabric", "nightly", "acceptance", "host_setup", "storage")
RECIPE, INVENTORY = Path(__file__).with_name("all_at_once.yml"), f"{FOLDER}/inventory.yml"
BY = "all of them in one run, without load"
SETTLED = 4  # seconds in which LLDP and BGP have noticed
TRIES = 3
INTERPRETER = re.compile(r"/[\w./-]*/(?=python3)")  # the folder of this machine's Python
HEADLINE = re.compile(r"(problem|notable|note) ")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with our recipes and scriptlets, in which a rack runs."""
    folder = tmp_path_factory.mktemp("others")
    copy_recipes(folder)
    shutil.copy(RECIPE, folder)
    yield folder
    down(folder / FOLDER)


@pytest.mark.skipif(not reliability_sweeps.is_whole(), reason="a sweep of make soak")
@pytest.mark.parametrize("name", FAULTS)
def test_what_our_recipes_say_of_a_fault(place: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(place)
    keep(name, tried(load_state() or up(build()), name))


def tried(state: RackState, name: str) -> dict[str, Any]:
    """Make a fault in a healthy rack, run all recipes and heal it; returns the row of the table."""
    state = healthy(state)
    scripts = {FAULTS[name]["at"]: FAULTS[name], **FAULTS[name].get("also", {})}
    for node, own in scripts.items():
        state.run(node, own["make"])
    time.sleep(SETTLED)
    try:
        return row(name, scripts, *told())
    finally:
        for node, own in scripts.items():
            state.run(node, own["heal"], check=False)


def healthy(state: RackState) -> RackState:
    """Wait until nothing is found, which becomes the history of the fault; a new rack where something stays broken."""
    for _try in range(TRIES):
        wait_for_routes(state)
        time.sleep(SETTLED)
        if not told()[0]:
            return state
    down()
    return up(build())


def told() -> tuple[Mapping[str, set[str]], str]:
    """Run all recipes; returns the verdicts of the steps that did not pass, and the first line of the analysis."""
    done = rack_recipes("run", RECIPE.name, "-i", INVENTORY, "-e", "rack_recipes_reconnect_timeout=15")
    assert done.code in (0, 1, 3), done.stderr
    bad: dict[str, set[str]] = {}
    for (step, _host), each in results(done.answer["run_id"]).steps.items():
        if each["verdict"] not in (*(HARMLESS - {"marginal"}), "blocked"):
            bad.setdefault(step.rpartition(".")[2], set()).add(each["verdict"])
    said = rack_recipes("analyse", done.answer["run_id"]).stdout.splitlines()
    return bad, next((line for line in said if HEADLINE.match(line)), "")


def row(name: str, scripts: Mapping[str, Mapping[str, str]], bad: Mapping[str, set[str]], line: str) -> dict[str, Any]:
    """A row of the table: by which steps a fault was found, and whether the first line of the analysis names it."""
    own = FAULTS[name]
    is_headline = line.startswith("problem")
    is_named = any(re.search(rf"\b{node}\b", line) for node in (*scripts, *own.get("names", ())))
    others = [f"{script['make']} (on {node})" for node, script in scripts.items() if node != own["at"]]
    return {
        "fault": name,
        "at": own["at"],
        "made_by": "; ".join([" ".join(own["make"].split()), *others]),
        "found_by": [f"{step} (marginal)" if said == {"marginal"} else step for step, said in sorted(bad.items())],
        "recipes": recipes_with(bad),
        "named_first": ("yes" if is_named else "no") if is_headline else "no headline",
        "first_line": INTERPRETER.sub("", line),
        "by": BY,
        "when": datetime.now(UTC).date().isoformat(),
    }


def recipes_with(steps: Collection[str]) -> list[str]:
    """Those of the recipes that have one of these steps, whose names are those within a recipe that is included."""
    return [name for name in RECIPES if not steps_of(name).isdisjoint(steps)]


@cache
def steps_of(recipe: str) -> frozenset[str]:
    """The names of a recipe's steps, without those of the recipes in which they are."""
    loaded = load(str(CHECKOUT / "recipes" / f"{recipe}.yml"))
    return frozenset(step.name.rpartition(".")[2] for step in loaded.steps)


def keep(name: str, own: Mapping[str, Any]) -> None:
    """Write the row of a fault, in the order of the faults."""
    known = {each["fault"]: each for each in json.loads(FIGURES.read_text())} | {name: own}
    FIGURES.write_text(json.dumps([known[each] for each in FAULTS if each in known], indent=1, sort_keys=True) + "\n")
