# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a server of a virtual rack, as its own kernel would tell of them: files of the form of /proc and /sys.

Nodes have no hardware of their own, and the files of the machine's kernel tell of the machine. So each server has a
tree below `PLACE`, which scriptlets take as their `root`. The tree stays the same when the server starts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def files() -> dict[str, str]:
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


def golden() -> dict[str, Any]:
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
