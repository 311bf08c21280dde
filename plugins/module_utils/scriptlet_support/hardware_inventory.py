# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is made of, read from /proc and /sys without running any command.

An inventory holds only what stays the same while the machine does, since inventories are compared; so there is no free
memory and no counter in it. What a machine does not have, or does not tell, is None or an empty list.
"""

from __future__ import annotations

import os
import re

from ansible_collections.rack.recipes.plugins.module_utils.read_proc_and_sys import HostFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Values = dict[str, Any]

NOT_DISKS = re.compile(r"(fd|loop|ram|sr|zram)\d+")
SECTOR = 512  # in sysfs, whatever the disk's own sectors are
KIB = 1024


def inventory(tree: HostFiles) -> Values:
    """The whole inventory, as the context key `host.inventory_v1` holds it."""
    return {
        "hostname": tree.text("proc/sys/kernel/hostname"),
        "system": system(tree),
        "os": operating_system(tree),
        "kernel": {"release": tree.text("proc/sys/kernel/osrelease"), "version": tree.text("proc/sys/kernel/version")},
        "cpu": cpu(tree),
        "memory": memory(tree),
        "disks": disks(tree),
        "links": links(tree),
    }


def system(tree: HostFiles) -> Values:
    """Vendor, product and firmware of the machine."""
    folder = "sys/class/dmi/id/"
    return {
        "vendor": tree.text(folder + "sys_vendor"),
        "product": tree.text(folder + "product_name") or tree.text("proc/device-tree/model"),
        "firmware_version": tree.text(folder + "bios_version"),
        "firmware_date": tree.text(folder + "bios_date"),
    }


def operating_system(tree: HostFiles) -> Values:
    """Id, version and name as the distribution gives them."""
    fields = dict(tree.fields("etc/os-release", "=") or tree.fields("usr/lib/os-release", "="))
    known = {"id": "ID", "version": "VERSION_ID", "name": "PRETTY_NAME"}
    return {name: fields.get(field, "").strip("\"'") or None for name, field in known.items()}


def cpu(tree: HostFiles) -> Values:
    """Model, and how many sockets, cores and hardware threads are online."""
    fields = tree.fields("proc/cpuinfo")
    online = _numbers(tree.text("sys/devices/system/cpu/online") or "")
    topology = [f"sys/devices/system/cpu/cpu{number}/topology/" for number in online]
    return {
        "model": _model(dict(reversed(fields))),
        "sockets": _distinct(tree.text(folder + "physical_package_id") for folder in topology),
        "cores": _distinct(tree.text(folder + "thread_siblings_list") for folder in topology),
        "threads": len(online) or [name for name, _value in fields].count("processor") or None,
        "architecture": tree.text("proc/sys/kernel/arch") or (os.uname().machine if tree.live else None),
        "microcode": dict(fields).get("microcode"),
    }


def _model(fields: dict[str, str]) -> str | None:
    named = (fields.get(name) for name in ("model name", "Model Name", "cpu", "uarch", "Model", "Processor"))
    arm = f"implementer {fields.get('CPU implementer')} part {fields.get('CPU part')}"
    model = next(filter(None, named), arm if "CPU implementer" in fields else None)
    return model and " ".join(model.split())


def _distinct(answers: Iterable[str | None]) -> int | None:
    """How many different answers there are; None for none. The kernel answers -1 where it does not know."""
    return len(set(answers) - {None, "-1"}) or None


def _numbers(ranges: str) -> list[int]:
    """The numbers in a list such as `0-3,8`."""
    found = re.findall(r"(\d+)(?:-(\d+))?", ranges)
    return [number for first, last in found for number in range(int(first), int(last or first) + 1)]


def memory(tree: HostFiles) -> Values:
    """Sizes in bytes, and the number of NUMA nodes.

    The total lacks what the kernel keeps for itself, so two equal machines may differ by some kilobytes.
    """
    fields = dict(tree.fields("proc/meminfo"))
    sizes = {name: re.match(r"\d+", fields.get(name, "")) for name in ("MemTotal", "SwapTotal")}
    total, swap = (int(size[0]) * KIB if size else None for size in sizes.values())
    nodes = [name for name in tree.names("sys/devices/system/node") if re.fullmatch(r"node\d+", name)]
    return {"total_bytes": total, "swap_bytes": swap, "numa_nodes": len(nodes) or None}


def disks(tree: HostFiles) -> list[Values]:
    """The disks that are devices: no loop, RAM, optical or floppy drives, no logical volumes, no hidden paths."""
    names = [name for name in tree.names("sys/block") if not NOT_DISKS.fullmatch(name)]
    folders = {name: f"sys/block/{name}/" for name in names}
    devices = {name: folder for name, folder in folders.items() if os.path.exists(tree.path(folder + "device"))}
    return [_disk(tree, name, folder) for name, folder in devices.items() if tree.number(folder + "hidden") != 1]


def _disk(tree: HostFiles, name: str, folder: str) -> Values:
    sectors, rotational = tree.number(folder + "size"), tree.number(folder + "queue/rotational")
    return {
        "name": name.replace("!", "/"),
        "size_bytes": None if sectors is None else sectors * SECTOR,
        "rotational": None if rotational is None else rotational == 1,
        "model": tree.text(folder + "device/model") or tree.text(folder + "device/name"),
        "firmware": tree.text(folder + "device/firmware_rev") or tree.text(folder + "device/rev"),
    }


def links(tree: HostFiles) -> list[Values]:
    """The network interfaces except the loopback; speeds in Mbit/s. Those without a device have no driver."""
    folders = {name: f"sys/class/net/{name}/" for name in tree.names("sys/class/net") if name != "lo"}
    return [_link(tree, name, folder) for name, folder in folders.items() if os.path.isdir(tree.path(folder))]


def _link(tree: HostFiles, name: str, folder: str) -> Values:
    speed = tree.number(folder + "speed")
    return {
        "name": name,
        "mac": tree.text(folder + "address"),
        "mtu": tree.number(folder + "mtu"),
        "speed_mbps": speed if speed is not None and speed > 0 else None,
        "state": tree.text(folder + "operstate"),
        "driver": tree.target(folder + "device/driver"),
    }
