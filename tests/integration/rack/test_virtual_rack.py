# SPDX-License-Identifier: GPL-3.0-or-later

"""A virtual rack with real routers: it routes, every fault is seen where it is and healed, nothing of it is left."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from virtual_racks import NEEDS_ROOT, virtual_rack, wait_until

from rack_recipes.errors import RackError
from rack_recipes.lab import faults, node_files, rack_state
from rack_recipes.lab.faults import FAULTS, WRONG_AS, break_rack, heal_rack, switch_power
from rack_recipes.lab.rack_state import RackState, look_at_ports
from rack_recipes.lab.start_rack import down, up, wait_for_routes
from rack_recipes.lab.topology import build

pytestmark = NEEDS_ROOT

ASK_BMC = Path(__file__).with_name("ask_bmc.py")
SSH = "ssh -i ssh_key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
LOGIN = f"timeout 3 {SSH} 192.168.255.63 true || echo hangs"
GET = "busybox wget -q -O - http://localhost/"
PATHS = "vtysh -c 'show ip route 10.1.4.0/24 json'"


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RackState]:
    """A rack whose leaves know all paths."""
    with virtual_rack(tmp_path_factory.mktemp("virtual") / "rack") as state:
        assert routes(state) == 2
        yield state


def routes(state: RackState) -> int:
    """How many paths leaf1 uses to the servers of leaf4."""
    found = json.loads(state.run("leaf1", PATHS, check=False) or "{}").get("10.1.4.0/24", [{}])
    return sum(bool(hop.get("fib")) for hop in found[0].get("nexthops", ()))


def neighbours(state: RackState, node: str) -> dict[str, set[str]]:
    """For each port the names of the neighbours that LLDP tells of."""
    told = json.loads(state.run(node, "lldpcli -f json0 show neighbors"))["lldp"][0].get("interface", [])
    found: dict[str, set[str]] = {}
    for each in told:
        found.setdefault(each["name"], set()).add(each["chassis"][0]["name"][0]["value"])
    return found


def link(state: RackState, where: str) -> dict[str, Any]:
    node, _colon, port = where.partition(":")
    found: dict[str, Any] = json.loads(state.run(node, f"ip -j link show {port}"))[0]
    return found


def is_refused(node: str, port: str, asn: int) -> Callable[[RackState], bool]:
    """Whether a router expects an AS at a port and has no session there.

    Which error it tells of depends on which of both ends connected first.
    """

    def holds(state: RackState) -> bool:
        session = json.loads(state.run(node, f"vtysh -c 'show bgp neighbors {port} json'", check=False) or "{}")
        found = session.get(port, {})
        return found.get("remoteAs") == asn and found.get("bgpState") != "Established"

    return holds


def says(node: str, script: str, word: str) -> Callable[[RackState], bool]:
    return lambda state: word in state.run(node, script, check=False)


def bmc_says(server: str, path: str, word: str) -> Callable[[RackState], bool]:
    """Whether a resource of a server's BMC has a word; `*` in a path stands for the one member there."""

    def holds(state: RackState) -> bool:
        hosts = yaml.safe_load((state.folder / "inventory.yml").read_text())["all"]["children"]["servers"]
        place = hosts["hosts"][server]["bmc_address"]
        asked = json.dumps({"url": f"https://{place}", "path": path, "timeout": 10, "verify": True, **hosts["vars"]})
        return word in state.run("", shlex.join((sys.executable, "-I", str(ASK_BMC), asked)))

    return holds


def in_group(node: str, *controllers: str) -> Callable[[RackState], bool]:
    """Whether a node is in a control group of the rack's own; a controller has another name in each version."""
    script = f"grep -E '^(0|[0-9]+:.*({'|'.join(controllers)}).*):' /proc/1/cgroup"
    return lambda state: "rack-recipes-" in state.run(node, script, check=False)


