# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics by test, and Prometheus's text form."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, run_id, store_nights
from rack_recipes.analysis.analyse_run import store_findings
from rack_recipes.analysis.findings import NOTABLE, PROBLEM, Finding
from rack_recipes.errors import UsageError
from rack_recipes.integrations.monitoring import prometheus_metrics
from rack_recipes.integrations.monitoring.prometheus_metrics import Metric, Sample, as_text, write_textfile
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.schema.tables import tables


def test_a_metric_has_its_meaning_its_type_and_its_samples():
    found = as_text([Metric("a_seconds", "How\nlong \\.", [Sample(1.5, {"test": "T", "b": "c"}), Sample(2, {})])])
    assert found == (
        '# HELP a_seconds How\\nlong \\\\.\n# TYPE a_seconds gauge\na_seconds{test="T",b="c"} 1.5\na_seconds 2\n'
    )


def test_text_of_a_label_cannot_leave_it():
    assert 'a{test="x\\"} 1\\n\\\\b"} 0\n' in as_text([Metric("a", "A.", [Sample(0, {"test": 'x"} 1\n\\b'})])])


def test_a_metric_without_samples_is_left_out():
    assert as_text([Metric("a", "A.", [])]) == ""


def test_a_file_is_replaced_and_everybody_can_read_it(tmp_path: Path):
    path = tmp_path / "rack.prom"
    path.write_text("old")
    write_textfile(path, "new\n")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new\n", 0o644)
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_cannot_be_replaced_leaves_no_draft(tmp_path: Path):
    (tmp_path / "rack.prom").mkdir()
    with pytest.raises(UsageError, match=r"rack\.prom: cannot be written: Is a directory"):
        write_textfile(tmp_path / "rack.prom", "new\n")
    assert [one.name for one in tmp_path.iterdir()] == ["rack.prom"]
    with pytest.raises(UsageError, match=r"none/rack\.prom: cannot be written: No such file or directory"):
        write_textfile(tmp_path / "none" / "rack.prom", "new\n")


HOSTS = ("r1", "r2", "r3")
PLACES = {("uplink", host): () for host in HOSTS}
PASSED = Night(PLACES)
FAILED = Night(PLACES, verdicts={("uplink", "r1"): "failed", ("uplink", "r2"): "blocked"})
DAY = 86_400.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The first night passed, the second did not; a third test has never ended."""
    folder = tmp_path_factory.mktemp("metrics")
    opened = connect_store(f"sqlite:///{folder}/results.db")
    store_nights(opened, folder / "runs", [PASSED, FAILED, Night(PLACES, recipe={"test_id": "OTHER"})])
    counted = {1: {"passed": 3}, 2: {"failed": 1, "blocked": 1, "passed": 1}}
    with opened.begin() as connection:  # the records of these runs have no counts
        runs = tables().runs
        for number, counts in counted.items():
            of = runs.update().where(runs.c.run_id == run_id(number))
            connection.execute(of.values(counts=json.dumps(counts), hosts=3))
        connection.execute(runs.update().where(runs.c.run_id == run_id(3)).values(status="running", ended=None))
    yield opened
    opened.dispose()


def of(store: Engine, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a metric by the values of their labels."""
    found: Mapping[str, prometheus_metrics.Metric] = {one.name: one for one in prometheus_metrics.read_metrics(store)}
    return {tuple(sample.labels.values()): sample.value for sample in found[f"rack_recipes_{name}"].samples}


def test_runs_are_counted_by_test_and_status(store: Engine):
    runs = of(store, "runs")
    assert {labels: number for labels, number in runs.items() if number} == {
        ("NIGHT", "passed"): 1, ("NIGHT", "failed"): 1, ("OTHER", "running"): 1,
    }  # fmt: skip
    assert len(runs) == 2 * len(prometheus_metrics.STATUSES)


def test_the_last_run_that_has_ended_counts(store: Engine):
    assert of(store, "last_run_passed") == {("NIGHT",): 0}
    assert of(store, "last_run_hosts") == {("NIGHT",): 3}
    results = of(store, "last_run_results")
    assert [results["NIGHT", verdict] for verdict in ("failed", "blocked", "passed", "error")] == [1, 1, 1, 0]
    assert of(store, "results")[("passed",)] == 4


def test_a_host_that_was_only_blocked_does_not_fail(store: Engine):
    assert of(store, "last_run_failing_hosts") == {("NIGHT",): 1}


def test_ages_are_told_as_times(store: Engine):
    last, passed = of(store, "last_run_end_timestamp_seconds"), of(store, "last_passed_run_end_timestamp_seconds")
    assert last["NIGHT",] - passed["NIGHT",] == DAY
    assert of(store, "last_run_duration_seconds") == {("NIGHT",): 0}


def test_findings_are_those_of_the_last_run(store: Engine):
    assert of(store, "last_run_findings") == {}
    store_findings(store, run_id(2), [Finding("cause", PROBLEM, "leaf2"), Finding("drift", NOTABLE, "slower")])
    assert of(store, "last_run_findings") == {("NIGHT", "problem"): 1, ("NIGHT", "notable"): 1, ("NIGHT", "note"): 0}


def test_so_many_tests_have_metrics_and_the_rest_is_counted(store: Engine, monkeypatch: pytest.MonkeyPatch):
    assert of(store, "tests_without_metrics") == {(): 0}
    monkeypatch.setattr(prometheus_metrics, "MOST_TESTS", 1)
    assert {labels[0] for labels in of(store, "runs")} == {"OTHER"}
    assert of(store, "tests_without_metrics") == {(): 1}


def test_a_store_without_runs_has_metrics(tmp_path: Path):
    opened = connect_store(f"sqlite:///{tmp_path}/results.db")
    assert sum(of(opened, "results").values()) == 0
    opened.dispose()
