# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RDMA between two hosts, by the programs of perftest: both sides, one rail after the other.

A rail is a port of a card. Both hosts go through their rails in the same order at one TCP port: perftest ends its
serving side after each test, so a rail is reached as soon as it is the turn of its port.
"""

from __future__ import annotations

import re
import tempfile
import time
from math import isfinite
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words
from rack_recipes import Failed, HostFiles
from scriptlets.infiniband.ports import ACTIVE, ports
from scriptlets.tools.absent_hardware import is_missing
from scriptlets.tools.commands import completed, last_line
from scriptlets.tools.limits import amount, judge

# What the arguments mean that are read here, for the documentation of each scriptlet that has them.
ARGUMENTS = {
    "peer": {"description": "The address of the host that serves (`rdma.serve`)"},
    "port": {"description": "The TCP port at which both sides meet", "unit": "TCP port", "source": "perftest's own"},
    "devices": {
        "description": "The rails in their order, as DEVICE or DEVICE/PORT; by default all ports that are active",
    },
    "shift": {
        "description": "0 tests each rail against the same one of the peer, 1 against the next one",
        "unit": "rails",
    },
    "size": {"description": "How long each message is, the same at both sides", "unit": "bytes"},
    "seconds": {"description": "For how long each rail is measured, the same at both sides", "unit": "s"},
    "messages": {"description": "How many messages are timed on each rail, the same at both sides", "unit": "messages"},
    "queue_pairs": {"description": "With how many queue pairs at once, the same at both sides", "unit": "queue pairs"},
    "gid_index": {
        "description": "Which GID of the port, for RoCE; by default the one that perftest takes",
        "unit": "index",
    },
    "wait": {"description": "How long the other side may take until it is there", "unit": "s"},
    "min_gbps": {
        "description": "The least rate of each rail; take it from good links of the same kind",
        "unit": "Gbit/s",
    },
    "max_usec": {"description": "The longest median time of a message", "unit": "us"},
    "root": {"description": "The folder that has /sys; another one for tests"},
    "max_usec_p99": {"description": "The time that 99 % of the messages must keep", "unit": "us"},
}
PROGRAMS = {"write_bw": "ib_write_bw", "send_bw": "ib_send_bw", "read_lat": "ib_read_lat"}
TIMED = ("read_lat",)  # the tests that count messages, and not seconds
MARGIN = 20  # seconds that a test may take beyond its time
LEAST_SECONDS = 3  # perftest leaves out a second at each end
PAUSE = 0.2  # seconds between two tries to reach the other side
EARLY = "Couldn't connect to"
FIELD = re.compile(r'^\s*"?(?P<name>[A-Za-z_]\w*(?:\.\d+)?)"?\s*:\s*"?(?P<value>[^",{]*)"?,?\s*$', re.MULTILINE)
ADVICE = "test its cable and the other end's, and the way through the switches"


def rails(params):
    """The ports to test, each as (DEVICE, PORT), in their order. Ends the step where the host has none."""
    found = ports(HostFiles(params["root"]), [])
    if not found:
        is_missing("an InfiniBand or RoCE port", params)
    wanted = params["devices"] or [name for name, port in found.items() if port["state"] == ACTIVE]
    if not wanted:
        raise Failed(f"none of {', '.join(found)} is active: look at the step infiniband.ports and at the cables")
    full = [name if "/" in name else f"{name}/1" for name in wanted]
    if gone := [name for name in full if name not in found]:
        raise Failed(f"{', '.join(gone)} is not there, only {', '.join(found)}: look at the cards (`lspci`)")
    if down := [f"{name} ({found[name]['state']})" for name in full if found[name]["state"] != ACTIVE]:
        raise Failed(f"{', '.join(down)} is not active: reseat the cable; look at the switch's port")
    return [tuple(name.split("/")) for name in full]


def command(test, rail, params):
    """The command line of one rail, which both sides share. Raises ValueError for a time that perftest refuses."""
    device, number = rail
    if test not in TIMED and params["seconds"] < LEAST_SECONDS:
        raise ValueError(f"seconds is {params['seconds']}, expected {LEAST_SECONDS} or more: perftest measures no less")
    long = (
        ("-n", params["messages"]) if test in TIMED else ("-D", params["seconds"], "-f", 1, "-q", params["queue_pairs"])
    )
    index = () if params["gid_index"] is None else ("-x", params["gid_index"])
    words = (
        PROGRAMS[test],
        "-d",
        device,
        "-i",
        number,
        "-p",
        params["port"],
        "-s",
        params["size"],
        "-F",
        *long,
        *index,
    )
    return [str(word) for word in (*words, *(() if test in TIMED else ("--report_gbits",)))]


def measure(test, params):
    """DEVICE/PORT -> what perftest says of each rail, by its own names. Raises ValueError where it cannot measure."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, rail in enumerate(rails(params)):
            file = Path(folder, f"{number}.json")
            argv = [*command(test, rail, params), "--out_json", f"--out_json_file={file}", params["peer"]]
            name = "/".join(rail)
            meet(argv, name, params)
            found[name] = fields(file.read_text(encoding="utf-8", errors="replace") if file.exists() else "")
    return found


