# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan is written so that it reads as the same plan, and what that changes in a file is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rack_recipes.cabling.import_plan import Source, import_plan
from rack_recipes.cabling.plan_model import Cable, CablingPlan, End, Position
from rack_recipes.cabling.write_plan_and_inventory import change, inventory_text, plan_text, write
from rack_recipes.errors import UsageError
from rack_recipes.lab.inventory_and_cabling import cabling_plan, make_inventory
from rack_recipes.lab.topology import build

CABLES = (
    Cable(End("leaf1", "swp1"), End("server1", "et-0/0/0:1"), "on"),
    Cable(End("leaf1", "swp2"), End("server2", "1"), review="only leaf1:swp2 says so: server2 has not answered"),
)


@pytest.mark.parametrize(
    "plan", [CablingPlan(CABLES), CablingPlan(CABLES, {"leaf1": Position("12", 3.5), "server1": Position("12")})]
)
def test_a_written_plan_reads_as_the_same(plan: CablingPlan):
    assert import_plan([Source("cabling.yml", plan_text(plan, ["learned", "look at it"]))]) == plan


def test_a_plan_is_written_as_a_rack_writes_it():
    topology = build(1, 2, 2)
    written = yaml.safe_dump(cabling_plan(topology), sort_keys=False)
    plan = import_plan([Source("cabling.yml", written)])
    assert plan_text(plan) == written


def test_the_inventory_has_the_cables_as_a_rack_has_them(tmp_path: Path):
    topology = build(1, 2, 2)
    plan = import_plan([Source("cabling.yml", yaml.safe_dump(cabling_plan(topology)))])
    ours = yaml.safe_load(inventory_text(plan))["all"]["hosts"]
    groups = make_inventory(topology, tmp_path, 1)["all"]["children"].values()
    theirs = {name: own["cables"] for group in groups for name, own in group["hosts"].items()}
    assert {name: own["cables"] for name, own in ours.items()} == theirs


def test_the_inventory_has_the_positions():
    hosts = yaml.safe_load(inventory_text(CablingPlan(CABLES, {"leaf1": Position("12", 3)})))["all"]["hosts"]
    assert hosts["leaf1"] == {
        "cables": {"swp1": "server1:et-0/0/0:1", "swp2": "server2:1"},
        "rack": "12",
        "position": 3,
    }


def test_what_a_file_changes(tmp_path: Path):
    path = tmp_path / "cabling.yml"
    new = change(path, "- a\n- b\n")
    assert (new.is_new, new.is_none) == (True, False)
    write(new)
    assert change(path, "- a\n- b\n").is_none
    diff = change(path, "- a\n- c\n").diff
    assert "\n-- b\n+- c\n" in diff


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"cannot be read: .*Is a directory"):
        change(tmp_path, "")
    with pytest.raises(UsageError, match=r"none/cabling.yml: cannot be written: No such file"):
        write(change(tmp_path / "none" / "cabling.yml", ""))


def test_a_host_may_have_its_domain_in_its_name():
    plan = CablingPlan(CABLES)
    assert plan.of_host("leaf1.dc.example")["swp2"] == "server2:1"
    assert plan.of_host("leaf9") == {}
