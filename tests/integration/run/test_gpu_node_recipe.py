# SPDX-License-Identifier: GPL-3.0-or-later

"""recipes/gpu_node.yml on this machine, with the tree and the tools of a node that has GPUs: well, and broken."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from call_rack_recipes import CHECKOUT, Results, rack_recipes, results

RECIPE = Path("recipes/gpu_node.yml")
UNIT = CHECKOUT / "tests/unit/scriptlets"
TREE = yaml.safe_load((UNIT / "error_trees.yml").read_text(encoding="utf-8"))["node"]
NODE = ("pci_links", "pci_errors", "memory_errors", "gpus", "gpu_settings", "free_gpus", "diagnostics")
HERE = ("kernel", "cores")
# Others may leave dead processes on this machine, break its clock source, write to its log, or keep it busy.
RUN = ("run", str(RECIPE), "-i", "inventory.yml", "--skip", "processes,clock_source,kernel_log,mounts")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the recipe becomes root")


@pytest.fixture
def run(shipped: Path) -> Any:
    """A function that runs the recipe with facts of the inventory, and gives its results."""
    shutil.copytree(CHECKOUT / "scriptlets", shipped / "scriptlets")

    def run(gpus: int, **known: Any) -> Results:
        host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **known}
        Path("inventory.yml").write_text(json.dumps({"all": {"hosts": {"r1": host}}}), encoding="utf-8")
        return results(rack_recipes(*RUN, "-e", f"gpus={gpus}").answer["run_id"])

    return run


def verdicts(found: Results, names: tuple[str, ...]) -> dict[str, str]:
    return {name: found.steps[name, "r1"]["verdict"] for name in names}


def tool(folder: Path, name: str, fixture: str) -> None:
    """A program that prints what a tool printed once."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\nexec cat '{UNIT}/captured/{fixture}'\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def test_a_node_with_two_gpus(run, tmp_path, monkeypatch):
    release = {"kernel_settings": {"kernel.osrelease": os.uname().release}}
    root = tmp_path / "node"
    for path, text in TREE["files"].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{text}\n", encoding="utf-8")
    for path, target in TREE["links"].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    tool(tmp_path / "tools", "nvidia-smi", "nvidia-smi-590-v13.xml")
    tool(tmp_path / "tools", "dcgmi", "dcgmi-diag-4.6.json")
    monkeypatch.setenv("PATH", f"{tmp_path}/tools{os.pathsep}{os.environ['PATH']}")
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    for step in recipe["steps"]:
        if step["name"] in NODE:
            step["args"] = {**step.get("args", {}), "root": str(root)}
    RECIPE.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    healthy = run(2, pci_expected={"10de:2330": {"count": 1}}, gpu_settings={"driver": "590.*"}, **release)
    assert verdicts(healthy, (*NODE, *HERE)) == {**dict.fromkeys((*NODE, *HERE), "passed"), "free_gpus": "failed"}
    assert "is held by /usr/bin/python3 (4242)" in healthy.steps["free_gpus", "r1"]["reason"]
    (root / "sys/devices/system/edac/mc/mc0/dimm4/dimm_ue_count").write_text("3\n", encoding="ascii")
    broken = run(
        8, pci_expected={"10de:2330": {"count": 8}}, gpu_settings={"driver": "550.*"}, kernel_settings={"a.b": 1}
    )
    bad = ("kernel", "pci_links", "memory_errors", "gpus", "gpu_settings")
    assert verdicts(broken, bad) == dict.fromkeys(bad, "failed")
    assert "the kernel has no setting a.b" in broken.steps["kernel", "r1"]["reason"]
    assert "2 GPUs are seen, expected 8" in broken.steps["gpus", "r1"]["reason"]
