# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import run
from rack_recipes.analysis.analyse_run import store_findings
from rack_recipes.analysis.findings import Finding, ResultId
from rack_recipes.archive import result_rows
from rack_recipes.archive.result_rows import ResultWriter, from_journal, from_store, status_of, table_rows
from rack_recipes.journal.append import append
from rack_recipes.store.schema.tables import tables
from rack_recipes.store.writing.import_journal import import_journal
from rack_recipes.store.writing.write_group_run import read_group


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("at_once", [2_000, 3])
def test_the_store_and_the_journal_say_the_same(
    at_once: int, each_store: Engine, evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(result_rows, "BATCH_SIZE", at_once)
    import_journal(each_store, evidence)
    with ResultWriter(tmp_path / "of the store") as writer:
        assert from_store(each_store, "R1", writer.write)
    with ResultWriter(tmp_path / "of the journal") as writer:
        from_journal(evidence, "R1", writer.write)
    found = written(tmp_path / "of the store")
    assert found == written(tmp_path / "of the journal")
    names = [*tables().metadata.tables]
    assert sorted(found) == sorted(f"{name}.{form}" for name in names for form in ("csv", "jsonl"))
    empty = {name for name in names if len(found[f"{name}.csv"].splitlines()) == 1}
    assert empty == {"hosts", "analysis", "baselines", "judgements"}  # what this run does not have


def test_attributes_of_hosts_and_findings_are_values_too(store: Engine, tmp_path: Path):
    """JSON in the lines, not texts that hold JSON."""
    journal = tmp_path / "R1" / "journal.jsonl"
    append(journal, [run("R1", attributes={"r1": {"rack": "R7", "uplinks": ["leaf1:1"]}})])
    import_journal(store, journal)
    store_findings(store, "R1", [Finding("cause", "problem", "it is", (ResultId("r1", "a"),), figures={"p": 0.01})])
    with ResultWriter(tmp_path / "made") as writer:
        assert from_store(store, "R1", writer.write)
    [host] = table_rows(tmp_path / "made", "hosts")
    assert host == {"run_id": "R1", "host": "r1", "attributes": {"rack": "R7", "uplinks": ["leaf1:1"]}}
    [finding] = table_rows(tmp_path / "made", "analysis")
    assert (finding["results"], finding["figures"]) == ([["r1", "a", ""]], {"p": 0.01})


def test_what_a_group_knows_of_its_parts_is_a_value_too(store: Engine, make, tmp_path: Path):
    import_journal(store, make("P1", group={"id": "G", "part": "rows 1", "info": {"parts": 2}}))
    for run_id, known in (("P1", {"parts": 2}), ("G", read_group(store, "G").to_info())):
        with ResultWriter(tmp_path / run_id) as writer:
            assert from_store(store, run_id, writer.write)
        assert status_of(tmp_path / run_id)["group_info"] == known


def test_values_as_they_are(evidence: Path, tmp_path: Path):
    with ResultWriter(tmp_path / "made") as writer:
        from_journal(evidence, "R1", writer.write)
    run = status_of(tmp_path / "made")
    assert (run["run_id"], run["status"], run["versions"]["python"]) == ("R1", "passed", "3.13.5")
    assert not {"journal", "journal_offset", "next_seq", "pinned"} & {*run}
    [conflict] = table_rows(tmp_path / "made", "conflicts")
    assert (conflict["key"], conflict["after"]) == ("of.all_v1", {"ü": 2**62})
    changes = [*table_rows(tmp_path / "made", "context")]
    assert [change["seq"] for change in changes] == [*range(1, len(changes) + 1)]
    assert changes[0]["after"] == [0, "ü", None]
    with (tmp_path / "made/context.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [int(row["seq"]) for row in rows] == [change["seq"] for change in changes]
    assert json.loads(rows[0]["after"]) == [0, "ü", None]


def test_a_run_that_nobody_knows(store: Engine, tmp_path: Path):
    with ResultWriter(tmp_path / "made") as writer:
        assert not from_store(store, "R1", writer.write)
    assert status_of(tmp_path / "made") == {}


def test_no_text_is_a_formula(tmp_path: Path):
    from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import run, step
    from rack_recipes.journal.append import append

    journal = tmp_path / "runs/R1/journal.jsonl"
    append(journal, [run(), step(1, reason="=HYPERLINK(1)"), step(2, "r2", reason="-5")])
    with ResultWriter(tmp_path / "made") as writer:
        from_journal(journal, "R1", writer.write)
    assert b",'=HYPERLINK(1)," in (tmp_path / "made/steps.csv").read_bytes()
    assert [row["reason"] for row in table_rows(tmp_path / "made", "steps")] == ["=HYPERLINK(1)", "-5"]
