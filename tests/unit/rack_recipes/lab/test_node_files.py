# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a server of the rack are of the form that our scriptlets read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.read_proc_and_sys import HostFiles
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.hardware_inventory import cpu, disks
from rack_recipes.lab import node_files


@pytest.fixture
def tree(tmp_path: Path) -> HostFiles:
    for path, text in node_files.part_files().items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return HostFiles(str(tmp_path))


def test_the_golden_hardware_is_what_is_read_there(tree: HostFiles) -> None:
    golden = node_files.golden_parts()
    assert {name: cpu(tree)[name] for name in golden["cpu"]} == golden["cpu"]
    assert {disk["name"]: disk for disk in disks(tree)} == golden["disks"]
    assert {name: tree.text(f"sys/class/dmi/id/{name}") for name in golden["dmi"]} == golden["dmi"]


@pytest.mark.parametrize("file", [node_files.HEAT, node_files.LANES, node_files.FREQUENCY, node_files.MEMORY])
def test_what_a_fault_changes_is_there(tree: HostFiles, file: str) -> None:
    assert tree.text(file)
