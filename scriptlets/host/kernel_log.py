# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Known patterns of errors in a kernel log."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from scriptlets.tools.commands import run

# What each pattern of a line means, and what to do. The words are those of Linux (drivers/edac/edac_mc.c,
# arch/x86/kernel/cpu/mce, mm/memory-failure.c, block/blk-core.c, drivers/ata/libata-eh.c, drivers/nvme/host/pci.c,
# net/sched/sch_generic.c, drivers/pci/pcie/aer.c, mm/oom_kill.c, kernel/hung_task.c, kernel/watchdog.c) and of NVIDIA's
# driver. Since Linux 6.8, aer.c says `Uncorrectable` and `Correctable` instead of `Uncorrected` and `Corrected`.
PATTERNS = {
    r"EDAC .*\bUE\b": "uncorrectable memory error: replace the module that the line names",
    r"EDAC .*\bCE\b": "corrected memory error: watch this module",
    r"Memory failure: 0x": "a page of broken memory was given up: replace the module that the event log names",
    r"Machine check|mce: .*Hardware Error": "machine check: read the system's event log",
    r"I/O error, dev \w+": "a disk does not read or write: look at its SMART data",
    r"ata\d+(\.\d+)?: (hard resetting link|failed command)": "a SATA link was reset: reseat the disk and its cable",
    r"nvme\d+: (I/O .*timeout|controller is down)": "an NVMe disk did not answer: reseat it, then read its SMART data",
    r"NETDEV WATCHDOG: .*timed out": "a network card stopped sending: update its firmware, else replace it",
    r"NVRM: Xid": "GPU error: look the Xid number up",
    r"[Oo]ut of memory: Kill": "the memory was used up: find the process that took it",
    r"Oops:|BUG:|Kernel panic": "a fault of the kernel: keep the log, and update the kernel",
    r"PCIe Bus Error: severity=(Uncorrect|Fatal)": "a PCIe device fails: reseat it",
    r"PCIe Bus Error: severity=Correct": "a PCIe link corrects errors: reseat the card and its riser, and watch it",
    r"soft lockup|hung_task|blocked for more than": "something does not go on: look at the disks and the load",
}
JOURNAL = ("journalctl", "-k", "-b", "--no-pager", "-o", "short-monotonic")


class KernelLog(Scriptlet):
    """The lines of a kernel log that match known patterns of errors; by default of the kernel's own log.

    `since` leaves out what is older, of `dmesg` and `journal`: a time as journalctl(1) takes it, such as the key of
    `host.kernel_log_mark`.
    """

    options = {
        "source": {"type": "str", "default": "dmesg"},  # dmesg, journal, or the path of a file
        "since": {"type": "str", "default": ""},
        "ignore": {"type": "list", "elements": "str", "default": []},
        "max_lines": {"type": "int", "default": 0},
    }
    reads = ()
    writes = ("host.kernel_log_v1",)

    def run(self, ctx, params):
        found = matches(read_log(params["source"], params["since"]), params["ignore"])
        ctx.set("host.kernel_log_v1", [{"line": line[:500], "meaning": meaning} for line, meaning in found[:100]])
        if ctx.check("error_lines", len(found), "lines", max=params["max_lines"]) == "failed":
            line, meaning = found[0]
            raise Failed(f"{meaning} ({len(found)} lines, the first: {line[:200]})")


def read_log(source, since=""):
    """The text of a log, from the time `since` on. Raises ValueError where the log cannot tell."""
    newer = (f"--since={since}",) if since else ()
    if source == "dmesg":
        return run(("dmesg", *newer))
    if source == "journal":
        # journalctl says nothing, and ends well, where there is no journal; the kernel always has a line of its start
        if not any("kernel: " in line for line in run((*JOURNAL, "--lines=1")).splitlines()):
            raise ValueError("the journal has no line of the kernel: read it as root, or start systemd-journald")
        return run((*JOURNAL, *newer))
    if since:
        raise ValueError(f"since: a file ({source}) has no times that can be compared: use dmesg or journal")
    return Path(source).read_text(encoding="utf-8", errors="backslashreplace")


def matches(text, ignore):
    """The lines that match a known pattern and none of `ignore`, each with what it means."""
    left_out = [re.compile(pattern) for pattern in ignore]
    known = {re.compile(pattern): meaning for pattern, meaning in PATTERNS.items()}
    return [
        (line.strip(), meaning)
        for line in text.splitlines()
        if not any(pattern.search(line) for pattern in left_out)
        for pattern, meaning in known.items()
        if pattern.search(line)
    ]
