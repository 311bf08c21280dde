# SPDX-License-Identifier: GPL-3.0-or-later

"""Eight servers and their eight BMCs, each asked through its server, in one run and one report."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bmc_simulators import BmcSimulators

from call_rack_recipes import CHECKOUT, call, rack_recipes, results

BMCS = tuple(f"bmc{number:02}" for number in range(1, 9))


@pytest.fixture(scope="module")
def bmcs() -> Iterator[BmcSimulators]:
    """Eight BMCs. A test may not change them."""
    with BmcSimulators(8) as started:
        yield started


@pytest.fixture
def servers(steps: Path, rack: Any, bmcs: BmcSimulators) -> Path:
    """A project with the recipe, and with the inventory of the servers and of their BMCs."""
    shutil.copytree(CHECKOUT / "tests/integration/run/cases/bmcs", steps, dirs_exist_ok=True)
    hosts = {bmc: {"redfish": bmcs.url(bmc), "server": server} for bmc, server in zip(BMCS, rack.hosts, strict=True)}
    groups = {"bmcs": {"hosts": hosts}, "servers": {"hosts": dict.fromkeys(rack.hosts)}}
    (steps / "bmcs.yml").write_text(json.dumps(groups))
    return steps


def check(rack: Any, run_id: str = "") -> None:
    found = results(run_id)
    assert found.verdicts() == {
        **{("server", server): "passed" for server in rack.hosts},
        **{("system", bmc): "passed" for bmc in BMCS},
        ("all_on", ""): "passed",
    }
    through = {bmc: found.steps["system", bmc]["through"] for bmc in BMCS}
    assert through == dict(zip(BMCS, rack.hosts, strict=True))
    assert found.context["bmc.count_v1", ""] == len(BMCS)


def test_in_one_run_and_one_report(servers: Path, rack: Any):
    done = rack_recipes("run", "recipe.yml", "-i", rack.inventory, "-i", "bmcs.yml", "--report")
    assert done.code == 0, done.stdout + done.stderr
    check(rack)
    text = next(Path(path) for path in done.answer["report"] if path.endswith(".html")).read_text()
    assert all(name in text for name in (*BMCS, *rack.hosts))


def test_by_ansible_playbook(servers: Path, rack: Any):
    inventories = ("-i", rack.inventory, "-i", "bmcs.yml")
    done = call("ansible-playbook", *inventories, "rack.recipes.run", "-e", "recipe=recipe.yml")
    assert done.code == 0, done.stdout + done.stderr
    check(rack)


@pytest.mark.filterwarnings("default")
def test_by_ansible_runner(servers: Path, rack: Any, tmp_path_factory: Any, monkeypatch: Any):
    import ansible_runner

    private = tmp_path_factory.mktemp("runner")
    (private / "inventory").mkdir()
    shutil.copy(rack.inventory, private / "inventory" / "servers.yml")
    shutil.copy("bmcs.yml", private / "inventory" / "bmcs.yml")
    shutil.copytree(servers, private / "project")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    run = ansible_runner.run(
        private_data_dir=str(private), playbook="rack.recipes.run", extravars={"recipe": "recipe.yml"}, quiet=True
    )
    assert (run.status, run.rc) == ("successful", 0)
    monkeypatch.chdir(private / "project")
    check(rack)


def test_a_bmc_that_is_away_is_told_with_its_server(servers: Path, rack: Any):
    with BmcSimulators(1) as gone:
        url = gone.url("bmc01")
    text = (servers / "bmcs.yml").read_text()
    hosts = json.loads(text)
    hosts["bmcs"]["hosts"]["bmc03"]["redfish"] = url
    (servers / "bmcs.yml").write_text(json.dumps(hosts))
    done = rack_recipes("run", "recipe.yml", "-i", rack.inventory, "-i", "bmcs.yml")
    assert done.code == 1
    found = results()
    row = found.steps["system", "bmc03"]
    assert row["verdict"] == "failed"
    assert row["reason"].endswith("Connection refused> (through r03)")
    assert found.steps["all_on", ""]["verdict"] == "blocked"
