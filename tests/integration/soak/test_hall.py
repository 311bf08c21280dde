# SPDX-License-Identifier: GPL-3.0-or-later

"""A hall that nobody here wrote, judged by recipes/hall.yml and by a peer, turnup-check.

`make test` tries a healthy hall and one with several faults at once. `make soak` tries every kind of fault three times
and twenty pairs, and writes docs/hall.json and docs/hall-comparison.md.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hall_faults import KINDS, Draw, Fault, pairs
from hall_judges import INVENTORY, Judgement, alone, missed, ours, theirs
from hall_page import TIME, page
from virtual_racks import copy_recipes

import reliability_sweeps
from call_rack_recipes import CHECKOUT, call, rack_recipes
from simulated_hall import SimulatedHall

FIGURES, PAGE = CHECKOUT / "docs" / "hall.json", CHECKOUT / "docs" / "hall-comparison.md"
TRIES, PAIRS, HEALTHY, ROUNDS = 3, 20, 3, 5
SLICE = ("wrong_port", "gpu_unhealthy", "partial_redfish", "coolant_leak", "pdu_outlet_off", "lldp_port_id_mac")


@pytest.fixture(scope="module")
def hall() -> Iterator[SimulatedHall]:
    """hall-b, healthy."""
    with SimulatedHall() as started:
        yield started


@pytest.fixture
def judged(project: Path, hall: SimulatedHall) -> Iterator[Path]:
    """A project with our recipes and scriptlets, and the hall healthy again afterwards."""
    copy_recipes(project)
    yield project
    hall.heal()


@dataclass
class Tries:
    """What the tries of one kind of fault came to, for each of the two judges."""

    done: int = 0
    found: dict[str, int] = field(default_factory=lambda: {"ours": 0, "theirs": 0})
    wrong: dict[str, int] = field(default_factory=lambda: {"ours": 0, "theirs": 0})
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "theirs": []})
    cpu: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "theirs": []})
    said: dict[str, str] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)

    def add(self, faults: Sequence[Fault], our: Judgement, their: Judgement) -> None:
        """Count one try."""
        self.done += 1
        touched = {device for fault in faults for device in (*fault.at, *fault.also)}
        for name, judgement in (("ours", our), ("theirs", their)):
            texts = [_said(judgement, fault) for fault in faults if fault.at]
            self.found[name] += all(texts)
            self.said.setdefault(name, next(filter(None, texts), ""))
            self.wrong[name] += sum(each.device not in touched for each in judgement.findings)
            self.seconds[name].append(judgement.seconds)
            self.cpu[name].append(judgement.cpu)
            if name == "ours" and not all(texts):
                self.misses.append(json.dumps([dict(fault.body) for fault in faults]))
        self.missed += [f"{each.device} {each.about} {each.part}: {each.text}" for each in missed(our, their)]

    def figures(self) -> dict[str, Any]:
        """What is kept."""
        spent = {"seconds": self.seconds, "cpu": self.cpu}
        rounded = {what: {name: [round(each, 2) for each in own[name]] for name in own} for what, own in spent.items()}
        return {
            "tries": self.done, "found": self.found, "wrong": self.wrong, "said": self.said, "missed": self.missed,
            **rounded,
        }  # fmt: skip


def _said(judgement: Judgement, fault: Fault) -> str:
    """What a judge says of a fault on every device of it; "" where it does not."""
    texts = [judgement.says(device, fault.words) for device in sorted(fault.at)]
    return texts[0] if all(texts) else ""


def tried(hall: SimulatedHall, tries: Tries, *faults: Fault) -> None:
    """Put the faults into the healthy hall, judge it by both, and count."""
    hall.heal()
    for fault in faults:
        hall.break_(fault.body)
    tries.add(faults, ours(hall.netbox), theirs(hall.netbox))


def draw(hall: SimulatedHall, name: str) -> Draw:
    """Faults of one test. Each test has its own, so that its draws do not depend on which others ran."""
    return Draw(hall.intent(), random.Random(f"{reliability_sweeps.seed()} {name}"))


@pytest.mark.repeats  # a hall with several faults
def test_a_healthy_hall_has_no_findings(hall: SimulatedHall, judged: Path) -> None:
    tries = Tries()
    for _number in range(reliability_sweeps.count(1, HEALTHY)):
        tried(hall, tries)
    _keep("healthy hall", tries)
    assert tries.wrong == {"ours": 0, "theirs": 0}


def test_the_importer_reads_the_same_plan(hall: SimulatedHall, judged: Path) -> None:
    done = rack_recipes("cabling", "import", hall.netbox, "--inventory-file", "cables.yml", NETBOX_TOKEN="simulated")
    assert done.code == 0, done.stderr
    imported = yaml.safe_load(Path("cables.yml").read_text(encoding="utf-8"))["all"]["hosts"]
    listed = call(sys.executable, INVENTORY, NETBOX_URL=hall.netbox).answer["_meta"]["hostvars"]
    nodes = {name: own["cables"] for name, own in listed.items() if "cables" in own}
    assert nodes == {name: imported[name]["cables"] for name in nodes}
    assert sum(map(len, nodes.values())) == len(hall.intent()["cables"])


@pytest.mark.repeats  # test_switches.py, and what is captured of Arista for the unit tests of scriptlets
def test_switches_of_another_vendor_are_read_too(judged: Path) -> None:
    source = {"kind": "wrong_port", "cable": "CBL-12-07-03", "to_device": "leaf4", "to_interface": "Ethernet22"}
    with SimulatedHall(arista=True) as other:
        other.break_(source)
        other.break_({"kind": "lldp_port_id_mac", "leaf": "leaf3"})
        (finding,) = ours(other.netbox).findings
    assert (finding.device, finding.about) == ("node7", "links")
    assert ": move the cable at leaf4 from port 22 to port 21 [leaf4 Ethernet21: down, sees nobody; " in finding.text


def test_several_faults_at_once_are_found_where_they_are(hall: SimulatedHall, judged: Path) -> None:
    tries, source = Tries(), draw(hall, "several")
    faults: list[Fault] = []
    for kind in SLICE:
        faults.append(next(one for one in iter(lambda kind=kind: source.of(kind), None) if _is_apart(one, faults)))
    tried(hall, tries, *faults)
    assert (tries.misses, tries.missed, tries.wrong["ours"]) == ([], [], 0)


def _is_apart(fault: Fault, others: Sequence[Fault]) -> bool:
    """Whether no other fault is on the same device. A leaf that says addresses for names is fine with all."""
    return not any(fault.at & other.at for other in others)


@pytest.mark.skipif(not reliability_sweeps.is_whole(), reason="a sweep of make soak")
def test_how_long_a_healthy_hall_takes(judged: Path) -> None:
    before, spent = alone(), Tries()
    with SimulatedHall(before) as quiet:
        for _number in range(ROUNDS):
            spent.add((), ours(quiet.netbox, before), theirs(quiet.netbox, before))
    _keep(TIME, spent)
    assert spent.wrong == {"ours": 0, "theirs": 0}


@pytest.mark.skipif(not reliability_sweeps.is_whole(), reason="a sweep of make soak")
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_found_where_it_is(hall: SimulatedHall, judged: Path, kind: str) -> None:
    tries, source = Tries(), draw(hall, kind)
    for _number in range(TRIES):
        tried(hall, tries, source.of(kind))
    _keep(kind, tries)
    assert (tries.misses, tries.missed, tries.wrong["ours"]) == ([], [], 0)


@pytest.mark.skipif(not reliability_sweeps.is_whole(), reason="a sweep of make soak")
def test_two_faults_at_once_are_both_found(hall: SimulatedHall, judged: Path) -> None:
    tries = Tries()
    for pair in pairs(draw(hall, "pairs"), PAIRS):
        tried(hall, tries, *pair)
    _keep("two at once", tries)
    assert (tries.misses, tries.missed, tries.wrong["ours"]) == ([], [], 0)


def _keep(name: str, tries: Tries) -> None:
    """Write the figures of a whole sweep, and the page."""
    if not reliability_sweeps.is_whole():
        return
    figures = {**tries.figures(), "load": round(os.getloadavg()[2], 1)}
    PAGE.write_text(page(reliability_sweeps.keep(FIGURES, name, figures)), encoding="utf-8")


def test_the_page_is_made_of_the_figures() -> None:
    known = json.loads(FIGURES.read_text(encoding="utf-8"))
    assert PAGE.read_text(encoding="utf-8") == page(known)
