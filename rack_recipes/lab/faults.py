# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults that can be put into a virtual rack, each with what heals it.

A row of the table; with power from outside and control groups.

A group belongs to the machine's kernel, not to a namespace: it stays, empty, when its processes have ended. So it has a
name that tells the rack, and `remove_groups` takes away all of a rack. Both versions of the kernel's interface are
known: https://docs.kernel.org/admin-guide/cgroup-v1/index.html and https://docs.kernel.org/admin-guide/cgroup-v2.html.

A fault is a script for the shell of a node, and another one that undoes it. Words in braces stand for what
`details_of` says of the place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rack_recipes.errors import RackError, UsageError, nearest
from rack_recipes.lab import node_files, rack_pdus, swap_values
from rack_recipes.lab.bmc import hardware_and_event_log as hardware
from rack_recipes.lab.bmc import power
from rack_recipes.lab.node_files import (
    DISK,
    DISK_IMAGE,
    DISK_SIZE,
    DISK_STORE,
    KERNEL_LOG,
    PAGE,
    PAGES,
    START_CLOCK,
    START_WEB_SERVER,
)
from rack_recipes.lab.rack_state import SPEC, Broken, RackState, with_broken, without_ended
from rack_recipes.lab.topology import FABRIC_MTU, LEAF, SERVER, SPINE, Port, Topology

MACHINE = Path("/sys/fs/cgroup")
MEMORY_MIB = 128
REQUESTS = 16  # a second
_MOVE = """
move_all() {{
  for each in /proc/[0-9]*; do
    echo "${{each#/proc/}}" >"$1/cgroup.procs" 2>/dev/null || :
  done
}}
"""
# In a node, where no groups are mounted. `enter` wants a controller as version 1 calls it, and as version 2 does. What
# version 2 has must not be mounted by itself: that would take it away. /run/groups-before keeps where the node was.
ENTER = (
    _MOVE
    + """
group={group}
enter() {{
  mkdir -p /run/groups
  version=2 line='^0:'
  mount -t cgroup2 groups /run/groups
  if ! grep -qw "$2" /run/groups/cgroup.controllers; then
    umount /run/groups
    version=1 line=":\\([^:]*,\\)\\?$1\\(,[^:]*\\)\\?:"
    mount -t cgroup -o "$1" groups /run/groups
  else
    echo "+$2" >/run/groups/cgroup.subtree_control
  fi
  grep "$line" /proc/1/cgroup | cut -d : -f 3- >/run/groups-before
  mkdir -p "/run/groups/$group"
}}
limit() {{ echo "$2" >"/run/groups/$group/$1"; }}
"""
)
SLOW_DISK = f"""
enter blkio io
disk=$(stat -c %Hr:%Lr "$(findmnt -n -o SOURCE {{disk}})")
case $version in
  1)
    limit blkio.throttle.read_iops_device "$disk {REQUESTS}"
    limit blkio.throttle.write_iops_device "$disk {REQUESTS}"
    ;;
  2) limit io.max "$disk riops={REQUESTS} wiops={REQUESTS}" ;;
esac
move_all "/run/groups/$group"
"""
LITTLE_MEMORY = f"""
enter memory memory
case $version in
  1) limit memory.limit_in_bytes {MEMORY_MIB}M && limit memory.swappiness 0 ;;
  2) limit memory.max {MEMORY_MIB}M && limit memory.swap.max 0 ;;
esac
move_all "/run/groups/$group"
"""
LEAVE = (
    _MOVE
    + """
move_all "/run/groups$(cat /run/groups-before)"
rmdir "/run/groups/{group}"
umount /run/groups
"""
)


def name_of(folder: Path, node: str) -> str:
    """The name of a node's group, another one for each rack."""
    return f"{_prefix(folder)}{node}"


def remove_groups(folder: Path, machine: Path = MACHINE) -> None:
    """Remove what is left of the groups of the rack in a folder; those that still have processes stay."""
    for pattern in (f"{_prefix(folder)}*", f"*/{_prefix(folder)}*"):
        for group in machine.glob(pattern):
            with contextlib.suppress(OSError):
                group.rmdir()


def _prefix(folder: Path) -> str:
    return f"rack-recipes-{hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:12]}-"


