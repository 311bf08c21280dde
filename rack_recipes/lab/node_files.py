# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of each node of a virtual rack.

Its services and the script that starts them, and its parts as files of /proc and /sys.

Nodes have no hardware of their own, and the files of the machine's kernel tell of the machine. So each server has a
tree below `PLACE`, which scriptlets take as their `root`. The tree stays the same when the server starts anew.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from rack_recipes.lab.bmc import hardware_and_event_log as hardware
from rack_recipes.lab.rack_first_process import BOOT_ID
from rack_recipes.lab.topology import FABRIC_MTU, LEAF, MANAGER, SERVER, SPINE, Node, Port, Topology

PLACE = "/srv/parts"
CARD, DISKS = "0000:17:00.0", ("nvme0n1", "nvme1n1")
_CARD = {
    "class": "0x020000",
    "vendor": "0x15b3",
    "device": "0x1021",
    "current_link_width": "16",
    "current_link_speed": "32.0 GT/s PCIe",
}
_DMI = {"sys_vendor": "rack.recipes", "product_name": "Virtual server", "bios_version": "2.4.1"}
_CPU = {"model": "Virtual CPU", "microcode": "0x2b000590"}
_THREADS = 2
_DISK_SECTORS, _MODEL, _FIRMWARE = 1875385008, "Virtual NVMe 960 GB", "1.2.0"
_SECTOR = 512  # in sysfs, whatever the disk's own sectors are
HEAT = "sys/class/hwmon/hwmon0/temp1_input"
LANES = f"sys/bus/pci/devices/{CARD}/current_link_width"
FREQUENCY = "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
MEMORY = "sys/devices/system/node/node1/meminfo"


def part_files() -> dict[str, str]:
    """The text of each file of a healthy server, by its path below `PLACE`."""
    threads = range(_THREADS)
    told = {
        "proc/cpuinfo": "\n".join(_cpuinfo(number) for number in threads),
        "sys/devices/system/cpu/online": f"0-{_THREADS - 1}",
        **_below("sys/class/dmi/id", _DMI),
        **_below(f"sys/bus/pci/devices/{CARD}", _CARD),
        **_below("sys/class/hwmon/hwmon0", _SENSORS),
    }
    for number in threads:
        told |= _below(f"sys/devices/system/cpu/cpu{number}/cpufreq", _FREQUENCIES)
        told |= _below(f"sys/devices/system/node/node{number}", _memory_node(number))
    for name in DISKS:
        told |= _below(f"sys/block/{name}", _disk(name))
    return {path: f"{text}\n" for path, text in told.items()}


def golden_parts() -> dict[str, Any]:
    """The same parts as `host.golden` takes them: what is compared, as `host.hardware` finds it on a healthy server."""
    card = {"link_width": _CARD["current_link_width"], "link_speed": _CARD["current_link_speed"]}
    disk = {"size_bytes": _DISK_SECTORS * _SECTOR, "rotational": False, "model": _MODEL, "firmware": _FIRMWARE}
    return {
        "dmi": dict(_DMI),
        "cpu": {**_CPU, "threads": _THREADS},
        "pci": {CARD: {**{name: _CARD[name] for name in ("class", "vendor", "device")}, **card}},
        "disks": {name: {"name": name, **disk} for name in DISKS},
    }


def _below(folder: str, held: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in held.items()}


# As coretemp has it, in thousandths of a degree.
_SENSORS = {
    "name": "coretemp",
    "temp1_label": "Package id 0",
    "temp1_input": "47000",
    "temp1_max": "85000",
    "temp1_crit": "95000",
}
# In kHz.
_FREQUENCIES = {
    "scaling_cur_freq": "3000000",
    "scaling_max_freq": "3500000",
    "base_frequency": "2800000",
    "scaling_governor": "performance",
    "scaling_driver": "intel_pstate",
}


def _cpuinfo(number: int) -> str:
    return f"processor\t: {number}\nmodel name\t: {_CPU['model']}\nmicrocode\t: {_CPU['microcode']}\n"


def _memory_node(number: int) -> dict[str, str]:
    """A node of the memory with one thread and 64 GiB."""
    distances = ("10 21", "21 10")
    return {
        "cpulist": str(number),
        "meminfo": f"Node {number} MemTotal:       67108864 kB",
        "distance": distances[number],
    }


