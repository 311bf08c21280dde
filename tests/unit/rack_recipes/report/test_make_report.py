# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
import yaml

from ansible_collections.rack.recipes.plugins.action import report as action
from ansible_collections.rack.recipes.plugins.modules import report as module
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.summary.model_server import (
    model_server,
    saying,
    sentences,
)
from rack_recipes.analysis.findings import PROBLEM, Finding, ResultId, finding_from_row
from rack_recipes.analysis.run_data import load_run_data
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.report import make_report
from rack_recipes.report.make_report import make, write_report_files
from rack_recipes.report.report_formats_and_status import DEFAULT_FORMATS, FORMATS, WRITERS
from rack_recipes.report.writers import json
from rack_recipes.settings import Settings
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.reading import recorded_runs
from rack_recipes.store.writing.import_journal import import_journal

from .conftest import STEPS, records


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_format_is_private(report, tmp_path):
    folder = tmp_path / "new" / "report"
    paths = list(write_report_files(report, folder))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert sorted(paths) == files
    assert {path.suffix for path in paths} == {".html", ".xlsx", ".csv", ".md"}
    assert {mode(path) for path in files} == {0o600}
    assert {mode(folder), mode(folder / "csv")} == {0o700}


def test_every_format_tells_what_was_tried_again(outcomes, tmp_path, rows_of_page):
    """What passed only at its third try, and what the first one said."""
    write_report_files(tuple(outcomes.values()), tmp_path, ["csv", "xlsx", "html", "md-full"])
    sheet = openpyxl.load_workbook(tmp_path / "report.xlsx")[outcomes["flakes"].title]
    texts = {
        "csv": (tmp_path / "csv" / "flakes.csv").read_text(encoding="utf-8-sig"),
        "xlsx": " ".join(str(cell.value) for cell in sheet[2]),
        "html": " ".join(rows_of_page((tmp_path / "report.html").read_text(encoding="utf-8"), "flakes")[0]),
        "md": (tmp_path / "report-full.md").read_text(encoding="utf-8"),
    }
    for name, text in texts.items():
        assert "r1 wait passed 3 failed no answer 1.5" in " ".join(re.findall(r"[\w.]+", text)), name


def test_only_what_was_asked_for(report, tmp_path):
    assert list(write_report_files(report, tmp_path, ["md", "md"])) == [tmp_path / "report.md"]
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


def test_a_folder_that_is_there_keeps_its_mode(report, tmp_path):
    tmp_path.chmod(0o755)
    write_report_files(report, tmp_path, ["md"])
    assert mode(tmp_path) == 0o755


