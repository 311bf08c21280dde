# SPDX-License-Identifier: GPL-3.0-or-later

"""What recipes/fabric_load.yml finds in a virtual rack: a slow port by its name, nothing in a healthy rack.

`make test` tries one slow port. `make soak` tries more of them, and healthy racks.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from virtual_racks import NEEDS_ROOT, copy_recipes, virtual_rack

import reliability_sweeps
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from call_rack_recipes import CHECKOUT, Results, rack_recipes, results
from rack_recipes.lab.faults import break_rack, heal_rack
from rack_recipes.lab.rack_state import FOLDER, RackState

pytestmark = NEEDS_ROOT

PATIENCE = 60.0
SLOW = ("leaf2:swp1", "spine1:swp4", "leaf3:swp2")
HEALTHY = 5
KILLED = """
import os, signal
from scriptlets.tools.held_link import held_down
with held_down("one"):
    os.system("ip -br link show dev one")
    os.kill(os.getpid(), signal.SIGKILL)
"""
ALONE = """
ip link add one type veth peer name other
ip link set one up
ip link set other up
"$@"
until ip -br link show dev one | grep " UP "; do sleep 0.1; done
"""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RackState]:
    """A rack whose leaves know all paths, in a project with our recipes and scriptlets."""
    project = tmp_path_factory.mktemp("load")
    copy_recipes(project)
    with virtual_rack(project / FOLDER) as state:
        until = time.monotonic() + PATIENCE
        while state.run("leaf1", "vtysh -c 'show ip route json'", check=False).count('"fib":true') < 6:
            assert time.monotonic() < until, "leaf1 does not learn two ways to each of the three other leaves"
            time.sleep(0.2)
        yield state


@pytest.fixture
def rack(started: RackState, monkeypatch: pytest.MonkeyPatch) -> RackState:
    """That rack, in the working folder."""
    monkeypatch.chdir(started.folder.parents[len(FOLDER.parts) - 1])
    return started


def found(*words: str) -> tuple[set[str], Results]:
    """Run the recipe; returns the results that did not pass, as HOST/STEP, and all of them."""
    done = rack_recipes("run", "recipes/fabric_load.yml", "-i", ".rack-recipes/rack/inventory.yml", *words)
    assert done.code in (0, 1), done.stderr
    told = results(done.answer["run_id"])
    assert len(told.steps) == 18
    return {f"{host}/{step}" for (step, host), verdict in told.verdicts().items() if verdict not in HARMLESS}, told


def test_a_slow_port_is_named_and_the_outage_of_a_link_is_measured(rack: RackState) -> None:
    for where in SLOW[: reliability_sweeps.count(1, len(SLOW))]:
        node, _colon, port = where.partition(":")
        state = break_rack(rack, "slow-link", where)[0]
        failed, told = found("-e", "max_outage_ms=20000")  # on a busy machine, routers take their time
        assert f"{node}/peaks" in failed
        assert {place for place in failed if place.endswith("/peaks")} == {f"{node}/peaks"}
        assert told.steps[("peaks", node)]["reason"].startswith(f"{port} sends ")
        assert not {place for place in failed if "/convergence" in place}
        outages = told.context[("fabric.convergence_v1", "server1")]["outages_ms"]
        assert max(outages["down"]) > 0
        heal_rack(state)


@pytest.mark.skipif(not reliability_sweeps.is_whole(), reason="a sweep of make soak")
def test_a_healthy_rack_has_no_findings(rack: RackState) -> None:
    assert [found()[0] for _number in range(HEALTHY)] == [set()] * HEALTHY


def test_a_host_without_the_hardware_of_a_step_skips_it(rack: RackState) -> None:
    done = rack_recipes("run", "recipes/links.yml", "-i", ".rack-recipes/rack/inventory.yml")
    assert done.code == 0, done.stderr
    told = results(done.answer["run_id"]).steps
    skipped = {step for (step, _host), own in told.items() if own["verdict"] == "skipped"}
    assert skipped == {"optics", "bond", "mlag", "flaps"}  # the last one compares with an earlier run
    assert told[("bond", "server1")]["reason"] == "no such hardware: a bond"
    assert {told[(step, "leaf1")]["verdict"] for step in ("rates", "speed")} == {"passed"}


def test_a_port_comes_back_though_its_step_was_killed() -> None:
    command = ("unshare", "--net", "sh", "-c", ALONE, "sh", sys.executable, "-c", KILLED)
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60)
    while_down, afterwards = done.stdout.splitlines()
    assert " DOWN " in while_down
    assert " UP " in afterwards
