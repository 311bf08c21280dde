# SPDX-License-Identifier: GPL-3.0-or-later

"""What changes in a PDU of a virtual rack: a module of snmpsim's, which calls `variate` for each value of a record.

Such a line of a record names this module, a row of `READERS`, and what that needs:

    1.3.6.1.4.1.318.1.1.26.9.2.3.1.5.3|2:rack_pdu|outlet,pdu1,3
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rack_recipes.lab import rack_pdus
from rack_recipes.lab.rack_first_process import PIDS

STATES = {"off": 1, "on": 2}  # rPDU2OutletSwitchedStatusState
COMMANDS = {1: "on", 2: "off", 3: "cycle"}  # rPDU2OutletSwitchedControlCommand: immediate on, off, reboot
VOLTS, BASE_AMPERES, STEP_AMPERES, STANDBY_AMPERES = 230, 1.2, 0.1, 0.03
"""What a server takes; that at the next outlet takes a little more, so that their shares can be told apart."""

ENERGY = 12_345  # what the meter shows at the start, in tenths of a kilowatt hour
STARTED = time.monotonic()


def init(**_context: Any) -> None:
    """snmpsim calls it once."""


def shutdown(**_context: Any) -> None:
    """snmpsim calls it at the end."""


def variate(oid: object, tag: str, value: str, **context: Any) -> tuple[Any, str, Any]:
    """The value of a line, or what a command to it came to."""
    if not context["nextFlag"] and not context["exactMatch"]:
        return context["origOid"], tag, context["errorStatus"]
    name, *words = value.split(",")
    if context["setFlag"]:
        action = COMMANDS.get(int(context["origValue"])) if name == "command" else None
        if action is None:
            return context["origOid"], tag, context["errorStatus"]
        pdu, number = words
        _switch(pdu, number, action)
        return oid, tag, context["origValue"]
    return oid, tag, str(READERS[name](*words))


def _switch(pdu: str, number: str, action: str) -> None:
    """Switch an outlet. A PDU answers at once, so nothing waits for the server's start."""
    words = (sys.executable, "-I", "-m", rack_pdus.__name__, "spec.json", pdu, number, action)
    subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _state(pdu: str, number: str) -> int:
    return STATES[rack_pdus.state(Path(), pdu, number)]


def _amperes(pdu: str, *numbers: str) -> float:
    """What servers take at outlets that are on; one that its BMC has switched off takes next to nothing."""
    spec = json.loads(Path("spec.json").read_text(encoding="utf-8"))["outlets"][pdu]
    on = [number for number in numbers if number in spec and rack_pdus.state(Path(), pdu, number) == "on"]
    is_running = {number: bool(Path(PIDS, spec[number]).read_text(encoding="ascii").strip()) for number in on}
    return sum(BASE_AMPERES + STEP_AMPERES * (int(each) % 8) if is_running[each] else STANDBY_AMPERES for each in on)


def _watts(pdu: str, *numbers: str) -> float:
    return _amperes(pdu, *numbers) * VOLTS


def _seconds() -> float:
    return time.monotonic() - STARTED


READERS: Mapping[str, Callable[..., int]] = {
    "outlet": _state,
    "command": _state,
    "current": lambda *words: round(_amperes(*words) * 10),
    "load": lambda *words: round(_watts(*words)),
    "power": lambda *words: round(_watts(*words) / 10),
    "energy": lambda *words: ENERGY + int(_watts(*words) * _seconds() / 360_000),
    "uptime": lambda: int(_seconds() * 100),
    "counter": lambda start, rate: int(start) + int(float(rate) * _seconds()),
}
"""Each name in a record, and what reads its value."""
