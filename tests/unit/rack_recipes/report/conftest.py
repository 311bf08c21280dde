# SPDX-License-Identifier: GPL-3.0-or-later

"""One run with every verdict, one with all that a recipe can ask for, and a run whose every text is hostile."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.analysis.findings import Finding, ResultId, finding_from_row
from rack_recipes.analysis.run_data import RunData, arrange_run
from rack_recipes.analysis.value_and_write_history import PastValues
from rack_recipes.journal.append import append
from rack_recipes.report.table_model import Table, named
from rack_recipes.report.tables.all_tables import tables
from rack_recipes.store.database_engine import connect_for_reading, connect_store
from rack_recipes.store.writing.import_journal import import_journal

CASES = Path(__file__).parent / "cases"
HOSTILE: dict[str, str] = {
    **json.loads((CASES / "hostile.json").read_text(encoding="utf-8")),
    "long": "x" * 70_000,
    "long emoji": "\U0001f600" * 40_000,
}


@pytest.fixture(scope="session")
def rows() -> RunData:
    return RunData(**json.loads((CASES / "run.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def findings() -> list[Finding]:
    return [*map(finding_from_row, json.loads((CASES / "findings.json").read_text(encoding="utf-8")))]


@pytest.fixture(scope="session")
def past() -> PastValues:
    return PastValues(**json.loads((CASES / "past.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def report(rows: RunData, findings: list[Finding], past: PastValues) -> tuple[Table, ...]:
    return tables(arrange_run(rows), findings, past)


@pytest.fixture(scope="session")
def by_name(report: tuple[Table, ...]) -> dict[str, Table]:
    return named(report)


@pytest.fixture(scope="session")
def outcomes() -> dict[str, Table]:
    """The tables of a run with instances, rounds, flakes, hooks, criteria and earlier results."""
    return named(tables(arrange_run(RunData(**json.loads((CASES / "outcomes.json").read_text(encoding="utf-8"))))))


@pytest.fixture
def rows_of_page() -> Callable[[str, str], list[list[str]]]:
    """The rows of a table in the data of a page, as texts: the page's script draws them."""

    def rows(page: str, table: str) -> list[list[str]]:
        packed = page.partition(f'id="data-{table}">')[2].partition("<")[0]
        columns = json.loads(gzip.decompress(b64decode(packed)))["columns"]
        cells = [
            [own["words"][code] for code in own["codes"]]
            if "codes" in own
            else ["" if value is None else str(value) for value in own.get("numbers", own.get("times"))]
            for own in columns
        ]
        return [list(row) for row in zip(*cells, strict=True)]

    return rows


@pytest.fixture
def said() -> Callable[[str], tuple[Table, ...]]:
    """The tables of a run in which every text is the given one."""
    return saying