def switch_power(state: RackState, node: str, action: str) -> str:
    """Do one of `power.ACTIONS` with a node; returns whether it is `on` or `off` then.

    What was broken in a node is healed when it goes off. Raises RackError where the node does not start.
    """
    answer = json.loads(state.run("", shlex.join(power_command(state.folder, node, action))) or "{}")
    if "power" not in answer:
        raise RackError(f"the power of {node} is not switched: {answer.get('error') or 'no reason is known'}")
    return str(answer["power"])


def power_command(folder: Path, node: str, action: str) -> Sequence[str]:
    """The command that switches the power of a node, to be run inside of the rack."""
    return sys.executable, "-I", "-m", power.__name__, str(folder / SPEC), node, action


ALL = (SPINE, LEAF, SERVER)
ROUTERS = (SPINE, LEAF)
WRONG_AS = 65099


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what it is, the roles of the nodes that can have it, the scripts that make it and heal it.

    `is_at_port`: it belongs to a port, and else to a whole node. `is_between_routers`: both ends of its cable are
    routers. `runs_outside`: its scripts run beside the nodes, in the rack's folder. `reboots`: the node starts anew
    first. `needs_bmcs`, `needs_pdus`: only a BMC can see it, only a PDU can make it.
    """

    about: str
    roles: Sequence[str]
    make: str
    heal: str
    is_at_port: bool = False
    is_between_routers: bool = False
    runs_outside: bool = False
    reboots: bool = False
    needs_bmcs: bool = False
    needs_pdus: bool = False


def _of_port(about: str, make: str, heal: str, roles: Sequence[str] = ALL) -> Fault:
    return Fault(about, roles, make, heal, is_at_port=True)


def _of_session(about: str, make: str, heal: str, roles: Sequence[str] = ROUTERS) -> Fault:
    return Fault(about, roles, _bgp(make), _bgp(heal), is_at_port=True, is_between_routers=True)


def _of_hardware(about: str, file: str, value: str) -> Fault:
    healthy = hardware.healthy_values()[file]
    write = f"echo {{}} >{{{{bmc}}}}/{file}"
    return Fault(about, (SERVER,), write.format(value), write.format(healthy), runs_outside=True, needs_bmcs=True)


def _of_part(about: str, file: str, text: str) -> Fault:
    bad, healthy = (f"echo '{line}' >{_PARTS}/{file}" for line in (text, node_files.part_files()[file].strip()))
    return Fault(about, (SERVER,), bad, healthy, runs_outside=True)


def _of_server(about: str, make: str, heal: str, *, runs_outside: bool = False, needs_pdus: bool = False) -> Fault:
    return Fault(about, (SERVER,), make, heal, runs_outside=runs_outside, needs_pdus=needs_pdus)


def _of_group(about: str, limit: str) -> Fault:
    return _of_server(about, ENTER + limit, LEAVE)


def _outlet(action: str) -> str:
    return f"{shlex.quote(sys.executable)} -I -m {rack_pdus.__name__} {SPEC} {{pdu}} {{outlet}} {action}"


def _swap_values(file: str, place: str, other: str) -> str:
    return f"{shlex.quote(sys.executable)} -I -m {swap_values.__name__} {file} {place} {other}"


def _bgp(line: str, family: str = "") -> str:
    words = ["configure terminal", "router bgp {asn}", *([family] if family else []), line]
    return "vtysh " + " ".join(f"-c '{word}'" for word in words)


_BMC_OF = "all.children.servers.hosts.{}.bmc_address"
_SWAP_BMCS = _swap_values("inventory.yml", _BMC_OF.format("{node}"), _BMC_OF.format("{other_server}"))
_SWAP_CORDS = _swap_values(SPEC, "outlets.{pdu}.{outlet}", "outlets.{pdu}.{other_outlet}")
_SWAP = """
ip link set {port} down && ip link set {other_port} down
ip link set {port} name rack-swap && ip link set {other_port} name {port} && ip link set rack-swap name {other_port}
ip link set {port} up && ip link set {other_port} up
"""
_FLAP = "for _ in 1 2 3; do ip link set {port} down; sleep 0.3; ip link set {port} up; sleep 0.7; done"
_LOSE = """
nft add table netdev rackfault
nft add chain netdev rackfault in '{{ type filter hook ingress device "{port}" priority 0; }}'
nft add rule netdev rackfault in numgen random mod 1000 '<' 50 counter drop
"""
_PARTS = f"files/{{node}}{node_files.PLACE}"
_DRIVE = f"sys/block/{node_files.DISKS[-1]}"
_LONGEST_HOG = 3600
"""For how many seconds of a core's time the hog works: a rack that is forgotten is not for ever a load."""
_HOG = f"nohup sh -c 'ulimit -t {_LONGEST_HOG}; while :; do :; done' >/dev/null 2>&1 & echo $! >/run/rack-hog"
_MANY = f"nohup timeout {_LONGEST_HOG} sh -c 'while :; do /bin/true; done' >/dev/null 2>&1 & echo $! >/run/rack-many"
_SSH_CONFIG = "/etc/rack/sshd_config"
_RELOAD_SSH = "kill -HUP $(cat /run/sshd.pid)"
# What holds the disk takes no new page, so what was never written cannot be, either.
_FAIL = f"""
truncate -s 16M {DISK_IMAGE}
mount -o remount,size=$(du -k {DISK_IMAGE} | cut -f 1)k {DISK_STORE}
blockdev --flushbufs $(findmnt -n -o SOURCE {{disk}})
"""
_MEND = f"mount -o remount,size=50% {DISK_STORE} && truncate -s {DISK_SIZE} {DISK_IMAGE}"
_FILES = """
mkdir {disk}/many
i=0
while mkdir {disk}/many/$i 2>/dev/null && (cd {disk}/many/$i && seq 1000 | xargs touch 2>/dev/null); do i=$((i+1)); done
"""
_CLOCK = f"""
sed -i 's/iburst.*/iburst {{}}minpoll 0 maxpoll 2/' /etc/rack/chrony.conf
kill $(cat /run/chrony/chronyd.pid)
while [ -e /run/chrony/chronyd.pid ]; do sleep 0.1; done
{START_CLOCK}
"""
_OFFSET = 0.5  # seconds
_SHORT = (
    "sed -E 's/^(MemFree|MemAvailable|SwapFree):.*/\\1: 10240 kB/' /proc/meminfo >/run/meminfo && "
    "mount --bind /run/meminfo /proc/meminfo"
)
# The same memory is free, all of it in single pages.
_FRAGMENTS = (
    "awk '{{ for (i = 6; i <= NF; i++) {{ $5 += $i * 2 ^ (i - 5); $i = 0 }} print }}' /proc/buddyinfo "
    ">/run/buddyinfo && "
    "mount --bind /run/buddyinfo /proc/buddyinfo"
)
_ERRORS = (
    "echo '[ 1234.567890] EDAC MC0: 1 UE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0 "
    "(channel:1 slot:0 page:0x12345 offset:0x0 grain:32)' >>{kernel_log}"
)
FAULTS: Mapping[str, Fault] = {
    "swapped-cables": _of_port("two cables of a node in each other's ports", _SWAP, _SWAP, ROUTERS),
    "link-down": _of_port("a port that is down", "ip link set {port} down", "ip link set {port} up"),
    "link-flapping": _of_port("a port that went down and up three times", _FLAP, ""),
    "mtu-mismatch": _of_port(
        "a port that takes short frames only", "ip link set {port} mtu 1500", "ip link set {port} mtu {mtu}"
    ),
    "slow-link": _of_port(
        "a port that sends 10 Mbit/s",
        "tc qdisc replace dev {port} root tbf rate 10mbit burst 32kb latency 50ms",
        "tc qdisc del dev {port} root",
    ),
    "packet-loss": _of_port("a port that loses 5 % of what it receives", _LOSE, "nft delete table netdev rackfault"),
    "wrong-peer-as": _of_session(
        "a router that expects another AS at a port",
        f"neighbor {{port}} interface remote-as {WRONG_AS}",
        "neighbor {port} interface remote-as {peer_asn}",
    ),
    "missing-path": _of_session(
        "one of several equal paths is missing", "neighbor {port} shutdown", "no neighbor {port} shutdown", (LEAF,)
    ),
    "missing-route": Fault(
        "a leaf that does not announce its servers",
        (LEAF,),
        _bgp("no network {prefix}", "address-family ipv4 unicast"),
        _bgp("network {prefix}", "address-family ipv4 unicast"),
    ),
    "dropped-network": Fault(
        "a router that drops what goes to the network of a leaf",
        ROUTERS,
        "ip route add blackhole {other_prefix}",
        "ip route del blackhole {other_prefix}",
    ),
    "duplicate-address": _of_server(
        "a server with the address of another one as well",
        "ip address add {other_address}/24 dev eth1",
        "ip address del {other_address}/24 dev eth1",
    ),
    "wrong-name": Fault(
        "a node that gives another name to its neighbours (LLDP)",
        ALL,
        "lldpcli configure system hostname spare-{node}",
        "lldpcli configure system hostname {node}",
    ),
    "time-stopped": _of_server(
        "a server whose clock follows nobody",
        "kill $(cat /run/chrony/chronyd.pid)",
        START_CLOCK,
    ),
    "wrong-time": _of_server(
        f"a server whose clock is {_OFFSET} s away from the rack's",
        _CLOCK.format(f"offset {_OFFSET} "),
        _CLOCK.format(""),
    ),
    "full-disk": _of_server(
        "a disk without room",
        "dd if=/dev/zero of={disk}/filled bs=1M 2>/dev/null || :",
        "rm -f {disk}/filled",
    ),
    "no-inodes": _of_server("a disk with room and without inodes", _FILES, "rm -rf {disk}/many"),
    "read-only-disk": _of_server(
        "a disk that can only be read", "mount -o remount,ro {disk}", "mount -o remount,rw {disk}"
    ),
    "slow-disk": _of_group("a disk that takes 16 requests a second", SLOW_DISK),
    "failing-disk": _of_server(
        "a disk that cannot be read beyond its first quarter, nor written anew",
        _FAIL,
        _MEND,
    ),
    "cpu-hog": Fault("a process that takes a whole core", ALL, _HOG, "kill $(cat /run/rack-hog)"),
    "many-processes": Fault("short-lived processes, hundreds in a second", ALL, _MANY, "kill $(cat /run/rack-many)"),
    "memory-short": Fault("hardly any free memory, as /proc/meminfo tells", ALL, _SHORT, "umount /proc/meminfo"),
    "memory-fragments": Fault(
        "free memory in single pages only, as /proc/buddyinfo tells", ALL, _FRAGMENTS, "umount /proc/buddyinfo"
    ),
    "memory-limit": _of_group(
        f"a server whose processes get {MEMORY_MIB} MiB of memory",
        LITTLE_MEMORY,
    ),
    "service-stopped": _of_server(
        "a server whose web server has ended", "kill $(cat /run/httpd.pid)", START_WEB_SERVER
    ),
    "wrong-page": _of_server(
        "a web server with another page than it must have",
        f"echo 'down for maintenance' >{PAGES}/index.html",
        f"echo '{PAGE.strip()}' >{PAGES}/index.html",
    ),
    "host-away": Fault(
        "a node that the management network does not reach",
        ALL,
        "ip link set m-{node} down",
        "ip link set m-{node} up",
        runs_outside=True,
    ),
    "outlet-off": _of_server(
        "a server whose outlet of the PDU is off",
        _outlet("off"),
        _outlet("on"),
        runs_outside=True,
        needs_pdus=True,
    ),
    "swapped-bmcs": Fault(
        "two servers with each other's BMC address in the inventory",
        (SERVER,),
        _SWAP_BMCS,
        _SWAP_BMCS,
        runs_outside=True,
        needs_bmcs=True,
    ),
    "swapped-outlets": _of_server(
        "two servers that hang on each other's outlets",
        _SWAP_CORDS,
        _SWAP_CORDS,
        runs_outside=True,
        needs_pdus=True,
    ),
    "reboot": Fault("a node that has started anew", ALL, "", "", reboots=True),
    "login-hangs": _of_server(
        "a server on which new logins hang, while open connections work",
        f"echo 'ForceCommand sleep {_LONGEST_HOG}' >>{_SSH_CONFIG} && {_RELOAD_SSH}",
        f"sed -i '/ForceCommand sleep/d' {_SSH_CONFIG} && {_RELOAD_SSH}",
    ),
    "host-hung": Fault("a node that answers pings and nothing else", ALL, "kill -STOP -1", "kill -CONT -1"),
    "bmc-sensor": _of_hardware("air that is too hot, as its BMC sees it", "inlet_temperature", "51"),
    "failed-power-supply": _of_hardware("one of two power supplies delivers nothing", "psu2_ok", "0"),
    "wrong-firmware": _of_hardware("an older BIOS than that of the others", "firmware_bios", "2.3.9"),
    "kernel-errors": _of_server("errors of the memory in the kernel log", _ERRORS, "sed -i '/EDAC MC0/d' {kernel_log}"),
    "hot-processor": _of_part("a processor that is too hot, as its own sensor says", node_files.HEAT, "98000"),
    "slow-core": _of_part("a core that is held at 800 MHz", node_files.FREQUENCY, "800000"),
    "lost-memory": _of_part("cores without memory of their own", node_files.MEMORY, "Node 1 MemTotal:       0 kB"),
    "lost-lanes": _of_part("a card that has half of its lanes", node_files.LANES, "8"),
    "missing-drive": _of_server(
        "one of two drives is gone",
        f"mv {_PARTS}/{_DRIVE} removed-{{node}}",
        f"mv removed-{{node}} {_PARTS}/{_DRIVE}",
        runs_outside=True,
    ),
}