def _disk(name: str) -> dict[str, str]:
    return {
        "size": str(_DISK_SECTORS),
        "queue/rotational": "0",
        "device/model": _MODEL,
        "device/firmware_rev": _FIRMWARE,
        "device/serial": f"RR{DISKS.index(name) + 1:06}",
    }


Files = dict[str, str]
FRR = "/usr/lib/frr"
DISK = "/srv/disk"
"""Where the disk of a server's own is mounted."""
DISK_SIZE = "64M"
DISK_STORE = "/run/disk"
"""The file system in memory that holds a server's disk, as a file, and nothing else."""
DISK_IMAGE = f"{DISK_STORE}/image"
PAGES, PAGE = "/srv/www", "ready\n"
"""What the web server of a server serves, and the text of its only page, index.html."""
START_WEB_SERVER = f"busybox httpd -f -p 80 -h {PAGES} >/dev/null 2>&1 & echo $! >/run/httpd.pid"
START_CLOCK = "chronyd -x -f /etc/rack/chrony.conf"
KERNEL_LOG = "/var/log/kern.log"
"""The kernel log of a node: the kernel itself has one buffer for all nodes."""
HOME = "/run/home"
"""Root's home in a session of a node. In that of the machine lie shell start files, which may be slow."""
SSHD = f"""\
Port 22
HostKey /etc/ssh/rack_host_key
PermitRootLogin prohibit-password
AuthorizedKeysFile /etc/rack/authorized_keys
StrictModes no
UsePAM no
UseDNS no
MaxStartups 200
PrintMotd no
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
SetEnv HOME={HOME}
"""
COMMAND_LINE_PORT = 2222
"""The SSH port of a router that leads to the command line of FRR, as to that of a switch, and not to a shell."""
ROUTER_SSHD = f"""\
Port {COMMAND_LINE_PORT}
Match LocalPort {COMMAND_LINE_PORT}
  ForceCommand /usr/bin/vtysh
"""
LLDPD = """\
configure lldp tx-interval 1
configure lldp tx-hold 3
configure lldp portidsubtype ifname
configure system interface pattern swp*,eth*,!eth0
"""
CHRONY = f"""\
server {MANAGER} iburst minpoll 0 maxpoll 2
cmdport 0
driftfile /run/chrony/drift
"""
BEGIN = """\
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up
# A machine that runs containers forwards packets, and a new namespace begins as the machine is.
sysctl -qw net.ipv4.ip_forward=0
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
ip address add {management}/24 dev eth0
ip link set eth0 up
"""
SERVICES = f"""\
mkdir -p /run/sshd /run/lldpd
mkdir -m 700 {HOME}
mkdir -m 750 /run/chrony
chown _chrony:_chrony /run/chrony
/usr/sbin/sshd -f /etc/rack/sshd_config
lldpd -u /run/lldpd.socket -H 0
{START_CLOCK}
"""
ROUTER = """\
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.fib_multipath_hash_policy=1
ip address add {loopback}/32 dev lo
mkdir -p /run/frr
chown -R frr:frr /run/frr /etc/frr
{frr}/mgmtd -d -A 127.0.0.1
{frr}/zebra -d -A 127.0.0.1 -s 4000000
{frr}/bgpd -d -A 127.0.0.1
vtysh -b
"""


def files_of(node: Node, topology: Topology, public_key: str, host_key: str) -> Files:
    """The files of a node by their paths, without the leading slash."""
    return {
        "etc/hostname": f"{node.name}\n",
        "etc/machine-id": f"{uuid.uuid4().hex}\n",
        "etc/hosts": _hosts(topology),
        BOOT_ID: f"{uuid.uuid4()}\n",
        "etc/rack/authorized_keys": public_key,
        "etc/rack/sshd_config": SSHD + (ROUTER_SSHD if node.asn else ""),
        "etc/rack/chrony.conf": CHRONY,
        "etc/ssh/rack_host_key": host_key,
        "etc/lldpd.d/rack.conf": LLDPD,
        "etc/rack/start": start_script(node, topology),
        KERNEL_LOG.lstrip("/"): f"[    0.000000] {node.name}: booted\n",
        **ROLE_FILES[node.role](node, topology),
    }


