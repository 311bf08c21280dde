# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipe for two hosts: traffic that is disturbed as soon as it flows, over real SSH."""

from __future__ import annotations

import json
import shutil

import pytest

from call_rack_recipes import CHECKOUT, rack_recipes, results

# The process of the sender is the one whose UDP socket leads to the receiver.
SENDER = "kill -{} $(ss -Hunp dst {} | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u)"


@pytest.fixture
def two_hosts(project, rack):
    """The recipe, and an inventory with a receiver and a sender."""
    shutil.copytree(CHECKOUT / "recipes", project / "recipes")
    groups = {"traffic_receiver": {"hosts": {"r01": {}}}, "traffic_sender": {"hosts": {"r02": {}}}}
    (project / "groups.yml").write_text(json.dumps(groups))
    return ("recipes/live_convergence.yml", "-i", rack.inventory, "-i", "groups.yml", "--limit", "r01,r02")


def run(words, **params):
    given = [word for name, value in params.items() for word in ("--param", f"{name}={json.dumps(value)}")]
    return rack_recipes("run", *words, "--serve", "--json", *given)


def test_a_gap_is_seen_and_judged(two_hosts, rack):
    address = rack.members["r01"].address
    commands = {word: ["sh", "-c", SENDER.format(sign, address)] for word, sign in (("down", "STOP"), ("up", "CONT"))}
    done = run(two_hosts, **commands, hold=60, max_gap_ms=1)
    found = results()
    step = found.steps["receive", "r01"]
    assert step["verdict"] == "failed", found.steps
    assert "no packet came for " in step["reason"], step["reason"]
    assert done.answer["counts"] == {"failed": 1, "passed": 2}
    values = {name: value for step, host, name, value, unit in found.measurements}
    assert values["gaps"] == 1
    assert values["gap"] >= values["back"] >= 100


def test_a_stream_that_nothing_disturbs(two_hosts):
    done = run(two_hosts, hold=0.2, rate=200, max_gap_ms=60_000, max_lost_percent=100)
    assert done.answer["counts"] == {"passed": 3}, results().steps
    assert results().context["traffic.received_v1", "r01"]["received"] > 1
