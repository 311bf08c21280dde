# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier runs of a test leave for a new one: values, durations, results under cache keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import (
    attempt,
    delta,
    end,
    run,
    step,
)
from rack_recipes.journal.record_fields import encode
from rack_recipes.store.reading import earlier_runs as module
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.reading.earlier_runs import earlier_runs, earlier_values, median_durations, read_cached_results
from rack_recipes.store.writing.import_journal import import_journal


def run_row(number: int, **fields: Any) -> dict[str, Any]:
    """A run that has ended, the one with the greater number later."""
    own = {"run_id": f"R{number:02}", "test_id": "T-1", "recipe": "recipes/burn_in.yml", "status": "passed"}
    return {**own, "started": f"2026-11-{number:02}", "ended": f"2026-11-{number:02}", "options": {}, **fields}


def test_the_history_of_a_run_is_its_last_earlier_runs_the_oldest_first() -> None:
    runs = [run_row(number) for number in range(9, 0, -1)]
    assert [one["run_id"] for one in earlier_runs(run_row(5), runs, 3)] == ["R02", "R03", "R04"]


@pytest.mark.parametrize(
    "fields",
    [
        {"test_id": "T-2"},
        {"recipe": "recipes/night.yml"},
        {"recipe": None},
        {"options": {"check": True}},
        {"ended": None, "status": "running"},
    ],
    ids=str,
)
def test_other_tests_and_runs_that_tested_nothing_are_left_out(fields: dict[str, Any]) -> None:
    assert not earlier_runs(run_row(5), [run_row(4, **fields)])


def test_a_recipe_may_lie_in_another_folder_and_have_another_content() -> None:
    assert earlier_runs(run_row(5), [run_row(4, recipe="/srv/lab/burn_in.yml", digest="sha256:00")])


def test_a_run_of_stages_by_hand_has_no_history() -> None:
    by_hand = {"test_id": None, "recipe": None}
    assert not earlier_runs(run_row(5, **by_hand), [run_row(4, **by_hand)])


def test_no_history_can_be_asked_for() -> None:
    assert not earlier_runs(run_row(5), [run_row(4)], 0)


Written = Callable[..., Path]


def measured(value: Any, name: str = "rate", **fields: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "MB/s", **fields}


@pytest.fixture
def runs(store: Engine, journal: Written) -> list[dict[str, Any]]:
    """Two runs, the older one first."""
    for number in (1, 2):
        begun = run(f"R{number}", time=f"2026-11-{number:02}T00:00:00.000000Z")
        records = [
            step(2, "r2", measurements=[measured(10**20 * number), measured(1, "other")]),
            step(2, "r1", measurements=[measured(number, verdict="passed")]),
            delta(1, after={"mean": 0.5}),
            delta(3, after={"mean": number, "of": [7, {"x": None}]}, based_on=1),
            delta(1, "", scope="run", key="total_v1", after=number),
        ]
        import_journal(store, journal([begun, *records, end()], f"R{number}"))
    return sorted(recorded_runs.runs(store), key=lambda row: str(row["started"]))


def test_a_measurement_by_run_step_and_host_the_oldest_first(store: Engine, runs: list[dict[str, Any]]) -> None:
    found = earlier_values(store, runs, "rate")
    assert [(row["run"], row["host"], row["value"], row["verdict"]) for row in found] == [
        ("R1", "r1", 1, "passed"),
        ("R1", "r2", 10**20, None),
        ("R2", "r1", 2, "passed"),
        ("R2", "r2", 2 * 10**20, None),
    ]
    assert {(row["step"], row["unit"]) for row in found} == {("compute", "MB/s")}
    assert found[0]["started"] == "2026-11-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("numbers.stats_v1.mean", [1, 2]),
        ("numbers.stats_v1.of.0", [7, 7]),
        ("numbers.stats_v1.of.1.x", [None, None]),
        ("numbers.stats_v1", [{"mean": 1, "of": [7, {"x": None}]}, {"mean": 2, "of": [7, {"x": None}]}]),
        ("total_v1", [1, 2]),
        ("numbers.stats_v1.of.9", []),
        ("numbers.stats_v1.mean.x", []),
        ("numbers.stats_v2", []),
        ("nothing", []),
    ],
)
def test_a_key_and_a_part_of_its_last_value(
    store: Engine, runs: list[dict[str, Any]], name: str, expected: list[Any]
) -> None:
    assert [row["value"] for row in earlier_values(store, runs, name)] == expected


def test_no_runs_have_no_values(store: Engine) -> None:
    assert earlier_values(store, [], "rate") == []


