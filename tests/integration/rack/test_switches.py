# SPDX-License-Identifier: GPL-3.0-or-later

"""recipes/switches.yml over SSH: routers of a virtual rack, and canned command lines of Arista EOS and Cisco NX-OS."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from virtual_racks import NEEDS_ROOT, virtual_rack

from ansible_collections.rack.recipes.tests.integration.docs.markdown_examples import examples
from call_rack_recipes import CHECKOUT, Done, rack_recipes, results
from canned_switches import PASSWORD, USER, canned_switches
from network_collections import network_collections
from rack_recipes.lab.faults import break_rack

RECIPE = CHECKOUT / "recipes/switches.yml"
CAPTURED = CHECKOUT / "tests/unit/scriptlets/captured"


@pytest.fixture(autouse=True)
def collections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(network_collections()))
    monkeypatch.setenv("ANSIBLE_PERSISTENT_CONTROL_PATH_DIR", "sessions")


@pytest.fixture
def routers(project: Path) -> Iterator[Any]:
    with virtual_rack(project / ".rack-recipes/rack", 1, 1, 1) as state:
        yield state


def run(inventory: object, *options: object) -> Done:
    return rack_recipes("run", RECIPE, "-i", inventory, *options)


def wrong(done: Done) -> dict[tuple[str, str], tuple[str, str]]:
    """Verdict and reason of each (step, host) that did not pass and was not skipped."""
    found = results(done.answer["run_id"]).steps
    return {
        place: (row["verdict"], row["reason"].partition(" (through")[0])
        for place, row in found.items()
        if row["verdict"] not in ("passed", "skipped")
    }


@NEEDS_ROOT
def test_routers_by_their_command_line(routers: Any):
    """A healthy rack passes whole; then the broken ends are named, at each switch that sees them."""
    inventory = ".rack-recipes/rack/switches.yml"
    done = run(inventory)
    assert (done.code, done.answer["counts"]) == (0, {"passed": 10, "skipped": 4}), done.stderr
    assert [*Path("sessions").iterdir()] == []  # nothing keeps a session after the run
    found = results(done.answer["run_id"])
    assert found.context["cli.version_v1", "leaf1"].startswith("FRRouting ")
    assert found.context["links.ports_v1", "leaf1"]["swp1"]["mtu"] == 9000
    break_rack(routers, "mtu-mismatch", "leaf1:swp2")
    break_rack(routers, "link-down", "leaf1:swp1")
    said = wrong(run(inventory))
    assert said.pop(("sessions", "leaf1"))[1].startswith("swp1: the session is ")
    assert said.pop(("sessions", "spine1"))[1].startswith("swp1: the session is ")
    frames = "swp2 takes frames of 1500 bytes, expected 9000: correct its configuration"
    assert said == {
        ("ports", "leaf1"): ("failed", f"swp1 {DOWN}; {frames}"),
        ("ports", "spine1"): ("failed", f"swp1 {DOWN}"),
    }


def captured(name: str) -> str:
    return (CAPTURED / name).read_text(encoding="utf-8")


SUPPLIES = {"powerSupplies": {"1": {"state": "ok", "outputPower": 412.5}}}
PARSED = {
    "name": "parsed",
    "type": "ansible",
    "module": "ansible.utils.cli_parse",
    "args": {"command": "show version | json", "parser": {"name": "ansible.utils.json"}},
    "writes": {"parsed.version_v1": "parsed.version"},
    "success": {"values": [{"value": "${parsed.version_v1}", "eq": "4.30.0F"}]},
}
EOS = {
    "show version | json": json.dumps({"modelName": "cEOSLab", "version": "4.30.0F"}),
    "show interfaces | json": captured("switch-eos-napalm-interfaces.json"),
    "show lldp neighbors detail | json": captured("switch-eos-napalm-lldp-detail.json"),
    "show ip bgp summary | json": captured("switch-eos-napalm-bgp-summary.json"),
    "show environment power | json": json.dumps(SUPPLIES),
}
NXOS = {
    "show version | json": json.dumps({"sys_ver_str": "7.3(1)D1(1)", "host_name": "nxos-spine1"}),
    "show interface | json": captured("switch-nxos-napalm-interface.json"),
    "show bgp all summary | json": captured("switch-nxos-napalm-bgp-all-summary.json"),
}
ASKED = {
    "eos": dict(zip(("version", "ports", "neighbours", "sessions"), EOS, strict=False)),
    "nxos": {**dict(zip(("version", "ports", "sessions"), NXOS, strict=True)), "neighbours": "show lldp nonsense"},
}
DOWN = "is down: check its cable, its transceiver and the port at the other end"


def documented(name: str) -> Path:
    """A recipe of docs/devices.md, and a step more: a command that Ansible parses."""
    [text] = [each.text for each in examples(CHECKOUT / "docs/devices.md") if each.file == name]
    recipe = yaml.safe_load(text)
    Path("own.yml").write_text(yaml.safe_dump({**recipe, "steps": [*recipe["steps"], PARSED]}, sort_keys=False))
    return Path("own.yml")


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _number in range(count)]
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_switches_of_two_vendors(project: Path, tmp_path: Path):
    """Each is asked in its own words and judged alike; a command that a switch does not know is a failure."""
    ports = dict(zip(("eos", "nxos"), free_ports(2), strict=True))
    hosts = {
        "eos": {
            "ansible_network_os": "arista.eos.eos",
            "cables": {"Ethernet1": "78m1:eth2", "Ethernet2": "78m1:eth3"},
            "bgp_ports": ["10.0.0.1", "10.0.0.3"],
        },
        "nxos": {
            "ansible_network_os": "cisco.nxos.nxos",
            "cables": {"Ethernet1/1": "spine1:Ethernet1/1"},
            "bgp_ports": ["10.1.1.177"],
        },
    }
    reached = {
        "ansible_connection": "ansible.netcommon.network_cli",
        "ansible_host": "127.0.0.1",
        "ansible_user": USER,
        "ansible_password": PASSWORD,
        "ansible_host_key_checking": False,
    }
    own = {name: {**host, "ansible_port": ports[name], "switch_commands": ASKED[name]} for name, host in hosts.items()}
    Path("inventory.yml").write_text(yaml.safe_dump({"switches": {"vars": reached, "hosts": own}}))
    answers = {"eos": EOS, "nxos": NXOS}
    with canned_switches({name: {"port": ports[name], "answers": answers[name]} for name in answers}, tmp_path):
        done = run("inventory.yml", "--param", "mtu=0")
        own_command = rack_recipes("run", documented("recipes/psu.yml"), "-i", "inventory.yml", "--limit", "eos")
    assert wrong(own_command) == {
        ("supplies", "eos"): ("failed", "psu.first_v1.outputPower: 412.5 W is above max 400 W")
    }, own_command.stderr
    assert wrong(done) == {
        ("sessions", "eos"): ("failed", "10.0.0.3: the session is Active"),
        ("neighbours", "eos"): (
            "failed",
            "Ethernet1: expected 78m1:eth2, found no neighbour; Ethernet2: expected 78m1:eth3, found no neighbour",
        ),
        ("ports", "nxos"): ("failed", f"Ethernet1/1 {DOWN}"),
        ("ask_neighbours", "nxos"): ("failed", "% Invalid input"),
        ("neighbours", "nxos"): ("blocked", "ask_neighbours did not pass (failed)"),
    }, done.stderr
    assert PASSWORD not in done.stderr
