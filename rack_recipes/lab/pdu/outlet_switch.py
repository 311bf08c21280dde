# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Switch an outlet of a PDU of a virtual rack, and with it the server that hangs on it. It runs inside of the rack.

    python -I -m rack_recipes.lab.pdu.outlet_switch SPEC PDU OUTLET \
        ACTION

SPEC is the file that the rack was started by, ACTION one of `on`, `off` and `cycle`. A server without power has no
process, and its BMC does not answer: it has no address. This file needs the standard library only.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from rack_recipes.lab.bmc import power
from rack_recipes.lab.rack_first_process import BRIDGE, Spec

OUTLETS = "outlets"
"""The folder with a folder for each PDU, and in that a file for each outlet that says `on` or `off`."""

ON, OFF = "on", "off"
STEPS: Mapping[str, Sequence[str]] = {ON: (ON,), OFF: (OFF,), "cycle": (OFF, ON)}
PAUSE = 1.0  # seconds for which an outlet is off in a cycle


def state(folder: Path, pdu: str, number: str) -> str:
    """Whether an outlet is `on` or `off`."""
    return (folder / OUTLETS / pdu / number).read_text(encoding="ascii")


def switch(spec_file: Path, pdu: str, number: str, action: str) -> None:
    """Switch an outlet; nobody else switches it meanwhile. Raises PowerError where its server does not start."""
    spec = json.loads(spec_file.read_text(encoding="utf-8"))
    with (Path(spec["folder"]) / OUTLETS / pdu / number).open("r+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for wanted in STEPS[action]:
            if _is_changed(file, wanted):
                _feed(spec_file, spec, spec["outlets"][pdu].get(number, ""), wanted)
                time.sleep(PAUSE if len(STEPS[action]) > 1 else 0)


def _is_changed(file: IO[str], wanted: str) -> bool:
    """Write the state of an outlet; returns whether it was another one."""
    file.seek(0)
    if file.read() == wanted:
        return False
    file.seek(0)
    file.truncate()
    file.write(wanted)
    file.flush()
    return True


def _feed(spec_file: Path, spec: Spec, server: str, wanted: str) -> None:
    """Give a server power, or take it; an empty outlet has none."""
    if not server:
        return
    address = spec["bmcs"].get(server)
    if address:
        verb = "add" if wanted == ON else "del"
        words = ("ip", "address", verb, f"{address}/24", "dev", BRIDGE)
        subprocess.run(words, check=False, capture_output=True)
    power.ACTIONS[wanted](spec_file, server)


def main(spec_file: str, pdu: str, number: str, action: str) -> int:
    """Switch an outlet; the exit code is 1 where its server does not start."""
    try:
        switch(Path(spec_file), pdu, number, action)
    except power.PowerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
