# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Known patterns of errors in a kernel log."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from scriptlets.tools.commands import run

# What each pattern of a line means, and what to do.
PATTERNS = {
    r"EDAC .*\bUE\b": "uncorrectable memory error: replace the module that the line names",
    r"EDAC .*\bCE\b": "corrected memory error: watch this module",
    r"Machine check|mce: .*Hardware Error": "machine check: read the system's event log",
    r"I/O error, dev \w+": "a disk does not read or write: look at its SMART data",
    r"NVRM: Xid": "GPU error: look the Xid number up",
    r"Out of memory: Killed": "the memory was used up",
    r"Oops:|BUG:|Kernel panic": "a fault of the kernel",
    r"PCIe Bus Error: severity=(Uncorrected|Fatal)": "a PCIe device fails: reseat it",
    r"soft lockup|hung_task|blocked for more than": "something does not go on",
}
SHOWN = 3


class KernelLog(Scriptlet):
    """The lines of a kernel log that match known patterns of errors; by default of the kernel's own log."""

    options = {
        "source": {"type": "str", "default": "dmesg"},  # dmesg, journal, or the path of a file
        "ignore": {"type": "list", "elements": "str", "default": []},
        "max_lines": {"type": "int", "default": 0},
    }
    reads = ()
    writes = ("host.kernel_log_v1",)

    def run(self, ctx, params):
        found = matches(read_log(params["source"]), params["ignore"])
        ctx.set("host.kernel_log_v1", [{"line": line[:500], "meaning": meaning} for line, meaning in found[:100]])
        if ctx.check("error_lines", len(found), "lines", max=params["max_lines"]) == "failed":
            line, meaning = found[0]
            raise Failed(f"{meaning} ({len(found)} lines, the first: {line[:200]})")


def read_log(source):
    """The text of a log."""
    if source == "dmesg":
        return run(("dmesg",))
    if source == "journal":
        return run(("journalctl", "-k", "-b", "-o", "short-monotonic", "--no-pager"))
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
