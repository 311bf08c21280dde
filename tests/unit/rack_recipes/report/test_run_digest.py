# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine

from rack_recipes.analysis.analyse_run import store_findings_at
from rack_recipes.analysis.findings import NOTABLE, PROBLEM, Finding
from rack_recipes.errors import UsageError
from rack_recipes.report.run_digest import LONGEST, MOST, digest_run


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
