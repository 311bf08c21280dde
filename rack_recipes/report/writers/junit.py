# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as JUnit XML for Jenkins, GitLab and others: a suite for each host, a case for each result.

A step that ran a test suite of its own (scriptlets/suite) also becomes a suite with its cases.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from rack_recipes.report.format_values import cut, shown, visible
from rack_recipes.report.table_model import Table, named
from rack_recipes.report.writers.junit_and_ocp_results import (
    ERROR,
    FAIL,
    OUTCOMES,
    PASS,
    SKIP,
    Cells,
    by_host,
    outcome_of,
)
from rack_recipes.store.result import Result

NAME = "rack.recipes"
MOST_IN_TEXT = 10_000
"""Characters of a message or a log: GitLab reads files of up to 30 MB."""

PLAIN = "passed"
SUITE = "cases.skipped"  # measured by steps that run a suite, and by no other
JUDGED = f"eq {PLAIN}"  # the limit of a case of such a suite; one that was skipped has none
SKIPPED = re.compile(r"skipped(?:: |$)")
COUNTED = {"failures": FAIL, "errors": ERROR, "skipped": SKIP}


def write(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write `junit.xml` into the folder."""
    path = folder / "junit.xml"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_parts(named(tables)))
    return [path]


def _parts(tables: dict[str, Table]) -> Iterator[str]:
    run = tables["summary"].record()
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name={_quoted(NAME)}>\n'
    for host, results in by_host(tables):
        place = f"{run['test_id'] or run['run_id'] or NAME}.{host}"
        about = {"name": host, "timestamp": (run["started"] or "")[:19], "hostname": host}
        yield from _suite(about, results, place)
        for step, cases in _own_suites(results):
            yield from _suite({**about, "name": f"{host}.{step}"}, cases, f"{place}.{step}")
    yield "</testsuites>\n"


def _own_suites(results: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    """Each step that ran a suite, with the cases that it has recorded."""
    for result in results:
        values = {value["name"]: value["value"] for value in result["measurements"]}
        if SUITE in values:
            own = [_case_of(value, values) for value in result["measurements"] if _is_case(value)]
            yield result["step"], own


def _is_case(value: Cells) -> bool:
    return value["limits"] == JUDGED or (not value["limits"] and bool(SKIPPED.match(str(value["value"]))))


def _case_of(value: Cells, values: Cells) -> Result:
    """A case as a result: its value is its verdict, with what was said of it behind a colon."""
    verdict, _colon, reason = str(value["value"]).partition(": ")
    seconds = values.get(f"{value['name']}.seconds")
    about: Result = {"step": value["name"], "verdict": verdict, "reason": reason, "seconds": seconds}
    return {**about, "measurements": (), "stderr": ""}


def _suite(about: Cells, results: Sequence[Result], place: str) -> Iterator[str]:
    outcomes = Counter(outcome_of(result["verdict"]) for result in results)
    counted = {name: outcomes[outcome] for name, outcome in COUNTED.items()}
    seconds = _seconds(sum(result["seconds"] or 0.0 for result in results))
    attributes = {"name": about["name"], "tests": len(results), **counted, "time": seconds, **about}
    yield f"<testsuite{_attributes(attributes)}>\n"
    for result in results:
        yield from _case(result, place)
    yield "</testsuite>\n"


def _case(result: Result, place: str) -> Iterator[str]:
    about = {"classname": place, "name": result["step"], "time": _seconds(result["seconds"] or 0.0)}
    yield f"<testcase{_attributes(about)}>{_outcome(result)}{_output(result)}</testcase>\n"


def _outcome(row: Result) -> str:
    name = OUTCOMES[outcome_of(row["verdict"])].junit
    if not name:
        return ""
    message = row["reason"] or row["verdict"] or "no verdict"
    if name == "skipped":  # older readers allow it no attributes
        return f"<skipped>{_escaped(message)}</skipped>"
    about = {"type": row["verdict"] or "", "message": message}
    return f"<{name}{_attributes(about)}>{_escaped(message)}</{name}>"


def _output(row: Result) -> str:
    """Measurements, what a verdict that passes has to say, and the end of the log."""
    says = outcome_of(row["verdict"]) == PASS and (row["verdict"] != PLAIN or row["reason"])
    lines = [f"{row['verdict']}: {row['reason'] or ''}"] if says else []
    lines += [_measured(value) for value in row["measurements"]]
    lines += [row["stderr"]] if row["stderr"] else []
    return f"<system-out>{_escaped(chr(10).join(lines))}</system-out>" if lines else ""


def _measured(value: Any) -> str:
    limits = f" ({value['limits']})" if value["limits"] else ""
    return f"{value['name']} = {shown(value['value'], 'number')} {value['unit'] or ''}{limits}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _attributes(pairs: Mapping[str, object]) -> str:
    return "".join(f" {name}={_quoted(value)}" for name, value in pairs.items() if value != "" or name != "timestamp")


def _quoted(value: object) -> str:
    return quoteattr(cut(visible(str(value)), MOST_IN_TEXT))


def _escaped(text: str) -> str:
    return escape(cut(visible(text), MOST_IN_TEXT, at_end=False))
