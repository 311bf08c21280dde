# SPDX-License-Identifier: GPL-3.0-or-later

"""Which faults of a virtual rack our recipes find, where, and what they say wrongly.

`make soak` tries every fault several times, pairs of faults, and healthy racks, and writes docs/detection.md.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from virtual_racks import NEEDS_ROOT, copy_recipes

import reliability_sweeps
from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from call_rack_recipes import CHECKOUT, rack_recipes, results
from rack_recipes.lab import node_files
from rack_recipes.lab.faults import FAULTS, break_rack, heal_rack
from rack_recipes.lab.rack_state import FOLDER, RackState, load_state
from rack_recipes.lab.start_rack import down, up
from rack_recipes.lab.topology import build

pytestmark = NEEDS_ROOT

EXPECTED: Mapping[str, Mapping[str, Any]] = yaml.safe_load(Path(__file__).with_name("detection.yml").read_text())
FIGURES, PAGE = CHECKOUT / "docs" / "detection.json", CHECKOUT / "docs" / "detection.md"
OTHERS = CHECKOUT / "docs" / "detection_of_other_faults.json"
SLICE = ("failing-disk",)
ROUNDS, PAIRS, HEALTHY = 5, 20, 20
PAGE_OF_SERVERS = hashlib.sha256(node_files.PAGE.encode()).hexdigest()


@dataclass(frozen=True)
class Recipe:
    """One recipe as it runs over a rack: the further words of the command, and the least number of its results.

    `outside` are steps that see the machine below the rack, and nothing of a node. `file` is the recipe's name where it
    has another one.
    """

    words: Sequence[str]
    least: int
    outside: Sequence[str] = ()
    file: str = ""


def _on_servers(**params: str) -> Sequence[str]:
    given = [word for name, value in params.items() for word in ("--param", f"{name}={value}")]
    return ("-l", "servers", *given)


FABRIC = "fabric"
RECIPES: Mapping[str, Recipe] = {
    FABRIC: Recipe(
        ("-e", "kernel_log=/var/log/kern.log", "-e", "disk=/srv/disk", "-e", "max_flaps=3",
         "-e", "rack_recipes_reconnect_timeout=15"),
        100,
    ),
    "bmc": Recipe(("-e", "power_cycle=false"), 50),
    "bmc with power cycles": Recipe((), 70, file="bmc"),
    "power": Recipe(("-e", "power_cycle=false", "-e", "interval=1"), 40),
    "storage": Recipe(
        _on_servers(folder="/srv/disk", expected="{/srv/disk: ext4}", size_mib="32", seconds="1"),
        31, outside=("smart", "nvme"),
    ),
    "compute": Recipe(_on_servers(root=node_files.PLACE, memory_mib="4", array_mib="64", seconds="1"), 39),
    "golden_host": Recipe(
        (*_on_servers(root=node_files.PLACE, kernel_log="dmesg"), "--skip", "services",
         "-e", "hardware_golden={{ parts_golden }}"),
        39,
    ),
    "host_health": Recipe(_on_servers(path="/srv/disk"), 31),
    "host_setup": Recipe(_on_servers(large_pieces_mib="1", write="[/srv/disk]"), 31, outside=("clock_source",)),
    "service_checks": Recipe(
        _on_servers(
            url="http://localhost/index.html", page=node_files.PAGE.strip(),
            digests=f"{{{node_files.PAGES}/index.html: {PAGE_OF_SERVERS}}}",
        ),
        39,
    ),
}  # fmt: skip

HEAD = """\
# Detection

Our recipes over the [virtual rack](virtual-rack.md), each time a new rack of 2 spines, 4 leaves and 8 servers, and all
of them over a healthy rack. *Found* means that the results that have to name the fault did not pass. *Wrong findings*
are results that did not pass although the fault does not concern them. `make soak` writes this page;
`tests/integration/soak/detection.yml` says what is expected of each fault.

`disk.smart` and `disk.nvme` have no row: they ask drives, and a disk of the rack is none. `host.services` has none: the
nodes have no systemd. Unit tests hold these, on what the tools really said.

| fault | at | recipes | tries | found | tries with wrong findings | seconds of a run |
| --- | --- | --- | --- | --- | --- | --- |
"""


HEAD_OF_OTHERS = """\
## Faults that stand on no list

Made by hand in a rack with the commands of the table, and healed again. *Found by* are the steps that did not pass,
with `marginal` where that is all. *Named first* says whether the first line of `rack-recipes analyse` names the node
that the fault is at, or the other end of its cable. `tests/integration/soak/test_other_faults.py` makes them. *In* are
those of the recipes `fabric`, `nightly`, `acceptance`, `host_setup` and `storage` that have one of these steps.