def fault_of(name: str) -> Fault:
    """The fault with this name. Raises UsageError with the nearest one."""
    if name not in FAULTS:
        near = nearest(name, [*FAULTS])
        hint = f", did you mean {near!r}?" if near else ""
        raise UsageError(f"expected one of the faults {', '.join(FAULTS)}, got {name!r}{hint}")
    return FAULTS[name]


def break_rack(state: RackState, name: str, where: str = "") -> tuple[RackState, Broken]:
    """Put a fault into a rack; without `where` at the first place that can have it and has none.

    Returns the new state and the fault with its place. Raises UsageError for a wrong name or place, and RackError where
    the node refuses.
    """
    fault = fault_of(name)
    if fault.needs_bmcs and not state.has_bmcs:
        raise UsageError(f"{name} needs BMCs: rack-recipes rack down, then rack-recipes rack up --bmcs")
    if fault.needs_pdus and not state.has_pdus:
        raise UsageError(f"{name} needs PDUs: {rack_pdus.missing() or 'rack-recipes rack up'}")
    topology = state.topology
    taken = {each.where for each in state.broken}
    places = [place for place in places_of(fault, topology) if place not in taken]
    if where and where not in places:
        raise UsageError(_wrong_place(name, where, fault, topology, taken))
    if not places:
        raise UsageError(f"{name}: every place that can have it has a fault already: rack-recipes rack heal")
    where = where or places[0]
    if fault.reboots:
        switch_power(state, where, "cycle")
    _run(state, fault, fault.make, where, topology)
    broken = Broken(name, where, "" if fault.runs_outside else state.boot_of(where.partition(":")[0]))
    return with_broken(state, [*state.broken, broken]), broken


