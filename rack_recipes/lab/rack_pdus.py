# SPDX-License-Identifier: GPL-3.0-or-later

"""The PDUs of a virtual rack, answered for by snmpsim, and the program that switches an outlet inside of the rack.

A PDU answers SNMP as one of APC's does (PowerNet-MIB, rPDU2), with the interface that it is reached by (IF-MIB).

    python -I -m rack_recipes.lab.rack_pdus SPEC PDU OUTLET ACTION

SPEC is the file that the rack was started by, ACTION one of `on`, `off` and `cycle`. A server without power has no
process, and its BMC does not answer: it has no address. This file needs the standard library only.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rack_recipes.lab.bmc import power
from rack_recipes.lab.rack_first_process import BRIDGE, Spec
from rack_recipes.lab.topology import MANAGEMENT, SERVER, Topology

FIRST = 201
"""The last byte of the management address of the first rack's PDU."""
PORT = 161
SIZES = (8, 24, 48)  # how many outlets a PDU has
COMMUNITY, USER, PASSWORD = "snmp-of-pdus", "rack-operator", "snmp-v3-of-pdus"
VARIATION = Path(__file__).parent / "variation"
MODULE = "rack_pdu"
RECORDS, CACHE = "pdus", "pdu-cache"
NEEDED = ("snmpsim", "pysmi")
RUN = "import sys; from snmpsim.commands.responder import main; print('starts', flush=True); sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Pdu:
    """A PDU: its name, its management address, how many outlets it has, and which server hangs on which."""

    name: str
    address: str
    size: int
    servers: Mapping[int, str]


def missing() -> str:
    """What has to be installed before there can be PDUs, as the words of a command; empty if nothing is missing."""
    return "" if all(map(importlib.util.find_spec, NEEDED)) else "pip install 'rack-recipes[rack]'"


def pdus_of(topology: Topology) -> list[Pdu]:
    """The PDUs of a rack; a server hangs on the outlet with the number of its height unit."""
    by_rack: dict[str, dict[int, str]] = {}
    for node in topology.of_role(SERVER):
        by_rack.setdefault(node.rack, {})[node.unit] = node.name
    return [_pdu(number, servers) for number, servers in enumerate(by_rack.values(), start=1)]


def _pdu(number: int, servers: Mapping[int, str]) -> Pdu:
    size = next(each for each in SIZES if each >= max(servers))
    return Pdu(f"pdu{number}", f"{MANAGEMENT}.{FIRST + number - 1}", size, servers)


def variables_of(server: str, topology: Topology) -> Mapping[str, object]:
    """What the inventory says of the outlet of a server."""
    for pdu in pdus_of(topology):
        for number, name in pdu.servers.items():
            if name == server:
                return {"pdu": pdu.name, "pdu_address": pdu.address, "pdu_outlet": number}
    return {}


def spec_of(topology: Topology) -> Mapping[str, Mapping[str, str]]:
    """For each PDU its outlets with the servers that hang on them, as `switch` reads it."""
    return {pdu.name: {str(number): name for number, name in pdu.servers.items()} for pdu in pdus_of(topology)}


def write_files(topology: Topology, folder: Path) -> None:
    """Write the state of each outlet, and the record that snmpsim answers by."""
    for pdu in pdus_of(topology):
        states, records = folder / OUTLETS / pdu.name, folder / RECORDS / pdu.name
        for each in (states, records):
            each.mkdir(parents=True)
        for number in range(1, pdu.size + 1):
            (states / str(number)).write_text(ON, encoding="ascii")
        (records / f"{COMMUNITY}.snmprec").write_text(record(pdu), encoding="ascii")


def addresses(topology: Topology) -> list[str]:
    """The management addresses of all PDUs."""
    return [pdu.address for pdu in pdus_of(topology)]


def services(topology: Topology) -> dict[str, list[str]]:
    """The command that answers for all PDUs; it runs in the folder of the rack."""
    words = [
        "env", "HOME=/run", sys.executable, "-I", "-c", RUN, "--logging-method=null",
        "--process-user=root", "--process-group=root",
        f"--cache-dir={CACHE}", f"--variation-modules-dir={VARIATION}",
    ]  # fmt: skip
    for pdu in pdus_of(topology):
        words += ["--v3-engine-id=auto", f"--v3-user={USER}", f"--v3-auth-key={PASSWORD}", "--v3-auth-proto=SHA"]
        words += [f"--v3-priv-key={PASSWORD}", "--v3-priv-proto=AES"]
        words += [f"--data-dir={RECORDS}/{pdu.name}", f"--agent-udpv4-endpoint={pdu.address}:{PORT}"]
    return {"pdus": words}


