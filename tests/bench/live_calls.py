# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what a call of the live bus costs: directly on the controller, and through a forwarded socket over SSH.

`server_speed.py` runs this. One client calls one server, one call after another, as a step does. `new connection` is
the cost of the first call of a step, and of each call of `rack_live` beside the start of Python. Figures are medians of
rounds.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path += [str(CHECKOUT / "tests" / "rack")]

from ansible_collections.rack.recipes.plugins.module_utils.live_client import Live
from call_rack_recipes import COMMAND, environment
from rack_recipes.run import server_address_and_pass
from rack_recipes.run.server_address_and_pass import pass_of
from ssh_hosts import Rack

CALLS: dict[str, Callable[[Live], object]] = {
    "get": lambda live: live.get("bench.value_v1"),
    "set": lambda live: live.set("bench.value_v1", {"mean": 12.5, "unit": "Gbit/s"}),
    "send and wait": lambda live: (live.send("bench"), live.wait("bench")),
    "get, new connection": lambda live: (live.close(), live.get("bench.value_v1")),
}
WAIT = 60.0  # seconds


@contextlib.contextmanager
def served(folder: Path) -> Iterator[server_address_and_pass.StepSocket]:
    """A server with a context of its own in a folder."""
    line = [sys.executable, "-c", COMMAND, "serve", "--json", "--socket", str(folder / "ctx.sock")]
    with subprocess.Popen(line, cwd=folder, env=environment(), stdout=subprocess.PIPE) as server:
        assert server.stdout
        run = json.loads(server.stdout.readline())["run_id"]
        try:
            place = server_address_and_pass.read_server_address(folder / ".rack-recipes" / "runs" / run)
            assert place
            yield place
        finally:
            server.terminate()


@contextlib.contextmanager
def forwarded(rack: Rack, folder: Path, target: str) -> Iterator[str]:
    """The path of a socket that ssh forwards to `target`, as on a host."""
    path = str(folder / "there.sock")
    ssh, *words = rack.ssh("r01")
    with subprocess.Popen([ssh, "-N", "-R", f"{path}:{target}", *words]) as tunnel:
        until = time.monotonic() + WAIT
        while not os.path.exists(path):  # noqa: PTH110
            if time.monotonic() > until:
                raise TimeoutError(path)
            time.sleep(0.02)
        try:
            yield path
        finally:
            tunnel.terminate()


def measured(live: Live, call: Callable[[Live], object], calls: int) -> tuple[float, float]:
    """The median and the 99th percentile of a call, in milliseconds."""
    call(live)
    took = []
    for _number in range(calls):
        began = time.perf_counter()
        call(live)
        took.append(1000 * (time.perf_counter() - began))
    took.sort()
    return statistics.median(took), took[len(took) * 99 // 100]


def medians(calls: int, rounds: int) -> dict[tuple[str, str], tuple[float, ...]]:
    """For each call and each way what `measured` finds: medians of rounds, in which they take turns."""
    figures: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="rb") as name,
        Rack(1, first_address="127.0.12.1") as rack,
        served(Path(name)) as place,
        forwarded(rack, Path(name), place.path) as path,
    ):
        given = {"pass": pass_of(place.key_bytes, "r01"), "host": "r01", "step": "bench", "scope": "host"}
        for _round in range(rounds):
            for way, socket in (("direct", place.path), ("forwarded", path)):
                with contextlib.closing(Live({**given, "socket": socket})) as live:
                    live.set("bench.value_v1", 1)
                    for call, run in CALLS.items():
                        figures.setdefault((call, way), []).append(measured(live, run, calls))
    return {
        place: tuple(statistics.median(column) for column in zip(*each, strict=True))
        for place, each in sorted(figures.items())
    }