def _wrong_place(name: str, where: str, fault: Fault, topology: Topology, taken: set[str]) -> str:
    if where in taken:
        return f"{where} has a fault already: `rack-recipes rack heal` first"
    places = [*places_of(fault, topology)]
    near = nearest(where, places)
    hint = f", did you mean {near!r}?" if near else ""
    form = "a port such as" if fault.is_at_port else "a node such as"
    return f"{name} cannot be at {where!r}{hint}; expected {form} {places[0]}" if places else f"{name} needs more nodes"


def heal_rack(state: RackState, name: str = "") -> tuple[RackState, Sequence[Broken]]:
    """Undo all faults of this name, or all faults; the last one first. Returns the new state and what was healed.

    What a restart of its node has ended is no longer there. Raises UsageError where there is no such fault in the rack,
    and RackError where a node refuses; what was healed before is noted.
    """
    if name:
        fault_of(name)
    state = without_ended(state)
    healed = [each for each in reversed(state.broken) if name in ("", each.fault)]
    if name and not healed:
        raise UsageError(f"there is no {name} in the rack")
    for each in healed:
        fault = FAULTS[each.fault]
        _run(state, fault, fault.heal, each.where, state.topology)
        state = with_broken(state, [other for other in state.broken if other != each])
    return state, healed


