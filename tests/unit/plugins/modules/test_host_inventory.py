# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.modules.host_inventory import HostInventory

CASES = Path(__file__).with_name("cases") / "hosts"


@pytest.fixture
def build(tmp_path):
    """A function that lays out a captured host and returns the case it was in."""

    def build(name):
        case = json.loads((CASES / (name + ".json")).read_text(encoding="utf-8"))
        for folder in case["folders"]:
            (tmp_path / folder).mkdir(parents=True)
        for path, text in case["files"].items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text, encoding="utf-8")
        for path, target in case["links"].items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).symlink_to(target)
        return case

    return build


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.json")))
def test_captured_hosts(run, build, tmp_path, name):
    expected = build(name)["inventory"]
    assert run(HostInventory, {"root": str(tmp_path)}).context["host.inventory_v1"] == expected


def test_what_is_measured(run, build, tmp_path):
    build("server")
    assert run(HostInventory, {"root": str(tmp_path)}).measurements == {
        "memory_total": (16777216, "bytes"),
        "cpu_threads": (2, "threads"),
        "disks": (4, "disks"),
        "links": (3, "links"),
    }


def test_what_is_not_known_is_not_measured(run, build, tmp_path):
    build("nothing")
    assert set(run(HostInventory, {"root": str(tmp_path)}).measurements) == {"disks", "links"}


def test_this_machine(run):
    found = run(HostInventory, {})
    inventory = found.context["host.inventory_v1"]
    assert inventory["cpu"]["threads"] >= 1
    assert inventory["cpu"]["architecture"]
    assert inventory["memory"]["total_bytes"] > 2**20
    assert inventory["kernel"]["release"]


def test_files_that_are_no_text_do_not_stop_it(run, build, tmp_path):
    build("server")
    for path in ("proc/cpuinfo", "proc/meminfo", "sys/block/sdb/size", "sys/class/net/eth2/mtu", "usr/lib/os-release"):
        (tmp_path / path).write_bytes(b"\xff\0:\n=\x80" * 9)
    assert run(HostInventory, {"root": str(tmp_path)}).context["host.inventory_v1"]["links"][1]["mtu"] is None


def test_a_root_without_a_host_is_refused(run, tmp_path):
    with pytest.raises(ValueError, match="expected a folder that holds proc and sys"):
        run(HostInventory, {"root": str(tmp_path)})