# For each fault a place, and how it is seen there.
SEEN: dict[str, tuple[str, Callable[[RackState], bool]]] = {
    "swapped-cables": ("leaf4:swp3", lambda state: neighbours(state, "leaf4").get("swp3") == {"server8"}),
    "link-down": ("leaf1:swp1", lambda state: link(state, "spine1:swp1")["operstate"] != "UP"),
    "mtu-mismatch": ("leaf2:swp2", lambda state: link(state, "leaf2:swp2")["mtu"] == 1500),
    "slow-link": ("leaf2:swp1", says("leaf2", "tc -j qdisc show dev swp1", "tbf")),
    "packet-loss": ("leaf3:swp1", says("leaf3", "nft list ruleset", "numgen")),
    "wrong-peer-as": ("leaf1:swp2", is_refused("leaf1", "swp2", WRONG_AS)),
    "missing-path": ("leaf1:swp1", lambda state: routes(state) == 1),
    "missing-route": ("leaf4", lambda state: routes(state) == 0),
    "dropped-network": ("spine2", says("spine2", "ip route show 10.1.4.0/24", "blackhole")),
    "duplicate-address": ("server1", says("server2", "arping -D -I eth1 -c 2 10.1.1.12 || echo twice", "twice")),
    "wrong-name": ("spine1", lambda state: neighbours(state, "leaf1").get("swp1") == {"spare-spine1"}),
    "time-stopped": ("server3", says("server3", "chronyc -c tracking 2>&1 || :", "506")),
    "full-disk": ("server4", says("server4", "df --output=pcent /srv/disk", "100%")),
    "no-inodes": ("server4", says("server4", "df --output=ipcent /srv/disk", "100%")),
    "read-only-disk": ("server5", says("server5", "touch /srv/disk/new 2>&1", "Read-only")),
    "failing-disk": (
        "server5",
        says("server5", "dd if=$(findmnt -n -o SOURCE /srv/disk) of=/dev/null bs=1M 2>&1", "error"),
    ),
    "cpu-hog": ("server6", says("server6", "ps ax -o args", "while :; do :; done")),
    "many-processes": ("server6", says("server6", "ps ax -o args", "/bin/true; done")),
    "login-hangs": ("server3", lambda state: "hangs" in state.run("", f"cd {state.folder}; {LOGIN}")),
    "memory-short": ("server7", says("server7", "free -k", " 10240")),
    "memory-fragments": ("server7", says("server7", "cat /proc/buddyinfo", " 0 0 0 0 0 0 0")),
    "slow-disk": ("server6", in_group("server6", "blkio", "io")),
    "memory-limit": ("server7", in_group("server7", "memory", "memory")),
    "service-stopped": ("server6", says("server6", f"{GET} || echo none", "none")),
    "wrong-page": ("server7", says("server7", GET, "down for maintenance")),
    "wrong-time": ("server3", says("server3", "chronyc -c tracking 2>&1 || :", ",0.49999")),
    "hot-processor": ("server1", says("server1", f"cat /srv/parts/{node_files.HEAT}", "98000")),
    "slow-core": ("server2", says("server2", f"cat /srv/parts/{node_files.FREQUENCY}", "800000\n")),
    "lost-memory": ("server3", says("server3", f"cat /srv/parts/{node_files.MEMORY}", " 0 kB")),
    "lost-lanes": ("server4", says("server4", f"cat /srv/parts/{node_files.LANES}", "8")),
    "missing-drive": ("server5", says("server5", "[ -e /srv/parts/sys/block/nvme1n1 ] || echo none", "none")),
    "host-away": ("server8", says("", "ping -c 1 -W 1 192.168.255.68 || echo away", "away")),
    "host-hung": ("server1", says("", "timeout 2 ssh-keyscan 192.168.255.61 2>&1; echo silent", "silent\n")),
    "bmc-sensor": ("server3", bmc_says("server3", "Chassis/*/Thermal", '"ReadingCelsius": 51')),
    "failed-power-supply": ("server4", bmc_says("server4", "Chassis/*/Power", '"LineInputVoltage": 0')),
    "wrong-firmware": ("server5", bmc_says("server5", "UpdateService/FirmwareInventory/BIOS", '"2.3.9"')),
    "outlet-off": ("server6", says("", "ping -c 1 -W 1 192.168.255.134 || echo away", "away")),
    "kernel-errors": ("server2", says("server2", "cat /var/log/kern.log", "EDAC MC0")),
}


# Tests of our recipes, which break a rack and heal it: of acceptance and power, of switches, of load, of storage.
SEEN_BY_RECIPES = {
    *("swapped-cables", "failing-disk", "outlet-off", "wrong-firmware", "failed-power-supply"),
    *("link-down", "mtu-mismatch", "slow-link", "full-disk"),
}


def case(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.repeats if name in SEEN_BY_RECIPES else ())


@pytest.mark.parametrize("name", [*map(case, SEEN)])
def test_a_fault_is_seen_where_it_is_and_gone_after_healing(rack: RackState, name: str) -> None:
    where, is_seen = SEEN[name]
    state = break_rack(rack, name, where)[0]
    try:
        wait_until(lambda: is_seen(state))
    finally:
        heal_rack(state)
    if name != "host-hung":
        wait_until(lambda: not is_seen(state))
    wait_for_routes(state)


def test_every_fault_is_tried_here() -> None:
    """But for those that are no fault of a node: test_power_recipe.py and test_bmc_recipe.py try them."""
    assert set(FAULTS) == set(SEEN) | {"link-flapping", "reboot", "swapped-bmcs", "swapped-outlets"}


def test_a_port_that_flaps_counts_it(rack: RackState) -> None:
    count = "cat /sys/class/net/swp1/carrier_down_count"
    before = int(rack.run("leaf2", count))
    heal_rack(break_rack(rack, "link-flapping", "leaf2:swp1")[0])
    assert int(rack.run("leaf2", count)) - before == 3
    wait_for_routes(rack)