| fault | at | made by | found by | in | named first |
| --- | --- | --- | --- | --- | --- |
"""
NOT_FOUND = """\
What would be needed for those that no recipe finds, or names, and for some that the rack cannot have:

- *Small receive buffers* (`net.ipv4.tcp_rmem`). `host_setup` judges the settings of the kernel that its parameter
  `kernel_settings` names, and no others.
- *A setting that is marginal* (`rp_filter`, timers of BGP). Such results stand in the run and make no first line.
- *A spine that drops a part of what passes.* The pairs say that it is between the leaves. Nothing counts what a rule
  for packets drops.
- *A slow port of a server.* Those that send to it lose long frames (`reach`), and the first line names what these have
  in common. Tests under load name the port (`fabric_load`, `acceptance`).
- *A host route that another router announces.* The pairs name the server that is lost. A step would have to know which
  networks each router may announce; host routes are usual in some fabrics.
- *Two servers with one MAC address.* The pairs name both leaves. The leaf's table of neighbours tells it; but several
  addresses of one MAC are usual elsewhere.
- *Constant delay, jitter or duplicates at a port.* `fabric.mesh` measures delay and jitter and judges them with
  `max_p99_ms` and `max_jitter_ms`; what is usual differs from network to network, so there is no default. The kernel of
  the rack has no `netem` to make such faults.
"""


@dataclass
class Tries:
    """What the tries of one fault, or of one kind of rack, came to."""

    at: str
    recipes: Sequence[str]
    done: int = 0
    found: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    tries_with_wrong: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, failed: Mapping[str, str], must: set[str], may: set[str], seconds: float) -> None:
        """Count one run; `failed` are its results that did not pass, each with its reason."""
        named = {place for places in must for place in places.split("|")}
        extra = {place: failed[place] for place in {*failed} - named if place.partition("/")[2] not in may}
        self.done += 1
        self.found += all({*failed} & set(places.split("|")) for places in must)
        self.tries_with_wrong += bool(extra)
        self.wrong.update({*extra})
        self.reasons |= extra
        self.seconds.append(seconds)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with our recipes and scriptlets, in which a rack runs at last."""
    folder = tmp_path_factory.mktemp("detection")
    copy_recipes(folder)
    yield folder
    down(folder / FOLDER)


@pytest.fixture
def rack(place: Path, monkeypatch: pytest.MonkeyPatch) -> RackState:
    """A rack without faults whose leaves know all ways, in the working folder; for a sweep a new one."""
    monkeypatch.chdir(place)
    started = None if reliability_sweeps.is_whole() else load_state()
    return heal_rack(started)[0] if started else new_rack()


def new_rack() -> RackState:
    """Start a new rack instead of the one that is there."""
    down()
    state = up(build())
    time.sleep(3)  # LLDP tells its neighbours every second
    return state


def failed_results(recipes: Sequence[str]) -> tuple[dict[str, str], float]:
    """Run recipes; returns the reasons of the results that did not pass, by HOST/STEP, and the seconds that it took."""
    started = time.monotonic()
    failed: dict[str, str] = {}
    for recipe in recipes:
        own = RECIPES[recipe]
        done = rack_recipes(
            "run", f"recipes/{own.file or recipe}.yml", "-i", ".rack-recipes/rack/inventory.yml", *own.words
        )
        assert done.code in (0, 1, 3), done.stderr
        found = results(done.answer["run_id"]).steps
        assert len(found) > own.least
        bad = {place: step for place, step in found.items() if step["verdict"] not in HARMLESS}
        failed |= {f"{host}/{step}": told["reason"] for (step, host), told in bad.items() if step not in own.outside}
    return failed, time.monotonic() - started


def recipes_of(*names: str) -> Sequence[str]:
    """The recipes that have to find these faults."""
    return sorted({recipe for name in names for recipe in EXPECTED[name].get("recipes", [FABRIC])})


def test_every_fault_has_an_expectation() -> None:
    assert set(EXPECTED) == set(FAULTS) - {"reboot"}


@pytest.mark.repeats  # a rack with one fault
def test_a_healthy_rack_has_no_findings(rack: RackState) -> None:
    recipes = [*RECIPES]
    tries = Tries("-", recipes)
    for number in range(reliability_sweeps.count(1, HEALTHY)):
        if number:
            new_rack()
        tries.add(*_of_run(failed_results(recipes)))
    _keep("healthy rack", tries)
    assert not tries.reasons


def _of_run(run: tuple[Mapping[str, str], float], *names: str) -> tuple[Mapping[str, str], set[str], set[str], float]:
    must = {place for name in names for place in EXPECTED[name]["must"]}
    may = {step for name in names for step in EXPECTED[name]["may"]}
    away = {EXPECTED[name]["at"] for name in names if EXPECTED[name].get("away")}
    said = {place: why for place, why in run[0].items() if place in must or place.partition("/")[0] not in away}
    return said, must, may, run[1]