@pytest.mark.parametrize(
    ("name", "values"),
    [("rate", [1, 10**20, 2, 2 * 10**20, 6]), ("numbers.stats_v1.mean", [1, 2, 6]), ("total_v1", [1, 2])],
)
def test_a_result_that_was_used_again_is_no_value_of_its_own(
    store: Engine, runs: list[dict[str, Any]], journal: Written, name: str, values: list[Any]
) -> None:
    again = run("R3", time="2026-11-03T00:00:00.000000Z")
    copied = {"verdict": "cached", "from": "R2"}
    records = [
        delta(1, after={"mean": 2}),
        delta(2, scope="run", key="total_v1", after=2),
        step(3, "r1", measurements=[measured(2)], **copied),
        delta(1, "r2", after={"mean": 6}),
        step(2, "r2", measurements=[measured(6)]),
    ]
    import_journal(store, journal([again, *records, end(counts={"cached": 1, "passed": 1})], "R3"))
    now = sorted(recorded_runs.runs(store), key=lambda row: str(row["started"]))
    assert [row["value"] for row in earlier_values(store, now, name)] == values


@pytest.fixture
def told(store: Engine, journal: Written) -> Callable[..., None]:
    """Stores a run that began on a day of November, with these steps."""

    def told(day: int, *steps: dict[str, Any], test_id: str = "T-17") -> None:
        recipe = {"path": "recipes/numbers.yml", "test_id": test_id}
        begun = run(f"R{day}", recipe=recipe, time=f"2026-11-{day:02}T00:00:00.000000Z")
        import_journal(store, journal([begun, *steps], f"R{day}"))

    return told


def test_the_middle_of_the_last_runs(store: Engine, told: Callable[..., None]) -> None:
    for day, seconds in enumerate((1.0, 9.0, 2.0), 1):
        told(day, step(1, "r1", seconds=seconds), step(2, "r2", seconds=4.0, step="other"))
    expected = {("compute", "r1"): 2.0, ("other", "r2"): 4.0}
    assert median_durations(store, "T-17", ["compute", "other", "unknown"]) == expected
    assert median_durations(store, "recipes/numbers.yml", ["compute", "other"]) == expected
    assert median_durations(store, "T-17", ["other"]) == {("other", "r2"): 4.0}
    assert median_durations(store, "T-17", []) == {}
    assert median_durations(store, "T-18", ["compute"]) == {}


def test_only_the_last_runs_count(store: Engine, told: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RUNS_OF_FORECAST", 2)
    for day in (3, 1, 2):
        told(day, step(1, seconds=float(day)))
    told(4, step(1, seconds=100.0), test_id="T-18")
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 2.5}


@pytest.mark.parametrize("verdict", ["skipped", "blocked", "unreachable", "cached", "waived"])
def test_what_did_not_run_says_nothing(store: Engine, told: Callable[..., None], verdict: str) -> None:
    told(1, step(1, seconds=3.0, verdict="failed"), step(1, "r2", seconds=3.0, verdict=verdict))
    told(2, step(1, seconds=0.0, verdict=verdict), step(1, "r2", seconds=None))
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 3.0}


def test_what_never_began_says_nothing(store: Engine, told: Callable[..., None]) -> None:
    told(1, step(1, seconds=3.0), step(1, "r2", seconds=4.0))
    told(2, step(1, seconds=0.0, verdict="error", reason="not run: the run was interrupted", attempts=[]))
    told(3, step(1, "r2", seconds=0.5, verdict="error", reason="missing: ${ctx.numbers.size_v1}", attempts=[]))
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 3.0, ("compute", "r2"): 4.0}


def test_what_another_run_took_counts_once(store: Engine, told: Callable[..., None]) -> None:
    told(1, step(1, seconds=9.0))
    told(2, step(1, seconds=1.0))
    told(3, step(1, seconds=9.0, reason="reused from R1", **{"from": "R1"}))
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 5.0}


def test_of_an_interrupted_run_counts_what_passed(store: Engine, told: Callable[..., None]) -> None:
    cut_off = step(1, seconds=0.5, verdict="error", reason="stopped: the run was interrupted")
    waited = step(1, "r2", seconds=0.5, verdict="failed", reason="it would have been tried again")
    told(1, cut_off, waited, step(1, "r3", seconds=2.0), end(status="interrupted", exit_code=130))
    told(2, step(1, seconds=4.0, verdict="error"), step(1, "r2", seconds=6.0, verdict="failed"), end(status="failed"))
    expected = {("compute", "r1"): 4.0, ("compute", "r2"): 6.0, ("compute", "r3"): 2.0}
    assert median_durations(store, "T-17", ["compute"]) == expected


def test_a_run_without_an_end_counts(store: Engine, told: Callable[..., None]) -> None:
    told(1, step(1, seconds=4.0, verdict="failed"))
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 4.0}