def test_a_failed_writer_leaves_the_old_files(report, tmp_path, monkeypatch):
    write_report_files(report, tmp_path, ["html", "json"])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(tables, folder):
        (folder / "half").write_text("of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "write", full)
    with pytest.raises(UsageError, match="No space left on device"):
        write_report_files(report, tmp_path, ["html", "json"])
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_link_is_replaced_and_not_followed(report, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "report.md").symlink_to(elsewhere)
    write_report_files(report, folder, ["md"])
    assert elsewhere.read_text() == "mine"
    assert not (folder / "report.md").is_symlink()


def test_an_unknown_format_names_the_nearest(report, tmp_path):
    with pytest.raises(UsageError, match="got 'htm', did you mean 'html'"):
        write_report_files(report, tmp_path, ["md", "htm"])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(report, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="the report cannot be written to"):
        write_report_files(report, tmp_path / "file" / "report", ["md"])


ROLE = Path(__file__).resolve().parents[4] / "roles" / "report"
PLANNED = [*STEPS, {"name": "fan", "stage": 2, "idx": 3, "scope": "host", "hosts": ["r1", "r2"]}]
DERIVED = {"rx_twice": {"kind": "ratio", "of": "link:rx", "to": "link:rx", "unit": ""}}


def test_every_format_from_the_store(store, tmp_path, rows_of_page):
    made = make(store, "R1", tmp_path / "report")
    assert {path.suffix for path in made} == {".html", ".xlsx", ".csv", ".md"}
    assert set(DEFAULT_FORMATS) == {"html", "xlsx", "csv", "md"}
    page = (tmp_path / "report" / "report.html").read_text()
    assert "12 &gt; 0" in page
    assert [row[0] for row in rows_of_page(page, "context")] == ["rack.sum_v1"]


def test_what_is_read_is_what_the_journal_says(store):
    rows = load_run_data(store, "R1")
    assert [(step["host"], step["verdict"]) for step in rows.steps] == [
        ("", "passed"),
        ("r1", "passed"),
        ("r2", "failed"),
    ]
    assert {measurement["value"] for measurement in rows.measurements} == {2**53 + 1}
    assert [(key["version"], key["value"]) for key in rows.context] == [(2, {"n": 2})]
    assert len(rows.conflicts) == len(rows.runs) == 1


WITHOUT_NUMPY = """
import sys
sys.modules |= {"pandas": None, "numpy": None}
from pathlib import Path
from rack_recipes.report.make_report import make
from rack_recipes.store.database_engine import connect_for_reading
make(connect_for_reading(sys.argv[1]), "R1", Path(sys.argv[2]))
"""


def test_a_small_report_needs_no_pandas_and_no_numpy_which_take_long_to_import(url, tmp_path):
    subprocess.run([sys.executable, "-c", WITHOUT_NUMPY, url, str(tmp_path / "report")], check=True)
    assert (tmp_path / "report" / "report.xlsx").is_file()


def test_the_same_run_changes_nothing(store, tmp_path):
    written = make(store, "R1", tmp_path / "report")
    before = {path: path.stat().st_mtime_ns for path in written}
    assert set(written.values()) == {True}
    assert make(store, "R1", tmp_path / "report") == dict.fromkeys(written, False)
    assert {path: path.stat().st_mtime_ns for path in written} == before


FOUND = [Finding("cause", PROBLEM, "r2 alone failed", (ResultId("r2", "link"),), explains=1)]


@pytest.fixture
def one_finding(monkeypatch):
    monkeypatch.setattr(make_report, "analyse_history", lambda _history: FOUND)


@pytest.mark.usefixtures("one_finding")
def test_findings_are_in_the_report_and_in_the_store(url, store, tmp_path):
    make(store, "R1", tmp_path / "report", ["csv"], url)
    assert "r2 alone failed" in (tmp_path / "report" / "csv" / "causes.csv").read_text()
    assert [*map(finding_from_row, recorded_runs.findings(store, "R1"))] == FOUND


@pytest.mark.usefixtures("one_finding")
def test_the_store_has_the_context_values_resources_and_the_summary(url, store, tmp_path):
    make(store, "R1", tmp_path / "report", ["csv"], url, Settings())
    names = "value FROM context_snapshots", "value FROM measurements", "memory_used FROM step_metrics"
    with store.connect() as connection:
        found = [[*connection.exec_driver_sql(f"SELECT {one}").scalars()] for one in names]
        summary = connection.exec_driver_sql("SELECT summary_text FROM analysis WHERE kind = 'summary'").scalars().all()
    assert found == [['{"n":1}', '{"n":2}'], [2.0**53] * 2, [9000 * 1024] * 2 + [None]]
    assert any("did not pass, on" in text for text in summary)


@pytest.mark.usefixtures("one_finding")
def test_a_summary_is_there_where_it_is_asked_for(url, store, tmp_path):
    make(store, "R1", tmp_path / "report", ["csv"], url, Settings())
    assert "did not pass, on" in (tmp_path / "report" / "csv" / "findings.csv").read_text()
    kept = [*map(finding_from_row, recorded_runs.findings(store, "R1"))]
    assert {one.kind for one in kept} == {"cause", "summary"}
    assert not any(one.suggestion for one in kept)


@pytest.mark.usefixtures("one_finding")
def test_a_later_report_without_a_summary_keeps_the_stored_one(url, store, tmp_path):
    make(store, "R1", tmp_path / "report", ["csv"], url, Settings())
    first = recorded_runs.findings(store, "R1")
    make(store, "R1", tmp_path / "report", ["csv"], url)
    assert "did not pass, on" in (tmp_path / "report" / "csv" / "findings.csv").read_text()
    assert recorded_runs.findings(store, "R1") == first


@pytest.mark.usefixtures("one_finding")
def test_a_summary_from_before_the_run_ended_is_not_kept(url, store, tmp_path):
    make(store, "R1", tmp_path / "report", ["csv"], url, Settings())
    writer = sqlite3.connect(tmp_path / "results.db")
    writer.execute("update analysis set time = '2026-11-25T12:00:01.000000Z'")
    writer.commit()
    writer.close()
    make(store, "R1", tmp_path / "report", ["csv"], url)
    assert [*map(finding_from_row, recorded_runs.findings(store, "R1"))] == FOUND


@pytest.mark.usefixtures("one_finding")
def test_a_model_adds_suggestions_and_changes_nothing_else(store, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    lies = sentences(
        ("{r0.results} results were tried.", "r0"), ("99 passed: http://evil.example", "r0"), ("Ok.", "r7")
    )
    make(store, "R1", tmp_path / "without", ["csv"])
    with model_server() as model:
        model.replies = [saying(lies)]
        by_model = Settings(summary_url=model.url, summary_model="small")
        make(store, "R1", tmp_path / "with", ["csv"], summary_by=by_model)
    before, after = (
        {path.name: path.read_text() for path in (tmp_path / name / "csv").iterdir()} for name in ("without", "with")
    )
    assert {name for name in before if before[name] != after[name]} == {"findings.csv", "finding_results.csv"}
    assert after["findings.csv"].startswith(before["findings.csv"])
    added = after["findings.csv"].removeprefix(before["findings.csv"])
    assert "results were tried." in added
    assert "suggestion" in added
    assert "2 of 3 sentences of the model small were left out" in added
    assert not [text for text in after.values() if "evil" in text or "99 passed" in text]


@pytest.mark.usefixtures("one_finding")
def test_findings_that_are_stored_are_not_written_again(url, store, tmp_path):
    make(store, "R1", tmp_path / "report", ["md"], url)
    first = recorded_runs.findings(store, "R1")
    make(store, "R1", tmp_path / "report", ["md"], url)
    assert recorded_runs.findings(store, "R1") == first


@pytest.mark.usefixtures("one_finding")
def test_a_store_that_can_only_be_read_is_enough(url, store, tmp_path):
    writer = sqlite3.connect(tmp_path / "results.db")
    writer.execute("create trigger no before insert on analysis begin select raise(abort, 'read only'); end")
    writer.close()
    make(store, "R1", tmp_path / "report", ["md"], url)
    assert "r2 alone failed" in (tmp_path / "report" / "report.md").read_text()
    assert recorded_runs.findings(store, "R1") == []


def test_a_project_has_parts_of_its_own(store, tmp_path):
    parts = tmp_path / "own" / "parts"
    parts.mkdir(parents=True)
    (parts / "own.html.j2").write_text("<h2>Ours: {{ run.run_id }}</h2>\n")
    (parts.parent / "columns.yml").write_text("verdicts: [{attribute: asset_tag, title: Asset tag}]\n")
    make(store, "R1", tmp_path / "report", ["html", "csv"], templates=str(parts.parent))
    assert "<h2>Ours: R1</h2>" in (tmp_path / "report" / "report.html").read_text()
    head = (tmp_path / "report" / "csv" / "verdicts.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert head.endswith(",attribute.asset_tag")


def test_a_run_that_is_not_there(store, tmp_path):
    with pytest.raises(UsageError, match="R2"):
        make(store, "R2", tmp_path / "report")
    assert not Path(tmp_path / "report").exists()


def test_the_formats_are_the_same_everywhere():
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]["formats"]
    role = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    of_role = role["argument_specs"]["main"]["options"]["report_formats"]
    given = {tuple(spec["choices"]) for spec in (documented, of_role, action.argument_spec()["formats"])}
    assert given == {FORMATS}
    left_out = {tuple(spec["default"]) for spec in (documented, of_role, action.argument_spec()["formats"])}
    assert left_out == {DEFAULT_FORMATS} == {tuple(defaults["report_formats"])}
    comment = re.search(r"^# Which files to write: (.+)\.$", (ROLE / "defaults" / "main.yml").read_text(), re.MULTILINE)
    assert comment[1].split(", ") == [*FORMATS]


def test_every_writer_has_a_format_and_every_format_a_line_on_the_page():
    folder = ROLE.parents[1] / "rack_recipes" / "report" / "writers"
    writers = {
        (path.stem, name)
        for path in folder.glob("*.py")
        for name in re.findall(r"^def (write\w*)\(tables", path.read_text(), re.MULTILINE)
    }
    assert writers == set(WRITERS.values()), "rack_recipes/report/report_formats_and_status.py"
    page = (ROLE.parents[1] / "docs" / "report.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \| `[^`]+` \|", page, re.MULTILINE) == list(FORMATS), "docs/report.md"


def test_the_action_takes_what_the_module_documents():
    assert action.argument_spec().keys() == yaml.safe_load(module.DOCUMENTATION)["options"].keys()


def test_a_store_alone_gives_the_same_report_as_with_its_journal(tmp_path):
    head, *others = records()
    fan = next(one for one in others if one["kind"] == "step") | {"step": "fan", "n": 9, "measurements": []}
    journal = tmp_path / "runs" / "R1" / "journal.jsonl"
    append(journal, [{**head, "steps": PLANNED, "derived": DERIVED}, fan, *others])
    store = connect_store(f"sqlite:///{tmp_path}/results.db")
    import_journal(store, journal)

    def texts(name):
        make(store, "R1", tmp_path / name, ["csv", "html"])
        return {path.name: path.read_text() for path in (tmp_path / name).rglob("*.*") if path.is_file()}

    before = texts("before")
    assert "rx_twice" in before["statistics.csv"]
    assert "Nobody has 1 of 2 planned results of fan" in before["findings.csv"]
    journal.unlink()
    assert texts("after") == before
    store.dispose()
