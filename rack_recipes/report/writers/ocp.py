# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as Open Compute diagnostics output 2.0: a file for each host, the device under test of its run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import rank
from rack_recipes.private_files import FOLDER_MODE
from rack_recipes.report.format_values import visible
from rack_recipes.report.table_model import Table, named
from rack_recipes.report.writers.json import harmless
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
from rack_recipes.version import VERSION

SCHEMA_VERSION = {"major": 2, "minor": 0}
RESULTS = {FAIL: "FAIL", PASS: "PASS", ERROR: "NOT_APPLICABLE", SKIP: "NOT_APPLICABLE"}
"""The result of a host's run by its gravest outcome; its status is that of the outcome."""

SEVERITIES = {FAIL: "ERROR", ERROR: "ERROR", PASS: "INFO", SKIP: "INFO"}
VALIDATORS = {"min": "GREATER_THAN_OR_EQUAL", "max": "LESS_THAN_OR_EQUAL"}
_BOUND = r"(?:warn )?(?:min|max) [-+0-9.eE]+"
_BOUNDS = re.compile(rf"{_BOUND}(?:, {_BOUND})*")
LONGEST_NAME = 120
EARLIEST = "1970-01-01T00:00:00Z"

Artifact = Mapping[str, Any]


def write(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write `ocp/<host>.jsonl` for each host into the folder."""
    by_name = named(tables)
    target = folder / "ocp"
    target.mkdir(mode=FOLDER_MODE)
    run = by_name["summary"].record()
    return [_write(target / file_name(host), run, host, results) for host, results in by_host(by_name)]


def file_name(host: str) -> str:
    """A file name for any host: what is neither letter nor digit is escaped; long ones end with a digest."""
    name = quote(visible(host), safe="")
    digest = sha256(name.encode()).hexdigest()[:12]
    return f"{name}.jsonl" if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}-{digest}.jsonl"


def _write(path: Path, run: Cells, host: str, results: Sequence[Result]) -> Path:
    with path.open("w", encoding="ascii", newline="\n") as file:
        for number, (artifact, time) in enumerate(_artifacts(run, host, results)):
            said = harmless({**artifact, "sequenceNumber": number, "timestamp": time})
            file.write(f"{json.dumps(said, allow_nan=False)}\n")
    return path


def _artifacts(run: Cells, host: str, results: Sequence[Result]) -> Iterator[tuple[Artifact, str]]:
    """Every artifact of a host's run with its time, in order."""
    began = _time(run["started"])
    yield {"schemaVersion": SCHEMA_VERSION}, began
    yield {"testRunArtifact": {"testRunStart": _start(run, host)}}, began
    for number, result in enumerate(results):
        yield from _step(str(number), result, began)
    judged = (result["verdict"] for result in results if outcome_of(result["verdict"]) != SKIP)
    worst = outcome_of(gravest) if (gravest := min(judged, key=rank, default=None)) else SKIP
    end = {"status": OUTCOMES[worst].ocp_status, "result": RESULTS[worst]}
    yield {"testRunArtifact": {"testRunEnd": end}}, _time(run["ended"] or run["started"])


def _start(run: Cells, host: str) -> Artifact:
    name = run["test_id"] or run["recipe"] or "rack.recipes"
    about = {
        "name": name,
        "version": run["digest"] or VERSION,
        "commandLine": f"rack-recipes run {run['recipe'] or ''}",
    }
    told = {"runId": run["run_id"], "recipe": run["recipe"], "parameters": run["params"]}
    given = {key: value for key, value in told.items() if value is not None}
    return {**about, "parameters": given, "dutInfo": {"dutInfoId": host, "name": host}}


def _step(number: str, result: Result, run_began: str) -> Iterator[tuple[Artifact, str]]:
    began = _time(result["started"]) if result["started"] else run_began
    ended = _later(began, result["seconds"])
    outcome = outcome_of(result["verdict"])
    parts: list[tuple[str, Artifact, str]] = [("testStepStart", {"name": result["step"]}, began)]
    parts += [("measurement", _measurement(value), ended) for value in result["measurements"]]
    parts += [(kind, artifact, ended) for kind, artifact in _judgement(result, outcome)]
    parts += [("testStepEnd", {"status": OUTCOMES[outcome].ocp_status}, ended)]
    for kind, artifact, time in parts:
        yield {"testStepArtifact": {"testStepId": number, kind: artifact}}, time


def _judgement(result: Result, outcome: str) -> Iterator[tuple[str, Artifact]]:
    """The log, the reason of what did not run or could not be judged, and the diagnosis."""
    reason, name = result["reason"] or "", f"{result['step']}-{result['verdict']}"
    if result["stderr"]:
        yield "log", {"severity": SEVERITIES[outcome], "message": result["stderr"]}
    if outcome == ERROR:
        yield "error", {"symptom": name, "message": reason}
    if outcome == SKIP and reason:
        yield "log", {"severity": SEVERITIES[outcome], "message": f"{result['verdict']}: {reason}"}
    kind = OUTCOMES[outcome].ocp_type
    if kind:
        yield "diagnosis", {"verdict": name, "type": kind, "message": reason}


def _measurement(value: Cells) -> Artifact:
    measured = {"name": str(value["name"]), "value": _value(value["value"])}
    given = {"unit": value["unit"], "validators": _validators(value["limits"] or "")}
    told = {"limits": value["limits"], "verdict": value["verdict"]}
    metadata = {key: text for key, text in told.items() if text}
    return {**measured, **{key: part for key, part in given.items() if part},
            **({"metadata": metadata} if metadata else {})}  # fmt: skip


def _value(value: object) -> Any:
    """A value that the format allows: a number, a text, or true and false."""
    if value is None:
        return ""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _validators(limits: str) -> list[Artifact]:
    """The bounds of limits that are nothing but bounds; a warning does not fail a value, so it is none."""
    if not _BOUNDS.fullmatch(limits):
        return []
    words = (part.split(" ") for part in limits.split(", ") if not part.startswith("warn"))
    return [{"type": VALIDATORS[word], "value": json.loads(bound)} for word, bound in words]


def _time(text: str | None) -> str:
    """A time as the format wants it; what is no time counts as the earliest."""
    return _text(_moment(text))


def _later(began: str, seconds: float | None) -> str:
    try:
        return _text(_moment(began) + timedelta(seconds=seconds or 0))
    except (OverflowError, ValueError):
        return began


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text or EARLIEST)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (OverflowError, ValueError):
        return datetime.fromisoformat(EARLIEST)
