# SPDX-License-Identifier: GPL-3.0-or-later

"""Values, results and counts of several runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, run, step
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import step as result_of
from rack_recipes.errors import StoreError
from rack_recipes.recipe.waivers import InForce, Streak, Waiver
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs, several_runs
from rack_recipes.store.reading.several_runs import (
    AT_ONCE,
    changes_of_keys,
    measured,
    results_by_verdict,
    verdicts_and_inputs,
)
from rack_recipes.store.reading.waiver_history import (
    is_for,
    lifted_places,
    results_of_step,
    runs_of,
    runs_with_waivers,
    streaks_of,
)
from rack_recipes.store.writing.import_journal import import_journal


@pytest.mark.usefixtures("every_database")
def test_results_of_several_runs_are_counted_by_step_host_and_verdict(
    store: Engine, journal: Callable[..., Path]
) -> None:
    """Every database gives whole numbers; a looped step counts by its instances, and no checks are 0."""
    looped = [step(2, "r1", instances=2), *(step(n, "r1", step=f"compute[{n}]", parent="compute") for n in (3, 4))]
    import_journal(store, journal([run("R1"), *looped, step(5, "r2", checks=2)], "R1"))
    import_journal(store, journal([run("R2"), step(2, "r2", checks=3), step(3, "r3", verdict="failed")], "R2"))
    found = sorted(results_by_verdict(store, ["R1", "R2"]))
    assert found == [
        ("compute", "r1", "passed", 2, 0),
        ("compute", "r2", "passed", 2, 5),
        ("compute", "r3", "failed", 1, 0),
    ]
    assert {type(number) for row in found for number in row[3:]} == {int}


VALUES = [
    {"name": "t", "value": 2.5, "unit": "°C"},
    {"name": "t", "value": 3, "unit": None},
    {"name": "Zoë's", "value": "none", "unit": "1"},
]


@pytest.fixture
def filled(store: Engine, journal: Callable[..., Path]) -> Engine:
    """A store with two runs."""
    steps = [step(3, "r2", measurements=VALUES), step(2, "r1", measurements=VALUES[:1])]
    other = step(3, "r1", step="other", verdict="failed", measurements=[])
    changes = [delta(1, key="a_v1", after=1), delta(4, key="a_v1", after=2, based_on=1), delta(5, key="b_v1", after=[])]
    import_journal(store, journal([run("R1"), *steps, other, *changes], "R1"))
    import_journal(store, journal([run("R2"), step(measurements=VALUES[:1])], "R2"))
    return store


def test_places_and_values_of_one_run(filled: Engine) -> None:
    assert [tuple(row) for row in measured(filled, "R1")] == [
        ("r1\x1fcompute\x1ft\x1f°C", 2.5),
        ("r2\x1fcompute\x1ft\x1f°C", 2.5),
        ("r2\x1fcompute\x1ft\x1f", 3.0),
        ("r2\x1fcompute\x1fZoë's\x1f1", None),
    ]


def test_one_name_or_one_step_is_read_alone(filled: Engine) -> None:
    assert [place for place, _value in measured(filled, "R1", ["Zoë's"])] == ["r2\x1fcompute\x1fZoë's\x1f1"]
    assert not measured(filled, "R1", steps=["other"])
    assert len(measured(filled, "R1", ["t", "Zoë's"], ["compute"])) == 4


def test_changes_of_keys_come_in_their_order(filled: Engine) -> None:
    assert changes_of_keys(filled, "R1", {"a_v1"}) == [("r1", "a_v1", "1"), ("r1", "a_v1", "2")]
    assert changes_of_keys(filled, "R1", ()) == []


def test_verdicts_of_a_run_on_some_hosts(filled: Engine) -> None:
    found = {("compute", "r1", "passed", None), ("compute", "r2", "passed", None), ("other", "r1", "failed", None)}
    assert {tuple(row) for row in verdicts_and_inputs(filled, "R1", {"r1", "r2"})} == found
    assert {tuple(row) for row in verdicts_and_inputs(filled, "R1", {"r2", "r3"})} == {
        ("compute", "r2", "passed", None)
    }
    assert {
        tuple(row) for row in verdicts_and_inputs(filled, "R1", {f"r{number}" for number in range(AT_ONCE + 1)})
    } == found


@pytest.mark.parametrize(
    ("name", "run_id"), [("t", "R2"), ("Zoë's", "R1"), ("a_v1", "R1"), ("b_v1.len", "R1"), ("zork", None), ("a", None)]
)
def test_the_newest_run_with_a_measurement_or_a_key(filled: Engine, name: str, run_id: str | None) -> None:
    assert several_runs.newest_with(filled, name) == run_id


def test_a_damaged_file_is_told_as_one(tmp_path: Path, journal: Callable[..., Path]) -> None:
    """The driver meets the damage while it fetches rows, when SQLAlchemy looks away."""
    path = tmp_path / "results.db"
    store = connect_store(f"sqlite:///{path}")
    rows = [{**VALUES[0], "name": f"t{n}" * 20} for n in range(5000)]
    import_journal(store, journal([run("R1"), step(measurements=rows)], "R1"))
    store.dispose()  # which brings all of it from the log into the file
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 3)
        file.write(b"\xff" * (path.stat().st_size // 3))
    try:
        with pytest.raises(StoreError, match="malformed"):
            measured(store, "R1")
    finally:
        store.dispose()


Written = Callable[..., Path]
LINK = Waiver("link", "r", "w", passes=1)
WAIVED = {"verdict": "failed", "reason": "hot", "by": [LINK.id]}


@pytest.fixture
def told(store: Engine, journal: Written) -> Callable[..., None]:
    def told(day: int, *steps: dict[str, Any], waivers: tuple[Waiver, ...] = (LINK,)) -> None:
        in_force = {"file": "w.yml", "in_force": [each.to_data() for each in waivers], "over": []}
        begun = run(f"R{day}", time=f"2026-11-{day:02}T00:00:00.000000Z", waivers=in_force if waivers else {})
        import_journal(store, journal([begun, *steps], f"R{day}"))

    return told


def test_the_runs_in_which_a_waiver_was_in_force(store: Engine, told: Callable[..., None]):
    other = Waiver("fan", "r", "w", passes=1)
    told(3, step(1))
    told(1, step(1), waivers=(other, LINK))
    told(2, step(1), waivers=())
    found = runs_with_waivers(store)
    assert [row["run_id"] for row in found] == ["R1", "R3"]
    assert runs_of(found) == {LINK.id: ["R1", "R3"], other.id: ["R1"]}


@pytest.mark.parametrize(
    ("pattern", "steps"),
    [
        ("link", ["link", "link[a]", "link[b%]"]),
        ("link[a]", ["link[a]"]),
        ("link[*", ["link[a]", "link[b%]"]),
        ("*", ["link", "link[a]", "link[b%]", "linux"]),
        ("gone", []),
    ],
)
def test_the_results_of_steps_and_instances(store: Engine, told, pattern: str, steps: list[str], monkeypatch):
    monkeypatch.setattr(recorded_runs, "AT_ONCE", 1)
    told(2, step(1, step="link", verdict="waived", waived=WAIVED))
    told(
        1,
        step(1, step="linux"),
        step(2, step="link[a]", parent="link", verdict="failed"),
        step(3, step="link[b%]", parent="link"),
        step(4, "r2", step="link", instances=2),
    )
    waiver = Waiver(pattern, "r", "w", passes=1)
    rows = [row for row in results_of_step(store, ["R1", "R2"], pattern) if is_for(waiver, row)]
    assert sorted({row["step"] for row in rows}) == steps
    assert [row["run_id"] for row in rows] == sorted(row["run_id"] for row in rows)
    assert all(row["waived"] == (WAIVED if row["run_id"] == "R2" else None) for row in rows)


def test_streaks_are_of_the_waiver_s_own_hosts(store: Engine, told: Callable[..., None]):
    told(1, step(1, step="link", verdict="waived", waived=WAIVED), step(1, "r2", step="link"))
    told(2, step(1, step="link"), step(1, "r2", step="link", verdict="failed"))
    assert streaks_of(store, ["R1", "R2"], LINK, None) == {
        ("link", "r1"): Streak(1, True),
        ("link", "r2"): Streak(0, True),
    }
    assert [*streaks_of(store, ["R1", "R2"], LINK, {"r1"})] == [("link", "r1")]
    assert lifted_places(store, ["R1", "R2"], InForce(LINK, frozenset(["r1"]))) == {("link", "r1")}
    by_date = Waiver("link", "r", "w")
    assert lifted_places(store, ["R1", "R2"], InForce(by_date)) == frozenset()


def test_a_row_that_leaves_out_what_its_run_does_not_use():
    """A report reads rows without `parent` where no step of the run has a loop."""
    assert is_for(LINK, {"step": "link"})
    assert not is_for(LINK, {"step": "psu"})


RUNS = ("R1", "R2", "R3")


@pytest.fixture
def three(store: Engine, journal: Callable[..., Path]) -> Engine:
    """Three runs of the steps a and b on two hosts."""
    for run_id in RUNS:
        results = [
            result_of(name, host, n=n, inputs=f"{name} {host}", flake=run_id == "R2")
            for n, (name, host) in enumerate((name, host) for name in "ab" for host in ("r1", "r2"))
        ]
        import_journal(store, journal([run(run_id), *results], run_id))
    return store


@pytest.mark.parametrize("at_once", [1, 400])
def test_single_results_in_some_runs(three: Engine, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many statements that takes."""
    monkeypatch.setattr(recorded_runs, "AT_ONCE", at_once)
    found = [*several_runs.outcomes(three, ["R1", "R2"], [("r1", "a"), ("r2", "a"), ("r2", "b"), ("r9", "z")])]
    places = {(row["run_id"], row["host"], row["step"], row["inputs"], row["flake"]) for row in found}
    assert places == {
        (run_id, host, name, f"{name} {host}", run_id == "R2")
        for run_id in ("R1", "R2")
        for host, name in (("r1", "a"), ("r2", "a"), ("r2", "b"))
    }


@pytest.mark.parametrize("at_once", [1, 400])
def test_all_results_of_some_hosts(three: Engine, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_runs, "AT_ONCE", at_once)
    found = [*several_runs.results_on(three, ["R3"], ["r1", "r2"])]
    assert sorted((row["run_id"], row["host"], row["step"], row["verdict"]) for row in found) == [
        ("R3", host, name, "passed") for host in ("r1", "r2") for name in "ab"
    ]


@pytest.mark.parametrize(("verdicts", "least", "number"), [(["failed"], 1, 4), (["failed"], 2, 0), (["passed"], 3, 4)])
def test_results_that_were_bad_again(three: Engine, verdicts: list[str], least: int, number: int) -> None:
    """In the second run all four passed, but only after a retry."""
    assert len(several_runs.failed_again(three, RUNS, verdicts, least)) == number