@pytest.mark.repeats  # test_acceptance.py: this fault in a rack, and a healthy rack
@pytest.mark.parametrize("name", EXPECTED if reliability_sweeps.is_whole() else SLICE)
def test_a_fault_is_found_where_it_is(rack: RackState, name: str) -> None:
    tries = Tries(EXPECTED[name]["at"], recipes_of(name))
    for number in range(reliability_sweeps.count(1, ROUNDS)):
        state = new_rack() if number else rack
        if EXPECTED[name].get("open"):
            assert not failed_results(recipes_of(name))[0]
        break_rack(state, name, EXPECTED[name]["at"])
        tries.add(*_of_run(failed_results(recipes_of(name)), name))
    _keep(name, tries)
    assert tries.found == tries.done
    assert not tries.reasons


@pytest.mark.skipif(not reliability_sweeps.is_whole(), reason="a sweep of make soak")
def test_two_faults_at_once_are_both_found(rack: RackState) -> None:
    chance = random.Random(reliability_sweeps.seed())
    tries = Tries("two places", ["those of both"])
    missed: list[Sequence[str]] = []
    pairs = [pair for pair in combinations(EXPECTED, 2) if len({EXPECTED[name]["at"] for name in pair}) == 2]
    for pair in chance.sample(pairs, PAIRS):
        state = new_rack()
        for name in pair:
            state, _broken = break_rack(state, name, EXPECTED[name]["at"])
        before = tries.found
        tries.add(*_of_run(failed_results(recipes_of(*pair)), *pair))
        missed += [pair] if tries.found == before else []
    _keep("two at once", tries)
    assert not missed


def _keep(name: str, tries: Tries) -> None:
    """Write the figures of a whole sweep, and the page."""
    if not reliability_sweeps.is_whole():
        return
    seconds = sorted(tries.seconds)
    figures = {
        "at": tries.at,
        "recipes": tries.recipes,
        "tries": tries.done,
        "found": tries.found,
        "tries_with_wrong": tries.tries_with_wrong,
        "wrong": dict(tries.wrong),
        "reasons": tries.reasons,
        "seconds": round(seconds[len(seconds) // 2], 1),
    }
    PAGE.write_text(page(reliability_sweeps.keep(FIGURES, name, figures)))


def page(known: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of documentation, made of the figures."""
    rows = [_row(name, known[name]) for name in sorted(known)]
    days = sorted({own["when"][:10] for own in known.values()})
    seeds = sorted({own["seed"] for own in known.values()})
    end = f"Measured on {', '.join(days)}, with the seeds {', '.join(map(str, seeds))}."
    return "\n".join([HEAD.rstrip(), *rows, "", end, "", *other_faults()])


def other_faults() -> Iterator[str]:
    """The table of faults that were made by hand."""
    faults = json.loads(OTHERS.read_text())
    yield HEAD_OF_OTHERS.rstrip()
    for each in faults:
        found = ", ".join(each["found_by"]) or "nothing"
        made, recipes = each["made_by"].replace("|", "\\|"), ", ".join(each["recipes"])
        yield f"| {each['fault']} | {each['at']} | `{made}` | {found} | {recipes} | {each['named_first']} |"
    found_count = sum(bool(each["found_by"]) for each in faults)
    first = sum(each["named_first"] == "yes" for each in faults)
    by = Counter(each["by"] for each in faults)
    tried = ", ".join(f"{count} by {recipes}" for recipes, count in by.items())
    days = " and ".join(sorted({each["when"] for each in faults}))
    yield ""
    yield f"{found_count} of {len(faults)} were found, and {first} were named first, on {days}: {tried}."
    yield f"\n{NOT_FOUND.rstrip()}\n"


def _row(name: str, own: Mapping[str, Any]) -> str:
    reasons = {place: f", {why}".replace("|", "/") for place, why in own.get("reasons", {}).items()}
    wrong = ", ".join(f"{place} ({count}{reasons.get(place, '')})" for place, count in sorted(own["wrong"].items()))
    said = f"{own['tries_with_wrong']}{f': {wrong}' if wrong else ''}"
    found = "-" if name == "healthy rack" else own["found"]
    recipes = ", ".join(own["recipes"])
    return f"| {name} | {own['at']} | {recipes} | {own['tries']} | {found} | {said} | {own['seconds']} |"


def test_the_page_is_made_of_the_figures() -> None:
    assert not FIGURES.exists() or PAGE.read_text() == page(json.loads(FIGURES.read_text()))
