# SPDX-License-Identifier: GPL-3.0-or-later

"""A run with findings, for tests of its summary."""

from __future__ import annotations

from typing import Any

from rack_recipes.analysis.findings import Finding, ResultId
from rack_recipes.analysis.run_data import RunData

CAUSE = Finding(
    "cause",
    "problem",
    "3 results on leaf1 failed together",
    (ResultId("r01-u07", "link"), ResultId("r01-u08", "link"), ResultId("r01-u08", "rate", "rx")),
    advice="look at leaf1 and at its uplink",
    figures={"p": 0.00012, "hosts_of_leaf": 4, "of": ["r01-u07", "r01-u08"], "is_sure": True},
    about={"attribute": "leaf", "value": "leaf1"},
    explains=3,
)
OUTLIER = Finding(
    "outlier",
    "notable",
    "r02-u01 has 9214.7 MB/s, its twins have 12000",
    (ResultId("r02-u01", "rate", "rx"),),
    figures={"value": 9214.7, "median": 12000, "limit": float("nan")},
    about={"host": "r02-u01", "name": "rx", "unit": "MB/s"},
)
FINDINGS = [CAUSE, OUTLIER]


def result(host: str, step: str, verdict: str = "passed", **fields: Any) -> dict[str, Any]:
    return {"host": host, "step": step, "verdict": verdict, "instances": None, **fields}


def a_run(*rows: dict[str, Any], status: str = "failed") -> RunData:
    """A run of which three of six results did not pass, or of these rows."""
    some = (
        result("r01-u07", "link", "failed"),
        result("r01-u08", "link", "failed"),
        result("r01-u08", "rate", "error"),
        result("r02-u01", "link"),
        result("r02-u01", "rate", "marginal"),
        result("", "total", "passed"),
        result("r01-u07", "rate", "blocked"),
        result("r02-u01", "loop", "passed", instances=2),
    )
    return RunData(run={"run_id": "R1", "status": status}, steps=rows or some)
