# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Known patterns of lines in a kernel's log by subject, each with what it means and what to do.

The words are those of Linux and of its drivers: drivers/edac/edac_mc.c, arch/x86/kernel/cpu/mce, mm/memory-failure.c,
block/blk-core.c, drivers/ata/libata-eh.c, drivers/nvme/host/pci.c, fs/ext4/super.c, fs/xfs/xfs_fsops.c,
net/sched/sch_generic.c, net/sunrpc/clnt.c, drivers/net/ethernet/mellanox/mlx5/core/health.c and events.c,
drivers/pci/pcie/aer.c, drivers/gpu/drm/amd/amdgpu, mm/oom_kill.c, kernel/hung_task.c, kernel/watchdog.c; and of
NVIDIA's driver. Since Linux 6.8, aer.c says `Uncorrectable` and `Correctable` instead of `Uncorrected` and `Corrected`.
"""

from __future__ import annotations

from scriptlets.tools.xids import said

XID = r"NVRM: Xid"
SUBJECTS = {
    "memory": {
        r"EDAC .*\bUE\b": "uncorrectable memory error: replace the module that the line names",
        r"EDAC .*\bCE\b": "corrected memory error: watch this module",
        r"Memory failure: 0x": "a page of broken memory was given up: replace the module that the event log names",
    },
    "cpu": {
        r"Machine check|mce: .*Hardware Error": "machine check: read the system's event log",
    },
    "disk": {
        r"(I/O|critical (medium|target)) error, dev \w+": "a disk does not read or write: look at its SMART data",
        r"critical space allocation error, dev \w+": (
            "a disk has no room for what is written to it: look at the pool behind it, if it is a thin volume"
        ),
        r"ata\d+(\.\d+)?: (hard resetting link|failed command)": "a SATA link was reset: reseat the disk and its cable",
        r"nvme\d+: (I/O .*timeout|controller is down)": (
            "an NVMe disk did not answer: reseat it, then read its SMART data"
        ),
        r"EXT4-fs error \(device|XFS \(.*(Corruption|metadata I/O error|Filesystem has been shut down)": (
            "a file system is damaged: look at its disk, unmount it and check it (fsck, xfs_repair)"
        ),
    },
    "network": {
        r"NETDEV WATCHDOG: .*timed out": "a network card stopped sending: update its firmware, else replace it",
        r"mlx5_core .*(device's health compromised|Port module event\[error\])": (
            "a network card or its cable fails: reseat cable and module, update the card's firmware, else replace it"
        ),
        r"nfs: server .* not responding|LustreError: ": (
            "a file server does not answer: look at the server and the network to it"
        ),
    },
    "links": {
        r"(?<!SATA )[Ll]ink (is )?[Dd]own\b": "a port lost its link: reseat and clean its cable; look at the other end",
    },
    "gpu": {
        XID: "GPU error",
        r"nvidia-nvswitch\d+: SXid": "NVSwitch error: drain the node, restart it; if it comes back, call for service",
        r"amdgpu.*(GPU reset begin|uncorrectable hardware errors|ring \S+ timeout)": (
            "GPU error: drain the node and reset the GPU; if it comes back, replace the GPU"
        ),
    },
    "pci": {
        r"PCIe Bus Error: severity=(Uncorrect|Fatal)": "a PCIe device fails: reseat it",
        r"PCIe Bus Error: severity=Correct": "a PCIe link corrects errors: reseat the card and its riser, and watch it",
    },
    "kernel": {
        r"[Oo]ut of memory: Kill": "the memory was used up: find the process that took it",
        r"Oops:|BUG:|Kernel panic": "a fault of the kernel: keep the log, and update the kernel",
        r"soft lockup|hung_task|blocked for more than": "something does not go on: look at the disks and the load",
    },
}
MEANINGS = {XID: said}
"""Patterns whose lines each say what they mean."""
