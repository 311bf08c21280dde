# SPDX-License-Identifier: GPL-3.0-or-later

"""A host out of memory: the kernel kills a step, a process of a step, or the executor, and the reason says so."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import low_memory_hosts
import reliability_sweeps
from call_rack_recipes import Results, rack_recipes, results, shell, write_recipe
from low_memory_hosts import Small
from ssh_hosts import Rack

OBJECTION = low_memory_hosts.objection()
pytestmark = pytest.mark.skipif(bool(OBJECTION), reason=OBJECTION or "there can be a host with little memory")

MIB = 160  # of memory that the small host has
MEANWHILE = r" \(out of memory: the kernel killed \d+ process(es)? meanwhile\)"


@pytest.fixture
def hungry(steps: Path) -> Path:
    """A project with scriptlets that take all memory."""
    shutil.copytree(Path(__file__).parent / "cases" / "memory" / "m", steps / "scriptlets" / "m")
    return steps


@pytest.fixture
def small() -> Iterator[tuple[Small, Rack]]:
    """A host with little memory, and its control group."""
    with Small(MIB) as group, Rack(1, first_address="127.0.5.1", within=group.within) as made:
        yield group, made


def test_the_kernel_kills_for_want_of_memory(hungry: Path, rack: Rack, small: tuple[Small, Rack]):
    """A step, a program of a step, and the executor: each is told, what had ended is kept, the other host goes on."""
    group, tight = small
    known = {"fine": rack.variables("r01"), "small": tight.variables("r01")}
    Path("inventory.yml").write_text(json.dumps({"all": {"hosts": known}}))
    recipe = write_recipe(
        [
            shell("first", "ok"),
            {"name": "eats", "module": "m.take_all_memory", "hosts": "small"},
            shell("pipes", module="m.pipes", hosts="small"),
            shell("between", "ok"),
            {"name": "greedy", "module": "m.take_all_memory", "hosts": "small", "args": {"executor": True}},
            shell("last", "ok"),
        ]
    )
    with reliability_sweeps.sweep(
        "host: out of memory", "the kernel is told to have killed, the other hosts go on"
    ) as made:
        for turn in range(reliability_sweeps.count(1, 10)):
            done = rack_recipes("run", recipe, "--json", "-i", "inventory.yml")
            assert done.code == 1, done.stdout + done.stderr
            check(results())
            assert group.kills() >= 3 * (turn + 1)
            made.done += 1
            made.found = {"killed": group.kills()}


def check(found: Results) -> None:
    """What is said of each step."""
    told = {place: (row["verdict"], row["reason"] or "") for place, row in found.steps.items()}
    for host, names in (("fine", ("first", "between", "last")), ("small", ("first", "between"))):
        assert {told[name, host] for name in names} == {("passed", "")}, told
    killed = {
        "eats": "killed by SIGKILL",
        "pipes": r"printed no envelope.* \(exit code 137.*\)",
        "greedy": "the executor was killed on the host before this step ended",
        "last": "the executor was killed on the host before this step ended",
    }
    for name, why in killed.items():
        verdict, reason = told[name, "small"]
        assert verdict == "error"
        assert re.fullmatch(f"{why}{MEANWHILE}", reason), reason
    assert "m.eaten_v1" not in {key for key, _host in found.context}