def record(pdu: Pdu) -> str:
    """What a PDU answers, as a record of snmpsim: a line for each object identifier, in their order."""
    lines = sorted(_lines(pdu), key=lambda line: [int(part) for part in line[0].split(".")])
    return "".join(f"{name}|{value}\n" for name, value in lines)


SYSTEM, INTERFACE, MORE = "1.3.6.1.2.1.1", "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"  # RFC 3418, RFC 2863
APC = "1.3.6.1.4.1.318.1.1.26"  # rPDU2 of PowerNet-MIB
INTEGER, STRING, IDENTIFIER, COUNTER, GAUGE, TICKS = 2, 4, 6, 65, 66, 67  # the types of ASN.1, as snmpsim writes them


def _lines(pdu: Pdu) -> Iterator[tuple[str, str]]:
    yield from _system(pdu)
    yield from _interface()
    yield from _load(pdu)
    for number in range(1, pdu.size + 1):
        yield from _outlet(pdu, number)


def _system(pdu: Pdu) -> Iterator[tuple[str, str]]:
    yield f"{SYSTEM}.1.0", f"{STRING}|APC Web/SNMP Management Card (virtual rack)"
    yield f"{SYSTEM}.2.0", f"{IDENTIFIER}|1.3.6.1.4.1.318.1.3.4.6"
    yield f"{SYSTEM}.3.0", _changing(TICKS, "uptime")
    yield f"{SYSTEM}.5.0", f"{STRING}|{pdu.name}"


def _interface() -> Iterator[tuple[str, str]]:
    fixed = {1: (INTEGER, 1), 2: (STRING, "eth0"), 3: (INTEGER, 6), 5: (GAUGE, 100_000_000), 7: (INTEGER, 1)}
    quiet = {8: (INTEGER, 1), 13: (COUNTER, 0), 14: (COUNTER, 0), 19: (COUNTER, 0), 20: (COUNTER, 0)}
    for column, (kind, value) in {**fixed, **quiet}.items():
        yield f"{INTERFACE}.{column}.1", f"{kind}|{value}"
    for column, rate in {10: 900, 11: 6, 16: 1100, 17: 6}.items():  # octets and packets a second, in and out
        yield f"{INTERFACE}.{column}.1", _changing(COUNTER, "counter", 100_000, rate)
    yield f"{MORE}.1.1", f"{STRING}|eth0"
    yield f"{MORE}.15.1", f"{GAUGE}|100"


def _load(pdu: Pdu) -> Iterator[tuple[str, str]]:
    used = (pdu.name, *pdu.servers)
    yield f"{APC}.2.1.3.1", f"{STRING}|{pdu.name}"
    yield f"{APC}.4.3.1.5.1", _changing(INTEGER, "power", *used)
    yield f"{APC}.4.3.1.9.1", _changing(INTEGER, "energy", *used)
    yield f"{APC}.6.3.1.4.1", f"{INTEGER}|2"
    yield f"{APC}.6.3.1.5.1", _changing(INTEGER, "current", *used)


def _outlet(pdu: Pdu, number: int) -> Iterator[tuple[str, str]]:
    yield f"{APC}.9.2.3.1.1.{number}", f"{INTEGER}|{number}"
    yield f"{APC}.9.2.3.1.3.{number}", f"{STRING}|{pdu.servers.get(number, f'Outlet {number}')}"
    yield f"{APC}.9.2.3.1.5.{number}", _changing(INTEGER, "outlet", pdu.name, number)
    yield f"{APC}.9.2.4.1.5.{number}", _changing(INTEGER, "command", pdu.name, number)
    yield f"{APC}.9.4.3.1.7.{number}", _changing(INTEGER, "load", pdu.name, number)  # rPDU2OutletMeteredStatusPower


def _changing(kind: int, *words: object) -> str:
    return f"{kind}:{MODULE}|{','.join(map(str, words))}"


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