def _run(state: RackState, fault: Fault, script: str, where: str, topology: Topology) -> None:
    node = where.partition(":")[0]
    text = script.format(**details_of(where, topology, state.folder))
    if fault.runs_outside:
        state.run("", f"cd {shlex.quote(str(state.folder))}\n{text}")
    else:
        state.run(node, text)


def places_of(fault: Fault, topology: Topology) -> Sequence[str]:
    """The places that can have a fault: ports or nodes, as people write them."""
    nodes = [node for node in topology.nodes.values() if node.role in fault.roles]
    if not fault.is_at_port:
        return [node.name for node in nodes if _has_twin(fault, node.name, topology)]
    ports = [port for node in nodes for port in topology.ports_of(node.name)]
    return [str(port) for port in ports if _fits(fault, port, topology)]


def _has_twin(fault: Fault, node: str, topology: Topology) -> bool:
    wanted = {
        "{other_address}": _twins, "{other_server}": _others, "{other_outlet}": _beside, "{other_prefix}": _prefixes
    }  # fmt: skip
    return all(find(node, topology) for word, find in wanted.items() if word in fault.make)


def _fits(fault: Fault, port: Port, topology: Topology) -> bool:
    peer = topology.nodes[topology.ports[port].other(port).node]
    if fault.is_between_routers and not peer.asn:
        return False
    return "{other_port}" not in fault.make or bool(_other_port(port, topology))


