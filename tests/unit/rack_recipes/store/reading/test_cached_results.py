# SPDX-License-Identifier: GPL-3.0-or-later

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
from rack_recipes.store.reading.earlier_runs import read_cached_results
from rack_recipes.store.writing.import_journal import import_journal

Written = Callable[..., Path]
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
