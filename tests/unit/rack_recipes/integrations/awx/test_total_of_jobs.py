# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.integrations.awx.total_of_jobs import total_of


def part(job: str = "1", hosts: tuple[str, ...] = ("h1",), **more: object) -> dict[str, object]:
    told = {
        "job": job,
        "run_id": f"R{job}",
        "status": "passed",
        "counts": {"passed": 2},
        "hosts": [*hosts],
        "causes": [],
    }
    return {**told, "report": f"http://x/R{job}/report.html", "report_error": "", **more}


def test_parts_that_passed():
    found = total_of(
        [part("1", ("h1", "h3")), part("2", ("h2",), counts={"passed": 1, "skipped": 1})], ["h1", "h2", "h3"]
    )
    assert found == {
        "status": "passed",
        "counts": {"passed": 3, "skipped": 1},
        "hosts": 3,
        "runs": ["R1", "R2"],
        "reports": ["http://x/R1/report.html", "http://x/R2/report.html"],
        "causes": [],
        "problems": [],
    }


@pytest.mark.parametrize(
    ("parts", "hosts", "status", "problem"),
    [
        ([], ["h1"], "incomplete", "no job of this workflow has told of a run: look at its jobs, and whether they ran"),
        ([part()], ["h1", "h2"], "incomplete", "h2 is in no part of the run: a job was killed, or never began"),
        ([part()], [f"h{n}" for n in range(1, 9)], "incomplete", "h2, h3, h4, h5, h6 and 2 more are in no part"),
        ([part("1"), part("2")], ["h1"], "passed", "h1 is in several parts of the run"),
        ([part(report_error="no room")], ["h1"], "passed", "job 1: no room"),
    ],
)
def test_what_is_wrong_with_the_whole_is_said(parts, hosts, status, problem):
    found = total_of(parts, hosts)
    assert found["status"] == status
    assert [one[: len(problem)] for one in found["problems"]] == [problem]


def test_a_part_that_did_not_pass_decides():
    causes = ["link failed on every host (2 of 2)"]
    parts = [part("1"), part("2", ("h2",), status="unreachable", causes=causes), part("3", ("h3",), causes=causes)]
    found = total_of(parts, ["h1", "h2", "h3", "h4"])
    assert (found["status"], found["causes"]) == ("unreachable", causes)


def test_a_part_that_could_not_be_stored_has_not_passed():
    lost = {"job": "4", "run_id": "", "status": "not stored", "counts": {}, "hosts": ["h1"], "causes": [], "report": ""}
    found = total_of([{**lost, "report_error": "there is no report: the database is away"}], ["h1"])
    assert (found["status"], found["runs"]) == ("not stored", [])
    assert found["problems"] == ["job 4: there is no report: the database is away"]
