# SPDX-License-Identifier: GPL-3.0-or-later

"""A store with ten runs of eight hosts, of which the last one failed for one cause: the uplink of leaf2 is down."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, run_id, store_nights
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.schema.tables import tables

URL = "sqlite:///.rack-recipes/results.db"
RUNS = 10
HOSTS = {f"r{number}": ("leaf1", "leaf2", "leaf3")[number // 3] for number in range(8)}
BROKEN = "leaf2"
STEPS = ("inventory", "uplink", "throughput", "disk")
LIMITS = {"limits": {"min": 90, "warn": {"min": 92}}, "verdict": "passed"}


def nights(hostile: str = "") -> Iterator[Night]:
    """The runs; `hostile` is a text that stands wherever a host or a user may put one in the last of them."""
    chance = random.Random(7)
    for number in range(1, RUNS + 1):
        is_last = number == RUNS
        bad = {("uplink", host): "failed" for host, leaf in HOSTS.items() if is_last and leaf == BROKEN}
        bad |= {("throughput", host): "blocked" for _step, host in [*bad]}
        measured = {(step, host): [] for step in STEPS for host in HOSTS}
        for host in HOSTS:
            rate = round(97 - 2 * (number > 6) + chance.gauss(0, 0.1), 2)
            measured["throughput", host] = [{"name": "rate", "value": rate, "unit": "Gb/s", **LIMITS}]
        text = hostile if is_last else ""
        fields = {
            place: {"reason": text or "eth1 has no carrier"} for place, verdict in bad.items() if verdict == "failed"
        }
        context = {(host, "link.state_v1"): {"up": not is_last, "note": text, "mtu": 9000} for host in HOSTS}
        recipe = {"test_id": text or "RACK-ACCEPTANCE", "description": text or "Eight servers behind three leaves"}
        yield Night(
            measured=measured,
            verdicts=bad,
            context=context,
            attributes={
                host: {"leaf": leaf, "rack": "A1" if place < 4 else "A2", "position": place + 1, "note": text}
                for place, (host, leaf) in enumerate(HOSTS.items())
            },
            about={"labels": {"site": "lab", "shift": "night" if number % 2 else "day"}},
            recipe=recipe,
            fields=fields,
        )


def store_ten_runs(hostile: str = "", url: str = URL, folder: Path = Path(".rack-recipes/runs")) -> str:
    """Bring the runs into the store of the project that is the working folder; returns the id of the last one."""
    opened = connect_store(url)
    made = [*nights(hostile)]
    try:
        last = store_nights(opened, folder, made)
        with opened.begin() as connection:  # the records of these runs have no counts
            for number, night in enumerate(made, 1):
                counts = Counter(night.verdicts.get(place, "passed") for place in night.measured)
                runs = tables().runs
                connection.execute(
                    runs.update().where(runs.c.run_id == run_id(number)).values(counts=json.dumps(counts))
                )
        return last
    finally:
        opened.dispose()


def id_of(number: int) -> str:
    """The id of one of the runs, counted from 1."""
    return run_id(number)