@pytest.mark.parametrize("node", ["server1", "leaf4"])
def test_a_node_that_restarts_has_another_boot_id_and_its_cables(rack: RackState, node: str) -> None:
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = rack.run(node, boot)
    state = break_rack(rack_state.load_running(rack.folder), "reboot", node)[0]
    assert state.run(node, boot) != before
    heal_rack(state)
    wait_for_routes(state)
    assert routes(state) == 2
    wait_until(lambda: says("server1", "ping -c 1 -W 1 10.1.4.17", " 0% packet loss")(state))


def test_power_really_ends_a_node_and_starts_it(rack: RackState) -> None:
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = rack.run("server2", boot)
    assert switch_power(rack, "server2", "state") == "on"
    assert switch_power(rack, "server2", "off") == switch_power(rack, "server2", "state") == "off"
    with pytest.raises(RackError, match="server2 is off"):
        rack.run("server2", boot)
    assert link(rack, "leaf1:swp4")["operstate"] != "UP"
    assert "server2" in look_at_ports(rack).silent
    assert switch_power(rack, "server2", "off") == "off"
    assert switch_power(rack, "server2", "on") == switch_power(rack, "server2", "on") == "on"
    after = rack.run("server2", boot)
    assert after != before
    assert switch_power(rack, "server2", "cycle") == "on"
    assert rack.run("server2", boot) not in (before, after)
    assert link(rack, "leaf1:swp4")["operstate"] == "UP"


def test_a_node_that_ended_by_itself_is_off_and_comes_back(rack: RackState) -> None:
    rack.run("server2", "kill -KILL -1; kill -KILL 1", check=False)
    rack.run("", f"kill -KILL {rack.pid_of('server2')}", check=False)
    wait_until(lambda: switch_power(rack, "server2", "state") == "off")
    assert switch_power(rack, "server2", "on") == "on"
    wait_until(lambda: says("server1", "ping -c 1 -W 1 10.1.1.12", " 0% packet loss")(rack))


def test_a_fault_at_a_port_ends_with_the_power_of_its_node(rack: RackState) -> None:
    """What slows a port or drops its packets is in the network of the node, which stays when the node goes off."""
    slow = break_rack(rack, "slow-link", "server1:eth1")[0]
    both = break_rack(slow, "packet-loss", "server2:eth1")[0]
    for node in ("server1", "server2"):
        assert switch_power(both, node, "cycle") == "on"
    assert heal_rack(both)[1] == []
    assert "tbf" not in rack.run("server1", "tc qdisc show dev eth1")
    assert rack.run("server2", "nft list tables") == ""


def test_the_power_of_what_is_not_there(rack: RackState) -> None:
    with pytest.raises(RackError, match="the rack has no node 'server9'"):
        switch_power(rack, "server9", "on")


def by_ansible(rack: RackState, *words: str) -> str:
    ansible = str(Path(sys.executable).with_name("ansible"))
    command = (ansible, "-i", str(rack.folder / "inventory.yml"), *words)
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_ansible_reaches_every_node(rack: RackState) -> None:
    said = by_ansible(rack, "all", "-m", "ping", "-f", "14")
    assert said.count("SUCCESS") == 14, said


def test_a_session_reads_no_start_files_of_the_machine(rack: RackState) -> None:
    said = by_ansible(rack, "server1,leaf1", "-m", "raw", "-a", "echo home=$HOME files=$(ls -A ~)")
    assert said.count("home=/run/home files=.ansible") + said.count("home=/run/home files=\n") == 2, said


def test_each_node_has_its_own_names_keys_and_processes(rack: RackState) -> None:
    script = "hostname; cat /etc/machine-id; cat /etc/ssh/rack_host_key"
    told = {node: rack.run(node, script) for node in rack.topology.nodes}
    assert len(set(told.values())) == len(told)
    assert all(text.startswith(f"{node}\n") for node, text in told.items())
    assert "bgpd" not in rack.run("server1", "ps ax -o comm")


def test_nothing_is_left_of_a_rack_that_was_killed(tmp_path: Path) -> None:
    state = up(build(1, 2, 2), tmp_path / "rack")
    group = faults.name_of(state.folder, "server1")
    break_rack(state, "slow-disk", "server1")
    assert groups(group)
    links = subprocess.run(("ip", "-o", "link"), capture_output=True, text=True, check=True).stdout
    assert not re.findall(r"swp\d|m-(?:spine|leaf|server)\d", links)
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    os.kill(state.pid, signal.SIGKILL)
    wait_until(lambda: not state.is_alive())
    wait_until(lambda: not of_rack(tmp_path))
    assert down(tmp_path / "rack") is False
    assert not (tmp_path / "rack").exists()
    assert not groups(group)


def groups(name: str) -> list[Path]:
    """The control groups of this machine that have a name."""
    return [path for pattern in (name, f"*/{name}") for path in faults.MACHINE.glob(pattern)]


def of_rack(folder: Path) -> list[str]:
    """The command lines of processes that belong to the racks below a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in line:
            found.append(line.decode(errors="replace"))
    return found
