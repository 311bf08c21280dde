# SPDX-License-Identifier: GPL-3.0-or-later

"""All that shows or joins several verdicts says the same: maps, tables, pages, files, counts, tests between hosts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import RUNS, ServedSite
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import store_runs
from rack_recipes.analysis.run_data import load_run_data
from rack_recipes.journal.step_results_and_end_status import counts_in_words
from rack_recipes.plan.members.match_members import MemberTest
from rack_recipes.report.charts.heat_map import gather_rows, pair_matrix
from rack_recipes.report.page import hosts_by_rack
from rack_recipes.report.table_model import named
from rack_recipes.report.tables.all_tables import tables
from rack_recipes.report.writers import ocp
from rack_recipes.report.writers.junit_and_ocp_results import OUTCOMES, SKIP, outcome_of
from rack_recipes.run.stage.member_test import RunningTest, own_record
from rack_recipes.web.page_source import LiveRun

STEPS = ("a", "b")
GRAVEST = {
    f"{first}.{second}": worse
    for worse, other in combinations(VERDICTS, 2)
    for first, second in ((worse, other), (other, worse))
}
"""By host the graver one of its two verdicts: `failed.passed` failed at the first step and passed the second."""


@pytest.fixture
def served(project: Path) -> Iterator[ServedSite]:
    """The pages of a project with one run, in which each two verdicts meet on a host, in both orders."""
    run = store_runs(
        Night(
            verdicts={
                (step, host): told for host in GRAVEST for step, told in zip(STEPS, host.split("."), strict=True)
            },
            attributes={host: {"rack": gravest} for host, gravest in GRAVEST.items()},
        )
    )
    with ServedSite() as served:
        served.run = run
        yield served


def of_hosts(rows: list[Mapping[str, Any]]) -> dict[str, str]:
    return {row["host"]: row["verdict"] for row in rows}


def test_pages_and_reports_agree_about_each_host_and_rack(served: ServedSite) -> None:
    (run,) = (folder.name for folder in RUNS.iterdir())
    assert of_hosts(served.data(f"/runs/{run}/hosts")["hosts"]["rows"]) == GRAVEST
    assert of_hosts(served.data(f"/runs/{run}/rack")["places"]["rows"]) == GRAVEST
    assert of_hosts(served.data("/hosts")["hosts"]["rows"]) == GRAVEST
    report = named(tables(load_run_data(served.source.store(), run)))
    assert of_hosts(report["hosts"].records()) == GRAVEST
    assert {one.host: one.verdict for one in hosts_by_rack.places(report["hosts"])} == GRAVEST
    heat = gather_rows(report["matrix"], GRAVEST.__getitem__)
    for row in heat.rows:
        assert min(row[1:], key=[*VERDICTS].index) == row[0]
    racks = re.findall(rb'<li class="v-([a-z]+)"><a href="[^"]+"><b>([a-z]+)</b>', served.ask("/runs", "admin").text)
    assert len(racks) == len(VERDICTS) - 1
    assert all(own == rack for own, rack in racks)
    live = LiveRun(RUNS / run).told()["hosts"]
    assert of_hosts(live) == {row["host"]: GRAVEST[row["host"]] for row in live}
    for path in ocp.write([*report.values()], Path()):
        end = json.loads(path.read_text().splitlines()[-1])["testRunArtifact"]["testRunEnd"]
        judged = [own for own in path.stem.split(".") if outcome_of(own) != SKIP]
        outcome = outcome_of(GRAVEST[path.stem]) if len(judged) == 2 else outcome_of([*judged, "skipped"][0])
        assert end["status"] == OUTCOMES[outcome].ocp_status, path


def test_counts_in_words_name_the_gravest_first() -> None:
    counts = dict.fromkeys(sorted(VERDICTS), 1200)
    assert counts_in_words({**counts, "odd": 1, "none": 0}) == ", ".join(
        ["1 odd", *(f"1,200 {own}" for own in VERDICTS)]
    )


@pytest.mark.parametrize(("host", "gravest"), GRAVEST.items())
def test_a_test_between_hosts_and_a_pair_on_the_map_have_the_gravest_verdict(host: str, gravest: str) -> None:
    told = host.split(".")
    running = RunningTest.of(MemberTest(STEPS), "link[x]", 1, serves=True)
    for member, verdict in zip(STEPS, told, strict=True):
        running.records[member] = own_record(member, 1, "link[x]", verdict, "")
        running.ended(member)
    assert running.result({"host": ""}, "now", 1.0)["verdict"] == gravest
    rows = pair_matrix([{"members": STEPS, "verdict": verdict} for verdict in told], "link").rows
    assert rows == (("a", None, gravest), ("b", gravest, None))
