# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import SECOND, URL
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs


@pytest.fixture(autouse=True)
def _runs(stored: Path) -> None:
    """Two runs are stored."""


def measured() -> list[dict[str, object]]:
    store = connect_store(URL)
    try:
        return recorded_runs.measurements(store, SECOND)
    finally:
        store.dispose()


def limits(text: str) -> None:
    Path("limits.yml").write_text(f"limits: [{text}]")


def first_name() -> str:
    return next(str(row["name"]) for row in measured() if isinstance(row["value"], int | float))


def test_a_judgement_is_added_and_nothing_else_changes():
    before = measured()
    limits(f"{{measurement: {first_name()}, max: -1000000000}}")
    answer = call("rejudge", SECOND, "--limits", "limits.yml", "--json").answer
    assert answer["counts"] == {"failed": answer["judged"]}
    assert answer["judgement"] == 1
    assert {change["after"] for change in answer["changes"]} == {"failed"}
    assert measured() == before
    done = call("rejudge", SECOND, "--limits", "limits.yml", "--exit-code")
    assert done.code == 1
    assert done.out.splitlines()[-1] == f"judgement 2 of run {SECOND}; the run itself stays as it is"
    assert "is above max -1000000000" in done.out


def test_show_and_the_report_tell_of_judgements():
    assert "judgement" not in call("show", SECOND).out
    limits("{measurement: '*', ne: 12345}")
    call("rejudge", SECOND, "--limits", "limits.yml")
    (told,) = call("show", SECOND, "--json").answer["judgements"]
    assert (told["n"], told["source"], told["limits"]["limits"]) == (
        1,
        "limits.yml",
        [{"measurement": "*", "ne": 12345}],
    )
    assert "limits.yml" in call("show", SECOND).out
    call("report", SECOND, "--format", "csv", "--to", "out")
    assert "limits.yml" in Path("out/csv/judgements.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("others", [False, True])
def test_limits_that_are_for_nothing_are_named(*, others: bool):
    name = first_name()
    lost = f"{{measurement: {name}x, max: 1}}, {{measurement: {name}, step: gone, unit: K, max: 1}}"
    limits(f"{lost}, {{measurement: {name}, max: 1, where: {{model: h1}}}}" + (", {measurement: '*', ne: 7}" * others))
    done = call("rejudge", SECOND, "--limits", "limits.yml")
    assert done.code == (0 if others else 4)
    assert done.out.startswith("no measurement of this run has a new limit\n") is not others
    assert done.err.splitlines() == [
        f"limits.yml: limit 1: no measurement of this run is '{name}x' (did you mean '{name}'?)",
        f"limits.yml: limit 2: no measurement of this run is '{name}' of step gone in K",
        "limits.yml: limit 3: no host of this run has {'model': 'h1'}",
    ]


def test_limits_that_change_nothing():
    limits(f"{{measurement: {first_name()}, min: -1000000000}}")
    call("rejudge", SECOND, "--limits", "limits.yml")
    assert call("rejudge", SECOND, "--limits", "limits.yml", "--exit-code").code == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((SECOND, "--limits", "gone.yml"), "gone.yml: cannot be read: No such file or directory"),
        (("no-such", "--limits", "limits.yml"), "there is no run 'no-such' in the store"),
    ],
)
def test_what_is_wrong(words: tuple[str, ...], reason: str):
    limits("{measurement: a, max: 1}")
    done = call("rejudge", *words, "--json")
    assert (done.code, done.answer["reason"]) == (2, reason)


def test_a_policy_may_forbid_it():
    limits("{measurement: a, max: 1}")
    Path("policy.yml").write_text("rules: [{users: ['*'], may: [run]}]")
    Path("ansible.cfg").write_text("[rack_recipes]\npolicy = policy.yml\n")
    done = call("rejudge", SECOND, "--limits", "limits.yml", "--json")
    assert done.code == 2
    assert "may not change the store" in done.answer["reason"]