def test_a_looped_step_is_timed_as_a_whole(store: Engine, told: Callable[..., None]) -> None:
    instances = [step(n, step=f"compute[{n}]", parent="compute", seconds=1.0) for n in (1, 2)]
    told(1, *instances, step(3, seconds=2.1, instances=2, attempts=[]))
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 2.1}


def test_a_looped_step_of_which_nothing_ran_says_nothing(store: Engine, told: Callable[..., None]) -> None:
    unfit = {"verdict": "error", "seconds": 0.0, "attempts": []}
    loops = {"r1": [unfit, {"seconds": 2.0}], "r2": [unfit, unfit], "r3": [{**unfit, "from": "R0"}] * 2}
    steps = [
        step(n, host, step=f"compute[{n}]", parent="compute", **fields)
        for host, instances in loops.items()
        for n, fields in enumerate(instances)
    ]
    looped = {"instances": 2, "attempts": [], "seconds": 2.1, "verdict": "error"}
    reused = step(3, "r3", **looped, **{"from": "R0"})
    told(1, *steps, step(3, "r1", **looped), step(3, "r2", **looped), reused)
    assert median_durations(store, "T-17", ["compute"]) == {("compute", "r1"): 2.1}


def test_many_steps_are_asked_for_in_parts(store: Engine, told: Callable[..., None]) -> None:
    told(1, *(step(n, step=f"s{n}", seconds=float(n)) for n in range(1200)))
    found = median_durations(store, "T-17", [f"s{n}" for n in range(1200)])
    assert found == {(f"s{n}", "r1"): float(n) for n in range(1200)}


Record = dict[str, Any]
A, B, C = ("sha256:" + letter * 64 for letter in "abc")


def keyed(run_id: str, **keys: str) -> Record:
    """The record of a run whose steps have cache keys."""
    steps = [
        {"name": name, "stage": 1, "idx": number, "scope": "host", "hosts": ["r1", "r2"], "cache_key": key}
        for number, (name, key) in enumerate(keys.items())
    ]
    return run(run_id, steps=steps)


def ended(day: int, host: str = "r1", **fields: Any) -> Record:
    return step(day, host, **{"started": f"2026-11-{day:02}T00:00:00.000001Z", "inputs": A, **fields})


def places(found: Iterable[Record]) -> list[tuple[str, str, str]]:
    return [(result["run"], result["host"], result["inputs"]) for result in found]


def test_the_newest_through_each_delegate_is_offered(store: Engine, journal: Written) -> None:
    of_days = {1: {"through": "j1"}, 2: {"through": "j2"}, 3: {"through": "j1"}, 4: {}}
    for day, fields in of_days.items():
        import_journal(store, journal([keyed(f"R{day}", compute="numbers"), ended(day, **fields)], f"R{day}"))
    found = read_cached_results(store, ["numbers"])
    assert [(one["run"], one["records"][-1].get("through")) for one in found] == [
        ("R4", None),
        ("R3", "j1"),
        ("R2", "j2"),
    ]


def test_the_newest_of_each_host_and_inputs_is_offered(store: Engine, journal: Written) -> None:
    for run_id, records in {
        "R1": [ended(1), ended(2, "r2")],
        "R2": [ended(3), ended(4, "r2", inputs=B)],
        "R3": [ended(5, inputs=C), ended(6, "r2", verdict="marginal")],
    }.items():
        import_journal(store, journal([keyed(run_id, compute="numbers"), *records], run_id))
    assert places(read_cached_results(store, ["numbers", "others"])) == [
        ("R3", "r2", A),
        ("R3", "r1", C),
        ("R2", "r2", B),
        ("R2", "r1", A),
    ]
    assert read_cached_results(store, ["others"]) == []
    assert read_cached_results(store, []) == []


@pytest.mark.parametrize("verdict", ["failed", "error", "skipped", "blocked", "unreachable", "cached", "waived"])
def test_only_what_passed_by_itself_is_offered(store: Engine, journal: Written, verdict: str) -> None:
    """A newer result that may not be used hides no older one."""
    for run_id, record in {"R1": ended(1), "R2": ended(2, verdict=verdict)}.items():
        import_journal(store, journal([keyed(run_id, compute="numbers"), record], run_id))
    assert places(read_cached_results(store, ["numbers"])) == [("R1", "r1", A)]


@pytest.mark.parametrize("fields", [{"inputs": None}, {"started": None}])
def test_a_result_without_a_fingerprint_or_a_time_is_not_offered(
    store: Engine, journal: Written, fields: Record
) -> None:
    import_journal(store, journal([keyed("R1", compute="numbers"), ended(1) | fields]))
    assert read_cached_results(store, ["numbers"]) == []


