# SPDX-License-Identifier: GPL-3.0-or-later

"""The same runs give the same findings, tables and reports, whichever database holds them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import (
    Night,
    latency,
    run_id,
    write_journal,
)
from rack_recipes.report.make_report import make
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import import_journal

if TYPE_CHECKING:
    from database_servers import MariaDB, PostgreSQL

RUNS, SHIFTED, LEAF = 12, 8, "leaf1"
FORMATS = ("html", "csv", "md-full", "json", "junit")
HOSTS = {
    **{f"r{number}": {"leaf": f"leaf{number % 4}", "model": "X1", "position": number} for number in range(1, 17)},
    "R1": {"leaf": "leaf0", "model": "X1"},
    "r1\u00e9 ": {"leaf": "leaf2", "model": "X1"},
}
"""Names that differ in case, in an accent and in a space at the end: some databases take such for equal."""

OTHERS = {"ports": 2**70, "is_up": True, "Ports": 3}


def _nights() -> Iterator[Night]:
    noise = random.Random(15)
    for number in range(1, RUNS + 1):
        is_last = number == RUNS
        bad = {host for host, own in HOSTS.items() if own["leaf"] == LEAF} if is_last else set()
        level = 100.0 + 30.0 * (number >= SHIFTED)
        measured: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for host in HOSTS:
            value = noise.gauss(level, 1.0) + 50.0 * (is_last and host == "r6")
            judged = {"limits": {"max": 140}, "distance": 140 - value, "verdict": "failed" if value > 140 else "passed"}
            others = [
                {"name": "ports", "value": 2**70},
                {"name": "is_up", "value": True},
                {"name": "Ports", "value": 3},
            ]
            measured["link", host] = [*latency(value, **judged), *others]
            measured["Link", host] = latency(noise.random() * 1e-9)
        yield Night(
            measured,
            {("link", host): "failed" for host in bad},
            {(host, "links.seen_v1"): {"eth0": {"mtu": 9000, "peer": HOSTS[host]["leaf"]}} for host in HOSTS}
            | {(host, "power.psu_v1"): {"watts": noise.gauss(300, 2), "serial": f"S-{host}"} for host in HOSTS},
            HOSTS,
            fields={("link", "r7"): {"flake": True, "attempts": [{"verdict": "failed", "reason": "?"}, {}]}},
        )


def _told(url: str, journals: list[Path], folder: Path) -> dict[str, Any]:
    """The report's files by name, the findings that were stored with it, and which rows are flakes."""
    store = connect_store(url)
    try:
        for journal in journals:
            import_journal(store, journal)
        files = make(store, run_id(RUNS), folder, FORMATS, url)
        findings = [{**row, "time": ""} for row in recorded_runs.findings(store, run_id(RUNS))]
        flakes = [(row["step"], row["host"], row["flake"]) for row in recorded_runs.steps(store, run_id(RUNS))]
    finally:
        store.dispose()
    return {**{path.name: path.read_bytes() for path in files}, "findings": findings, "flakes": flakes}


def test_the_same_runs_give_the_same_report_on_every_database(
    emptied: MariaDB, cleared: PostgreSQL, tmp_path: Path
) -> None:
    journals = [tmp_path / run_id(number) / "journal.jsonl" for number in range(1, RUNS + 1)]
    for number, (path, night) in enumerate(zip(journals, _nights(), strict=True), 1):
        write_journal(path, number, night)
    urls = {"sqlite": f"sqlite:///{tmp_path}/results.db", "mariadb": emptied.url, "postgresql": cleared.url}
    told = {name: _told(url, journals, tmp_path / name) for name, url in urls.items()}
    kinds = {row["kind"] for row in told["sqlite"]["findings"]}
    assert {"cause", "change_point", "outlier", "flake"} <= kinds, kinds
    for name in ("mariadb", "postgresql"):
        different = [part for part, value in told["sqlite"].items() if told[name][part] != value]
        assert not different, f"{name}: {different}"
