# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of cabling plans that ask no host: what is written, what is refused, what the answer says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.cabling.compare_and_learn import Comparison, Finding, Seen
from rack_recipes.cabling.plan_model import Cable, CablingPlan, End
from rack_recipes.cli.cabling import NeighbourAnswers, _code_of, seen_by

LINKS = "StartDevice,StartPort,EndDevice,EndPort\nleaf1,e1,spine1,e1\nleaf1,e2,spine2,e1\n"
WRITTEN = "- a: leaf1:e1\n  b: spine1:e1\n- a: leaf1:e2\n  b: spine2:e1\n"


@pytest.fixture
def links(project: Path) -> Path:
    path = project / "links.csv"
    path.write_text(LINKS)
    return path


def test_a_plan_is_written(links: Path):
    done = call("cabling", "import", "links.csv", "--inventory-file", "cables.yml")
    assert (done.code, done.out) == (0, "2 cables\ncabling.yml  written\ncables.yml  written\n")
    assert Path("cabling.yml").read_text() == WRITTEN
    assert "spine2:\n      cables:\n        e1: leaf1:e2\n" in Path("cables.yml").read_text()
    assert call("cabling", "import", "links.csv").out == "2 cables\ncabling.yml  unchanged\n"


def test_what_changes_is_shown_and_only_written_where_that_is_asked_for(links: Path):
    plan = Path("cabling.yml")
    plan.write_text("- {a: 'leaf1:e1', b: 'spine9:e1'}\n")
    before = plan.read_text()
    refused = call("cabling", "import", "links.csv", "--inventory-file", "cables.yml")
    assert refused.code == 1
    assert "-- {a: 'leaf1:e1', b: 'spine9:e1'}\n+- a: leaf1:e1\n" in refused.err
    assert refused.out.endswith("nothing is written: --overwrite writes what is shown above\n")
    assert plan.read_text() == before
    assert not Path("cables.yml").exists()
    done = call("cabling", "import", "links.csv", "--overwrite")
    assert done.code == 0
    assert "+- a: leaf1:e1\n" in done.err
    assert plan.read_text() == WRITTEN


def test_the_answer_as_json(links: Path):
    Path("cabling.yml").write_text("- {a: 'leaf1:e1', b: 'spine9:e1'}\n")
    done = call("cabling", "import", "links.csv", "--json")
    assert done.code == 1
    assert done.answer["status"] == "differs"
    assert done.answer["files"] == {"cabling.yml": "would change"}
    assert "spine9" in done.answer["diffs"]["cabling.yml"]
    assert call("cabling", "import", "links.csv", "-o", "new.yml", "--json").answer == {
        "status": "ok",
        "cables": 2,
        "files": {"new.yml": "written"},
        "diffs": {},
        "left_out": {},
    }


def test_what_is_left_out_is_told(project: Path):
    Path("x.csv").write_text(
        "Device A,Termination A,Device B,Termination B,Status\na,1,b,1,Connected\na,2,b,2,Planned\n"
    )
    assert call("cabling", "import", "x.csv").err == "left out: 1 with status Planned\n"


def test_a_faulty_plan_is_an_error_of_the_command(project: Path):
    Path("x.csv").write_text(f"{LINKS}leaf1,e1,spine3,e1\n")
    done = call("cabling", "import", "x.csv", "--json")
    assert done.code == 2
    assert "x.csv:4:1: expected port leaf1:e1 once (first at x.csv:2:1" in done.answer["reason"]
    assert not Path("cabling.yml").exists()


def test_a_plan_without_cables_is_not_checked(project: Path):
    Path("cabling.yml").write_text("cables: []\n")
    assert call("cabling", "check").err == "cabling.yml: expected cables, got none\n"


def test_without_a_plan_there_is_nothing_to_check(project: Path):
    done = call("cabling", "check")
    assert done.code == 2
    assert done.err.startswith("cabling.yml: expected a file that can be read")


PLAN = CablingPlan((Cable(End("leaf1", "et-0/0/0:1"), End("server1", "eth1")),))


def test_the_names_of_lldp_become_those_of_the_plan():
    told = {
        "leaf1.dc.example": {"et-0/0/0:1": {"peer": "server1.dc.example", "peer_port": "eth1"}},
        "server1": {
            "eth1": {"peer": "leaf1.dc.example:et-0/0/0", "peer_port": "1", "others": ["odd:one:1"]},
            "eth0": {"peer": "mgmt", "peer_port": "7"},
            "eth2": {"expected_peer": "leaf1", "expected_port": "x"},
        },
    }
    seen = seen_by(told, PLAN, ["eth0", "et-*"])
    assert seen == Seen(
        frozenset(("leaf1", "server1")),
        {
            End("leaf1", "et-0/0/0:1"): (End("server1", "eth1"),),
            End("server1", "eth1"): (End("leaf1", "et-0/0/0:1"), End("odd:one", "1")),
            End("server1", "eth2"): (),
        },
    )


FINDING = Finding("missing", "", "", ())


@pytest.mark.parametrize(
    ("findings", "silent", "run", "code"),
    [
        ((), [], 0, 0),
        ((), [], 1, 0),  # the step is stricter with names
        ((), [], 5, 5),
        ((FINDING,), [], 1, 1),
        ((FINDING,), ["unreachable"], 3, 1),
        ((), ["unreachable"], 3, 3),
        ((), ["unreachable", "error"], 3, 1),
        ((), ["error"], 1, 1),
    ],
)
def test_the_exit_code(findings: tuple[Finding, ...], silent: list[str], run: int, code: int):
    asked = NeighbourAnswers(
        Seen(frozenset(), {}), {str(n): (verdict, "") for n, verdict in enumerate(silent)}, "", run
    )
    assert _code_of(asked, Comparison(findings, good=3)) == code


def test_where_no_cable_was_looked_at_nothing_is_good():
    asked = NeighbourAnswers(Seen(frozenset(), {}), {}, "", 0)
    assert _code_of(asked, Comparison((), 0, PLAN.cables)) == 1
