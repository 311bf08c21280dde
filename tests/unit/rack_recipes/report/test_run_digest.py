# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.report.test_make_report import records
from rack_recipes.analysis.analyse_run import store_findings_at
from rack_recipes.analysis.findings import NOTABLE, PROBLEM, Finding
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.report.run_digest import LONGEST, MOST, digest_run
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing.import_journal import import_journal


@pytest.fixture
def url(tmp_path: Path) -> str:
    append(tmp_path / "runs" / "R1" / "journal.jsonl", records())
    return f"sqlite:///{tmp_path}/results.db"


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Engine]:
    opened = connect_store(url)
    import_journal(opened, tmp_path / "runs" / "R1" / "journal.jsonl")
    yield opened
    opened.dispose()


def test_a_run_without_an_analysis(store: Engine):
    assert digest_run(store, "R1") == {"status": "failed", "counts": {"passed": 2, "failed": 1}, "causes": []}


def test_causes_are_few_short_and_no_templates(store: Engine, url: str):
    """They become extra variables of other jobs, and their text may come from hosts."""
    hostile = "{{ lookup('pipe', 'id') }} {% if x %} {# y #}"
    found = [
        Finding("cause", PROBLEM, hostile),
        Finding("cause", NOTABLE, "somebody should look"),
        Finding("summary", PROBLEM, "a model says so", suggestion=True),
        *(Finding("cause", PROBLEM, f"{n} " + "x" * 1000) for n in range(9)),
    ]
    store_findings_at(url, "R1", found)
    causes = digest_run(store, "R1")["causes"]
    assert causes[0] == "{ { lookup('pipe', 'id') }} { % if x %} { # y #}"
    assert [cause[:3] for cause in causes[1:]] == ["0 x", "1 x", "2 x", "3 x"]
    assert len(causes) == MOST
    assert max(map(len, causes)) == LONGEST
    assert len(json.dumps(causes)) < 2 * MOST * LONGEST


def test_an_unknown_run_is_told(store: Engine):
    with pytest.raises(UsageError, match="there is no run 'R2' in the store"):
        digest_run(store, "R2")
