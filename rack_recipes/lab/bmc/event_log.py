# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event log of a BMC: what changed in the hardware that it watches, and which orders for the power it got."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from rack_recipes.lab.bmc import hardware

INTERVAL = 0.5  # seconds between two looks at the sensors


def note(folder: Path, severity: str, message: str) -> None:
    """Append one event, with the properties of Redfish's LogEntry."""
    event = {"Created": datetime.now(UTC).isoformat(timespec="seconds"), "Severity": severity, "Message": message}
    with (folder / hardware.EVENTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(event) + "\n")


def watch(folder: Path) -> None:
    """Look at the hardware for ever, and note what has become better or worse. It ends when the folder is gone."""
    before = hardware.conditions(folder)
    while folder.exists():
        time.sleep(INTERVAL)
        before = look(folder, before)


def look(folder: Path, before: hardware.Conditions) -> hardware.Conditions:
    """Note what differs from before; returns how everything is now."""
    try:
        now = hardware.conditions(folder)
    except FileNotFoundError:  # the rack is just ending
        return before
    for name, (health, words) in now.items():
        if health != before[name][0]:
            note(folder, health, words)
    return now