def _twins(server: str, topology: Topology) -> list[str]:
    """The addresses of the other servers at the leaf of a server; none for a router."""
    if topology.nodes[server].role != SERVER:
        return []
    leaf = topology.leaf_of(server).name
    return [
        node.address
        for node in topology.of_role(SERVER)
        if node.name != server and topology.leaf_of(node.name).name == leaf
    ]


def _prefixes(router: str, topology: Topology) -> list[str]:
    """The networks of the other leaves."""
    return [leaf.prefix for leaf in topology.of_role(LEAF) if leaf.name != router]


def _others(server: str, topology: Topology) -> list[str]:
    """The servers behind this one, and then those before it."""
    names = [node.name for node in topology.of_role(SERVER)]
    place = names.index(server) if server in names else len(names)
    return [*names[place + 1 :], *names[:place]]


def _beside(server: str, topology: Topology) -> list[object]:
    """The outlets of the other servers of the same PDU."""
    own = rack_pdus.variables_of(server, topology).get("pdu")
    places = (rack_pdus.variables_of(each, topology) for each in _others(server, topology))
    return [place["pdu_outlet"] for place in places if place["pdu"] == own]


def _other_port(port: Port, topology: Topology) -> str:
    """The next port of the node with a cable of the same kind: to a router, or to a server."""
    kind = bool(topology.nodes[topology.ports[port].other(port).node].asn)
    alike = [
        other.name
        for other in topology.ports_of(port.node)
        if bool(topology.nodes[topology.ports[other].other(other).node].asn) == kind
    ]
    return alike[(alike.index(port.name) + 1) % len(alike)] if len(alike) > 1 else ""


Detail = Callable[[Topology, str, str], object]
_OF_NODE: Mapping[str, Detail] = {
    "node": lambda _topology, node, _port: node,
    "pdu": lambda topology, node, _port: rack_pdus.variables_of(node, topology).get("pdu"),
    "outlet": lambda topology, node, _port: rack_pdus.variables_of(node, topology).get("pdu_outlet"),
    "bmc": lambda _topology, node, _port: f"{hardware.FOLDER}/{node}",
    "asn": lambda topology, node, _port: topology.nodes[node].asn,
    "prefix": lambda topology, node, _port: topology.nodes[node].prefix,
    "other_server": lambda topology, node, _port: next(iter(_others(node, topology)), ""),
    "other_outlet": lambda topology, node, _port: next(iter(_beside(node, topology)), ""),
    "other_prefix": lambda topology, node, _port: next(reversed(_prefixes(node, topology)), ""),
    "other_address": lambda topology, node, _port: next(iter(_twins(node, topology)), ""),
}
_OF_PORT: Mapping[str, Detail] = {
    "port": lambda _topology, _node, port: port,
    "other_port": lambda topology, node, port: _other_port(Port(node, port), topology),
    "peer_asn": lambda topology, node, port: (
        topology.nodes[topology.ports[Port(node, port)].other(Port(node, port)).node].asn
    ),
}


def details_of(where: str, topology: Topology, folder: Path) -> dict[str, object]:
    """What the words in braces of a fault's scripts stand for, at a place of the rack with this folder."""
    node, _colon, port = where.partition(":")
    group = name_of(folder, node)
    known = {"mtu": FABRIC_MTU, "disk": DISK, "kernel_log": KERNEL_LOG, "group": group}
    details = {**_OF_NODE, **(_OF_PORT if port else {})}
    return {**known, **{name: detail(topology, node, port) for name, detail in details.items()}}
