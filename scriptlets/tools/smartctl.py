# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask smartctl about drives. Its JSON is described in smartctl(8), option --json."""

from __future__ import annotations

from scriptlets.tools.commands import run_json

# The exit status is made of bits (smartctl(8), EXIT STATUS). Only these mean that the drive could not be asked: a wrong
# command line, and a device that could not be opened. The others tell of the drive's state.
NOT_ASKED = 0b11


def scan():
    """The drives that smartctl finds, NVMe drives among them: pairs of device and type."""
    return [(each["name"], each["type"]) for each in _ask("--scan").get("devices", ())]


def report(device, kind, words):
    """What smartctl says of a drive; `kind` is its type, empty where smartctl is to find it.

    Raises ValueError where the drive could not be asked.
    """
    return _ask(*words, *(("-d", kind) if kind else ()), device)


def _ask(*words):
    told = run_json(("smartctl", "-j", *words), range(256)) or {}
    about = told.get("smartctl", {})
    if about.get("exit_status", NOT_ASKED) & NOT_ASKED:
        said = "; ".join(message["string"] for message in about.get("messages", ())) or "no answer"
        raise ValueError(
            f"smartctl cannot ask {words[-1]} ({said}): run the step as root, and look whether it is there"
        )
    return told