def _hosts(topology: Topology) -> str:
    lines = [f"{node.management} {node.name}" for node in topology.nodes.values()]
    return "\n".join(["127.0.0.1 localhost", "::1 localhost", *lines, ""])


def start_script(node: Node, topology: Topology) -> str:
    """What a node does once its cables are in, as a shell script."""
    ports = topology.ports_of(node.name)
    links = "".join(f"ip link set {port.name} mtu {FABRIC_MTU} up\n" for port in ports)
    own = ROLE_STARTS[node.role](node, topology)
    return BEGIN.format(management=node.management) + links + own + SERVICES


def _start_spine(node: Node, topology: Topology) -> str:
    return ROUTER.format(loopback=node.loopback, frr=FRR)


def _start_leaf(node: Node, topology: Topology) -> str:
    servers = [port.name for port in topology.ports_of(node.name) if topology.ports[port].upper == port]
    members = "".join(f"ip link set {name} master br0\n" for name in servers)
    bridge = f"ip link add br0 mtu {FABRIC_MTU} type bridge\n{members}ip address add {node.address}/24 dev br0\n"
    return f"{bridge}ip link set br0 up\n" + ROUTER.format(loopback=node.loopback, frr=FRR)


def _start_server(node: Node, topology: Topology) -> str:
    gateway = topology.leaf_of(node.name).address
    return f"""\
ip address add {node.address}/24 dev eth1
ip route add 10.0.0.0/8 via {gateway}
mkdir -p {DISK} {DISK_STORE}
mount -t tmpfs disk {DISK_STORE}
truncate -s {DISK_SIZE} {DISK_IMAGE}
mkfs.ext4 -q -O ^has_journal -E nodiscard {DISK_IMAGE}
mount -o loop,errors=continue {DISK_IMAGE} {DISK}
{START_WEB_SERVER}
"""


def frr_config(node: Node, topology: Topology) -> str:
    """BGP without numbered links: a session on each port to a router, the own networks, all paths of equal length."""
    peers = [port for port in topology.ports_of(node.name) if _peer(port, topology).asn]
    sessions = "".join(
        f" neighbor {port.name} interface remote-as {_peer(port, topology).asn}\n"
        f" neighbor {port.name} interface peer-group fab\n"
        for port in peers
    )
    networks = "".join(f"  network {each}\n" for each in (f"{node.loopback}/32", node.prefix) if each)
    return f"""\
frr defaults datacenter
hostname {node.name}
service integrated-vtysh-config
router bgp {node.asn}
 bgp router-id {node.loopback}
 timers bgp 1 3
 bgp bestpath as-path multipath-relax
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor fab peer-group
 neighbor fab advertisement-interval 0
 neighbor fab timers connect 1
{sessions} address-family ipv4 unicast
{networks}  neighbor fab activate
  maximum-paths 16
"""


def _peer(port: Port, topology: Topology) -> Node:
    return topology.nodes[topology.ports[port].other(port).node]


def _router_files(node: Node, topology: Topology) -> Files:
    return {"etc/frr/frr.conf": frr_config(node, topology), "etc/frr/vtysh.conf": "service integrated-vtysh-config\n"}


def _server_files(node: Node, topology: Topology) -> Files:
    own = {"product_uuid": hardware.system_uuid(node.name), "product_serial": hardware.serial_number(node.name)}
    told = {**part_files(), **{f"sys/class/dmi/id/{name}": f"{text}\n" for name, text in own.items()}}
    parts = {f"{PLACE[1:]}/{path}": text for path, text in told.items()}
    return {f"{PAGES[1:]}/index.html": PAGE, **parts}


ROLE_FILES: Mapping[str, Callable[[Node, Topology], Files]] = {
    SPINE: _router_files,
    LEAF: _router_files,
    SERVER: _server_files,
}
ROLE_STARTS: Mapping[str, Callable[[Node, Topology], str]] = {
    SPINE: _start_spine,
    LEAF: _start_leaf,
    SERVER: _start_server,
}