@pytest.fixture(params=HOSTILE.values(), ids=HOSTILE)
def hostile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def saying(text: str) -> tuple[Table, ...]:
    name = text.encode(errors="replace").decode()  # what a store can hold
    step: dict[str, Any] = {"host": name, "step": name, "stage": 1, "idx": 1, "scope": "host", "reason": text}
    step |= {"verdict": "failed", "started": text, "seconds": 1.5, "tries": 1, "stderr": f"{text}\n{text}"}
    step |= {"hooks": [{"hook": text, "when": text, "verdict": text, "reason": text}]}
    step |= {"flake": True, "attempts": [{"verdict": text, "reason": text}], "rounds": {"count": 2, "passed": 1}}
    other = step | {"host": "r1", "verdict": text, "seconds": 1.0, "parent": name, "hooks": []}
    other |= {"source_run": text}
    other |= {"waived": {"verdict": text, "reason": text, "by": [text]}}
    skipped = {"host": "r2", "step": name, "verdict": "skipped", "reason": text}
    time = "2026-11-25T12:00:00.000000Z"
    run = dict.fromkeys(("run_id", "test_id", "recipe", "digest", "tester", "description", "controller", "user"), text)
    about = {"labels": {text: text}, "params": {text: text}, "options": {text: [text]}, "refs": [text], "resumes": text}
    limits = {"one_of": [text], "within": {"of": 1, "by": 2}, "warn": {"eq": text}}
    measured = {"host": name, "step": name, "n": 1, "name": text, "value": text, "unit": text}
    rows = RunData(
        run={**run, **about, "started": time, "ended": time, "status": text, "hosts": 2, "versions": {text: text}},
        steps=[step, other, skipped],
        measurements=[measured, measured | {"n": 2, "name": f"{text}.mean", "limits": limits, "verdict": text}],
        context=[
            {"key": text, "host": name, "version": 1, "value": {text: text}, "who": text, "step": name, "time": text}
        ],
        conflicts=[
            {"key": text, "host": name, "based_on": 0, "version": 2, "before": text, "after": text, "step": name}
            | {"policy": text, "outcome": text, "other": text, "fields": [text]}
        ],
        artifacts=[
            {"host": name, "step": name, "n": 1, "name": text, "sha256": text, "media_type": text, "path": text}
            | {"note": text, "time": text, "size": 1}
        ],
        attributes={name: {text: text}},
        runs=[{"run_id": text, "test_id": text, "started": "2026", "ended": None, "status": text, "counts": {text: 1}}],
    )
    about: dict[str, Any] = {"title": text, "advice": text, "method": text, "origin": text, "suggestion": True}
    about |= {"results": (ResultId(name, name, text),), "figures": {text: text}, "about": {text: text}}
    point: dict[str, Any] = {"step": name, "name": text, "unit": text, "line": text, "run_id": text, "started": text}
    point |= {"median": 1.0, "low": 0.5, "high": 1.5, "hosts": 2, "change": text}
    of_key = {"step": None, "name": f"{text}.mean", "unit": None, "key": text, "run_id": f"{text}2", "started": text}
    write = {"key": text, "host": name, "value": {text: text}, "step": name, "who": text, "origin": text, "time": text}
    past = PastValues([point, {**point, **of_key}], writes=[{**write, "version": 1}, {**write, "version": 2}])
    return tables(arrange_run(rows), [Finding(kind, "problem", **about) for kind in ("cause", "summary")], past)


TIME = "2026-11-25T12:00:00.000000Z"
ENDED = "2026-11-25T12:00:09.500000Z"
STEPS = [
    {"name": "link", "stage": 1, "idx": 1, "scope": "host", "hosts": ["r1", "r2"]},
    {"name": "compare", "stage": 2, "idx": 2, "scope": "run", "hosts": [""]},
]


def records():
    """The journal of a run with a failure, a conflict, and a step of the run itself."""
    recipe = {"path": "r.yml", "digest": "sha256:1", "test_id": "T-1", "tester": "Z", "description": ""}
    yield {"kind": "run", "run": "R1", "time": TIME, "recipe": recipe, "hosts": ["r1", "r2"], "steps": STEPS,
           "controller": "c", "user": "u", "versions": {"python": "3.13"}}  # fmt: skip
    for host, verdict in (("r1", "passed"), ("r2", "failed")):
        tried = {
            "verdict": verdict,
            "started": TIME,
            "seconds": 1.5,
            "exit_code": 0,
            "stdout": "",
            "stderr": "log\n",
            "max_rss_kib": 9000,
        }
        yield {"kind": "step", "stage": 1, "n": 1, "host": host, "step": "link", "verdict": verdict,
               "reason": "12 > 0", "started": TIME, "seconds": 1.5, "attempts": [tried],
               "measurements": [{"name": "rx", "value": 2**53 + 1, "unit": "frames"}]}  # fmt: skip
    for n in (1, 2):
        yield {"kind": "delta", "stage": 2, "n": n, "host": "", "step": "compare", "attempt": 1, "scope": "run",
               "key": "rack.sum_v1", "after": {"n": n}, "based_on": 0, "who": "compare", "time": TIME}  # fmt: skip
    yield {"kind": "step", "stage": 2, "n": 3, "host": "", "step": "compare", "verdict": "passed", "reason": "",
           "started": TIME, "seconds": 0.1, "attempts": [], "measurements": []}  # fmt: skip
    yield {"kind": "end", "time": ENDED, "status": "failed", "exit_code": 1, "counts": {"passed": 2, "failed": 1}}


@pytest.fixture
def url(tmp_path):
    journal = tmp_path / "runs" / "R1" / "journal.jsonl"
    append(journal, records())
    url = f"sqlite:///{tmp_path}/results.db"
    writer = connect_store(url)
    import_journal(writer, journal)
    writer.dispose()
    return url


@pytest.fixture
def store(url):
    opened = connect_for_reading(url)
    yield opened
    opened.dispose()
