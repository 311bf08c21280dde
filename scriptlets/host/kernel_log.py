# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Known patterns of errors in a kernel log."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import run
from scriptlets.tools.kernel_patterns import MEANINGS, SUBJECTS
from scriptlets.tools.patterns import check_pattern

JOURNAL = ("journalctl", "-k", "-b", "--no-pager", "-o", "short-monotonic")


class KernelLog(Scriptlet):
    """The lines of a kernel log that match known patterns of errors, each with what it means and what to do."""

    options = {
        "source": {
            "type": "str",
            "default": "dmesg",
            "description": "dmesg, journal, or the path of a file",
        },
        "since": {
            "type": "str",
            "default": "",
            "description": (
                "Leaves out what is older, of dmesg and journal: a time as journalctl(1) takes it, such as "
                "the key of host.kernel_log_mark"
            ),
        },
        "subjects": {
            "type": "list",
            "elements": "str",
            "choices": ["memory", "cpu", "disk", "network", "links", "gpu", "pci", "kernel"],
            "default": ["memory", "cpu", "disk", "network", "gpu", "pci", "kernel"],
            "description": "The groups of patterns that count; `links` is a port that lost its link",
        },
        "patterns": {
            "type": "dict",
            "default": {},
            "description": (
                "Your own patterns, regular expressions: PATTERN -> what it means and what to do. They come first"
            ),
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Regular expressions of lines that do not count",
        },
        "max_lines": {
            "type": "int",
            "default": 0,
            "description": "How many such lines there may be",
            "unit": "lines",
            "source": "a healthy host has none",
        },
    }
    reads = ()
    writes = {"host.kernel_log_v1": "A list with the first 100 of such lines, each with `line` and `meaning`"}
    needs = ("dmesg (root on most hosts) or journalctl (Debian: util-linux, systemd)",)
    verdicts = {
        "failed": "more than max_lines lines match",
        "error": "the log may not be read, is not there, or has no line of the kernel",
    }
    example = """
        - name: mark
          module: host.kernel_log_mark
          success: {ctx_has_keys: [host.kernel_log_mark_v1]}
        - name: kernel_log
          module: host.kernel_log
          become: true
          depends_on: [mark]
          args: {source: journal, since: "${host.kernel_log_mark_v1}"}
    """

    def validate(self, ctx, params):
        for name in ("patterns", "ignore"):
            for pattern in params[name]:
                check_pattern(name, pattern)

    def run(self, ctx, params):
        known = {**params["patterns"], **patterns(params["subjects"])}
        found = matches(read_log(params["source"], params["since"]), params["ignore"], known)
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
            rights = "" if os.geteuid() == 0 else "read it as root, or "
            raise ValueError(f"the journal has no line of the kernel: {rights}start systemd-journald")
        return run((*JOURNAL, *newer))
    if since:
        raise ValueError(f"since: a file ({source}) has no times that can be compared: use dmesg or journal")
    return Path(source).read_text(encoding="utf-8", errors="backslashreplace")


def patterns(subjects):
    """The known patterns of some subjects, each with what its lines mean."""
    return {
        pattern: meaning for name, group in SUBJECTS.items() if name in subjects for pattern, meaning in group.items()
    }


def matches(text, ignore, known):
    """The lines that match one of the known patterns and none of `ignore`, each with what it means, once."""
    left_out = [re.compile(pattern) for pattern in ignore]
    looked_for = {re.compile(pattern): meaning for pattern, meaning in known.items()}
    found = []
    for line in text.splitlines():
        pattern = next((pattern for pattern in looked_for if pattern.search(line)), None)
        if pattern and not any(pattern.search(line) for pattern in left_out):
            means = MEANINGS.get(pattern.pattern)
            found.append((line.strip(), means(line) if means else looked_for[pattern]))
    return found