def meet(argv, name, params):
    """Run the measuring side once the other side listens. Raises ValueError where it is never there, or ends badly."""
    until = time.monotonic() + params["wait"]
    while True:
        done = completed(argv, seconds=params["seconds"] + params["wait"] + MARGIN)
        if not done.returncode:
            return
        said = f"{done.stderr}\n{done.stdout}"
        if EARLY not in said:
            raise ValueError(f"{name}: {argv[0]} {end_in_words(done.returncode)}: {last_line(done)}")
        if time.monotonic() > until:
            raise ValueError(
                f"{name}: {params['peer']} port {params['port']} did not answer within {params['wait']:g} s: "
                "look at the step that serves (rdma.serve), at its rails and at the firewall"
            )
        time.sleep(PAUSE)


def serve(test, params):
    """Serve each rail once, beginning `shift` rails further; returns the rails.

    Raises ValueError where nobody has come in time, or perftest ends with an error.
    """
    own = rails(params)
    shift = params["shift"] % len(own)
    for rail in (*own[shift:], *own[:shift]):
        argv = command(test, rail, params)
        done = completed(argv, seconds=params["seconds"] + params["wait"] + MARGIN)
        if done.returncode:
            raise ValueError(f"{'/'.join(rail)}: {argv[0]} {end_in_words(done.returncode)}: {last_line(done)}")
    return ["/".join(rail) for rail in own]


def fields(text):
    """The numbers of perftest's JSON by their names; what is no finite number is left out.

    perftest 4.5 writes names without quotes and a comma behind the last one, which is no JSON.
    """
    found = {}
    for field in FIELD.finditer(text):
        try:
            value = float(field["value"])
        except ValueError:
            continue
        if isfinite(value):
            found[field["name"]] = value
    return found


def judge_rails(ctx, found, values):
    """Judge the values of each rail; yields what is wrong.

    `values` has by the name of a measurement its field of perftest, its unit, its limits, and whether 0 is possible.
    What perftest has not told is wrong, with limits and without.
    """
    for rail, told in found.items():
        for name, (field, unit, limits) in values.items():
            value = told.get(field)
            if value is None or value <= 0:
                ctx.check(f"told.{name}.{rail}", False, eq=True)
                yield f"{rail}: perftest told {'no' if value is None else f'{value:g} {unit} as'} {field}: {ADVICE}"
            elif judge(ctx, f"{name}.{rail}", value, unit, **limits) == "failed":
                bound = " and ".join(f"{word} {amount(limit)}" for word, limit in limits.items() if limit is not None)
                yield f"{rail}: {amount(value)} {unit}, {bound}: {ADVICE}"


def run_bandwidth(ctx, params, test, key):
    """Measure and judge the rate of each rail; writes the key."""
    found = measure(test, params)
    ctx.set(key, {rail: {"gbps": told.get("BW_average"), "size": params["size"]} for rail, told in found.items()})
    _end(judge_rails(ctx, found, {"gbps": ("BW_average", "Gbit/s", {"min": params["min_gbps"]})}))


def run_latency(ctx, params, test, key):
    """Measure and judge the time of messages on each rail; writes the key."""
    found = measure(test, {**params, "seconds": 0})
    ctx.set(
        key,
        {rail: {"usec": told.get("t_typical"), "usec_p99": told.get("percentile_99")} for rail, told in found.items()},
    )
    values = {
        "usec": ("t_typical", "us", {"max": params["max_usec"]}),
        "usec_p99": ("percentile_99", "us", {"max": params["max_usec_p99"]}),
    }
    _end(judge_rails(ctx, found, values))


def _end(wrong):
    if told := "; ".join(wrong):
        raise Failed(told)