def test_inputs_that_come_and_go_do_not_pile_up(
    store: Engine, journal: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    for day in range(1, 7):
        records = [keyed(f"R{day}", compute="numbers"), ended(day, inputs=f"sha256:{day}"), ended(day, "r2")]
        import_journal(store, journal(records, f"R{day}"))
    found = read_cached_results(store, ["numbers"])
    assert [result["run"] for result in found if result["host"] == "r1"] == ["R6", "R5", "R4"]
    assert [result["run"] for result in found if result["host"] == "r2"] == ["R6"]


def test_a_result_tells_when_it_ended(store: Engine, journal: Written) -> None:
    records = [ended(1, seconds=90.5), ended(1, "r2", started="no time")]
    import_journal(store, journal([keyed("R1", compute="numbers"), *records]))
    assert {result["host"]: result["ended"] for result in read_cached_results(store, ["numbers"])} == {
        "r1": "2026-11-01T00:01:30.500001Z",
        "r2": "no time",
    }


def unnumbered(records: Iterable[Record]) -> list[Record]:
    return [{name: value for name, value in record.items() if name != "n"} for record in records]


EVERYTHING = {
    "flake": True,
    "checks": 3,
    "rounds": {"count": 4, "passed": 4},
    "hooks": [{"hook": "site.metrics", "when": "post_step", "verdict": "error", "reason": "no route"}],
    "tags": ["slow"],
    "attempts": [attempt(verdict="failed", stdout="", stderr="a\n"), attempt(round=4, stdout="out\n")],
    "measurements": [
        {"name": "p99", "value": 2**70, "unit": "ms", "limits": {"max": 1e300}, "distance": 3.5, "verdict": "marginal"},
        {"name": "mode", "value": "ä", "unit": "", "limits": {"eq": "ä"}, "distance": None, "verdict": "passed"},
        {"name": "seen", "value": [1, None], "unit": "frames"},
    ],
}


def test_records_are_as_they_were_in_the_journal(store: Engine, journal: Written) -> None:
    """Those of the step alone: changes in their order, with the host that made them, and its last record."""
    mine = [
        delta(1, after={"x": [1, "ü", 2**70]}),
        delta(2, scope="run", key="fleet.seen_v1", after=None, attempt=2),
        ended(3, **EVERYTHING),
    ]
    others = [
        delta(1, "r2"),
        delta(2, "r2", scope="run", key="fleet.seen_v1", based_on=1),
        delta(4, step="other", key="other.x_v1"),
        ended(5, step="other"),
        ended(6, "r2", verdict="failed"),
    ]
    import_journal(store, journal([keyed("R1", compute="numbers"), *mine, *others, end()]))
    (result,) = read_cached_results(store, ["numbers"])
    assert (result["key"], result["step"], result["host"]) == ("numbers", "compute", "r1")
    assert unnumbered(result["records"]) == unnumbered(mine)
    assert [record["n"] for record in result["records"]] == [1, 2, 3]
    assert all(encode(record) for record in result["records"])


def test_a_looped_step_comes_with_its_instances(store: Engine, journal: Written) -> None:
    """Changes in the order in which they were made, then the instances in theirs, then the step."""
    instance = {"parent": "compute", "inputs": B}
    records = [
        delta(1, step="compute[eth1]", key="port.a_v1"),
        delta(2, step="compute[eth0]", key="port.a_v1", based_on=1),
        ended(4, step="compute[eth0]", **instance),
        ended(3, step="compute[eth1]", **instance),
        ended(5, instances=2),
    ]
    import_journal(store, journal([keyed("R1", compute="ports"), *records]))
    (result,) = read_cached_results(store, ["ports"])
    told = [(record["kind"], record["step"]) for record in result["records"]]
    assert told == [
        ("delta", "compute[eth1]"),
        ("delta", "compute[eth0]"),
        ("step", "compute[eth1]"),
        ("step", "compute[eth0]"),
        ("step", "compute"),
    ]
    expected = [*records[:2], records[3], records[2], records[4]]
    assert unnumbered(result["records"]) == unnumbered(expected)


def test_a_step_of_the_run_is_offered_too(store: Engine, journal: Written) -> None:
    change = delta(1, "", scope="run", key="fleet.seen_v1")
    import_journal(store, journal([keyed("R1", compute="fleet"), change, ended(2, "")]))
    (result,) = read_cached_results(store, ["fleet"])
    assert (result["host"], unnumbered(result["records"])) == ("", unnumbered([change, ended(2, "")]))


def test_a_thousand_results_cost_a_few_statements(store: Engine, journal: Written) -> None:
    records = [record for number in range(300) for record in (delta(1, f"r{number}"), ended(2, f"r{number}"))]
    import_journal(store, journal([keyed("R1", compute="numbers"), *records]))
    statements: list[str] = []
    event.listen(store, "before_cursor_execute", lambda *call: statements.append(call[2]))
    found = read_cached_results(store, ["numbers"])
    assert {len(result["records"]) for result in found} == {2}
    assert len(found) == 300
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 5
