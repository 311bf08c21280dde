# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the output of a diagnostic as the Open Compute Project specifies it, version 2.0, line by line.

https://github.com/opencomputeproject/ocp-diag-core/tree/main/json_spec. A line that does not begin as JSON does is the
log of the program. What begins like it and is broken, out of its sequence or not as specified makes the stream invalid.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime

from scriptlets.tools.ocp_validators import is_value
from scriptlets.tools.suite_cases import ERROR, FAILED, MOST, PASSED, SKIPPED, Case

VERSION = (2, 0)
PROBLEMS = 20  # that are kept: a stream may have one in each line
ENDS = {("COMPLETE", "PASS"): PASSED, ("COMPLETE", "FAIL"): FAILED, ("ERROR", "NOT_APPLICABLE"): ERROR,
        ("SKIP", "NOT_APPLICABLE"): SKIPPED}  # fmt: skip
STATUSES = {"COMPLETE": PASSED, "ERROR": ERROR, "SKIP": SKIPPED}
DIAGNOSES = {"PASS": PASSED, "FAIL": FAILED, "UNKNOWN": ERROR}
FRACTION = re.compile(r"\.(\d{1,6})\d*")  # Python 3.9 reads microseconds at most
LONGEST_TEXT = 1000  # characters of a value
LOUD = ("WARNING", "ERROR", "FATAL")  # severities of logs that say why a step did not pass


@dataclass
class Measured:
    """A measurement, or a series of them: its name, its unit, its validators, and its values in their order."""

    name: str
    unit: str
    validators: list[dict]
    values: list
    is_series: bool = False
    is_open: bool = False


@dataclass
class Step:
    """A step of a diagnostic."""

    name: str
    began: float | None
    seconds: float | None = None
    status: str = ""
    said: str = ""
    errors: list[str] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)

    def all_cases(self):
        """Its diagnoses; and the step itself, where it has none or did not run to its end."""
        outcome = ERROR if self.errors else STATUSES.get(self.status, ERROR)
        if self.cases and outcome == PASSED:
            return self.cases
        said = "; ".join(self.errors) or (self.said if outcome != PASSED else "")
        return [*self.cases, Case(self.name, outcome, None, said)]


class InvalidError(Exception):
    """A line is not as it is specified."""


class OcpReader:
    """Takes the lines of a stream. Once `finish` was called, the other attributes tell what it said.

    `outcome` is that of the run, None where it did not end. `times` are the seconds of each step; `measured`,
    `files` (name, URI, media type) and `warnings` (step, text; also of errors) are what the steps told.
    """

    def __init__(self):
        self.problems = []
        self.outcome = None
        self.cases = []
        self.times = []
        self.measured = []
        self.files = []
        self.warnings = []
        self.name = ""
        self.skipped = ""
        self._count = 0
        self._next = 0
        self._steps = {}
        self._series = {}
        self._hardware = {}
        self._errors = []
        self._has_version = False

    def line(self, text):
        """Take the next line, without its end."""
        if not text.lstrip().startswith("{"):
            return
        self._count += 1
        try:
            self._take(_decoded(text))
        except InvalidError as error:
            self._problem(f"message {self._count} {error}")

    def _problem(self, text):
        if len(self.problems) < PROBLEMS:
            self.problems.append(text)

    def finish(self):
        """The stream has ended: judge it as a whole."""
        if not self._count:
            self._problem("it printed no message of the Open Compute format")
        elif self.outcome is None:
            self._problem("it has no testRunEnd: it stopped early")
        for step in self._steps.values():
            if not step.status:
                self._problem(f"step {step.name} has no testStepEnd")
        for series in self._series.values():
            if series.is_open:
                self._problem(f"series {series.name} has no measurementSeriesEnd")
        self.cases = [case for step in self._steps.values() for case in step.all_cases()]
        self.times = [(step.name, step.seconds) for step in self._steps.values() if step.seconds is not None]
        self.cases += [Case(self.name or "the run", ERROR, None, said) for said in self._errors]

    def _take(self, message):
        number = _get(message, "sequenceNumber", int)
        if number != self._next:
            self._problem(f"message {self._count} has the number {number}, not {self._next}: messages were lost")
        self._next = number + 1
        moment = _moment(_get(message, "timestamp", str))
        kinds = [kind for kind in ("schemaVersion", "testRunArtifact", "testStepArtifact") if kind in message]
        if len(kinds) != 1:
            raise InvalidError("is neither schemaVersion, testRunArtifact nor testStepArtifact")
        if self.outcome is not None:
            raise InvalidError("comes after the end of the run")
        artifact = _get(message, kinds[0], dict)
        if kinds[0] == "schemaVersion":
            self._take_version(artifact)
        elif not self._has_version:
            self._has_version = True
            raise InvalidError("comes before a schemaVersion")
        else:
            self._take_artifact(kinds[0], artifact, moment)

    def _take_artifact(self, kind, artifact, moment):
        takers = RUN if kind == "testRunArtifact" else STEP
        found = [name for name in takers if name in artifact]
        if len(found) != 1:
            raise InvalidError(f"is a {kind} that says none of {', '.join(takers)}")
        told = _get(artifact, found[0], dict)
        if kind == "testRunArtifact":
            takers[found[0]](self, told)
            return
        number = _get(artifact, "testStepId", str)
        if found[0] == "testStepStart":
            self._start_step(number, told, moment)
            return
        step = self._steps.get(number)
        if step is None:
            raise InvalidError(f"belongs to the step {number[:100]!r}, which did not start")
        if step.status:
            raise InvalidError(f"belongs to the step {step.name[:100]}, which has ended")
        takers[found[0]](self, step, told, moment)

    def _take_version(self, told):
        version = (_get(told, "major", int), _get(told, "minor", int))
        if version[0] != VERSION[0]:
            raise InvalidError(f"has the version {version[0]}.{version[1]}, known here is 2.0")
        self._has_version = True

    def _start_run(self, told):
        if self.name:
            raise InvalidError("starts a second run")
        self.name = _get(told, "name", str) or "the run"
        dut = _get(told, "dutInfo", dict, {})
        for part in _listed(dut, "hardwareInfos"):
            if isinstance(part.get("name"), str):
                self._hardware[str(part.get("hardwareInfoId"))] = part["name"]

    def _end_run(self, told):
        status, result = _get(told, "status", str), _get(told, "result", str)
        if not self.name:
            raise InvalidError("ends a run that did not start")
        if (status, result) not in ENDS:
            self.outcome = ERROR
            raise InvalidError(f"ends the run with status {status[:100]} and result {result[:100]}, which do not agree")
        self.outcome = ENDS[status, result]

    def _run_log(self, told):
        if _get(told, "severity", str) in LOUD or not self.skipped:
            self.skipped = _get(told, "message", str)

    def _run_error(self, told):
        self._errors.append(_error(told))

    def _start_step(self, number, told, moment):
        if number in self._steps:
            raise InvalidError(f"starts the step {number[:100]!r} a second time")
        if not self.name:
            raise InvalidError("starts a step before the run")
        if len(self._steps) >= MOST:
            raise InvalidError(f"starts more than {MOST} steps")
        self._steps[number] = Step(_get(told, "name", str) or f"step {number}", moment)

    def _end_step(self, step, told, moment):
        status = _get(told, "status", str)
        if status not in STATUSES:
            raise InvalidError(f"ends a step with the status {status[:100]!r}, known are {', '.join(STATUSES)}")
        step.status = status
        if moment is not None and step.began is not None and moment >= step.began:
            step.seconds = round(moment - step.began, 6)

    def _diagnosis(self, step, told, _moment_of_it):
        verdict, kind = _get(told, "verdict", str), _get(told, "type", str)
        if kind not in DIAGNOSES:
            raise InvalidError(f"has a diagnosis of the type {kind[:100]!r}, known are {', '.join(DIAGNOSES)}")
        if len(step.cases) >= MOST:
            raise InvalidError(f"is beyond the {MOST} diagnoses of a step that are read")
        name = f"{step.name}: {verdict}{self._of(told)}"
        step.cases.append(Case(name, DIAGNOSES[kind], None, _get(told, "message", str, "")))

    def _error_of_step(self, step, told, _moment_of_it):
        if len(step.errors) < PROBLEMS:
            step.errors.append(_error(told))

    def _log(self, step, told, _moment_of_it):
        is_loud = _get(told, "severity", str) in LOUD
        if is_loud or not step.said:
            step.said = _get(told, "message", str)
        if is_loud and len(self.warnings) < MOST:
            self.warnings.append((step.name, step.said))

    def _file(self, _step, told, _moment_of_it):
        self.files.append((_get(told, "displayName", str), _get(told, "uri", str), _get(told, "contentType", str, "")))

    def _extension(self, _step, told, _moment_of_it):
        _get(told, "name", str)

    def _measurement(self, step, told, _moment_of_it):
        self._add(
            Measured(self._called(step, told), _get(told, "unit", str, ""), _listed(told, "validators"), [_value(told)])
        )

    def _add(self, measured):
        if len(self.measured) >= MOST:
            raise InvalidError(f"is beyond the {MOST} measurements that are read")
        self.measured.append(measured)

    def _start_series(self, step, told, _moment_of_it):
        number = _get(told, "measurementSeriesId", str)
        if number in self._series:
            raise InvalidError(f"starts the series {number[:100]!r} a second time")
        series = Measured(
            self._called(step, told), _get(told, "unit", str, ""), _listed(told, "validators"), [], True, True
        )
        self._add(series)
        self._series[number] = series

    def _series_of(self, told):
        number = _get(told, "measurementSeriesId", str)
        series = self._series.get(number)
        if series is None or not series.is_open:
            raise InvalidError(f"belongs to the series {number[:100]!r}, which is not open")
        return series

    def _element(self, _step, told, _moment_of_it):
        series = self._series_of(told)
        _get(told, "index", int)
        if len(series.values) >= MOST:
            raise InvalidError(f"is beyond the {MOST} values of a series that are read")
        series.values.append(_value(told))

    def _end_series(self, _step, told, _moment_of_it):
        series = self._series_of(told)
        series.is_open = False
        count = _get(told, "totalCount", int)
        if count != len(series.values):
            raise InvalidError(f"says that {series.name[:100]} has {count} values, but {len(series.values)} came")

    def _called(self, step, told):
        return f"{step.name}: {_get(told, 'name', str)}{self._of(told)}"

    def _of(self, told):
        """The part that something was measured of, where it is told, in brackets."""
        number, part = told.get("hardwareInfoId"), told.get("subcomponent")
        names = [self._hardware.get(number, number)] if isinstance(number, str) and number else []
        if isinstance(part, dict) and isinstance(part.get("name"), str):
            names.append(part["name"])
        return f" [{' '.join(names)}]" if names else ""


RUN = {
    "testRunStart": OcpReader._start_run,
    "testRunEnd": OcpReader._end_run,
    "log": OcpReader._run_log,
    "error": OcpReader._run_error,
}
STEP = {
    "testStepStart": None,
    "testStepEnd": OcpReader._end_step,
    "measurement": OcpReader._measurement,
    "measurementSeriesStart": OcpReader._start_series,
    "measurementSeriesElement": OcpReader._element,
    "measurementSeriesEnd": OcpReader._end_series,
    "diagnosis": OcpReader._diagnosis,
    "error": OcpReader._error_of_step,
    "log": OcpReader._log,
    "file": OcpReader._file,
    "extension": OcpReader._extension,
}


def _decoded(text):
    try:
        message = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"is no whole JSON: {error}") from None
    if not isinstance(message, dict):
        raise InvalidError("is no JSON object")
    return message


def _no_number(word):
    raise ValueError(f"{word} is no number of JSON")


def _get(told, name, kind, *default):
    """A field of a message. Raises InvalidError where it is missing without a default, or of another type."""
    value = told.get(name, *default)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        expected = {int: "a whole number", str: "a text", dict: "an object"}[kind]
        raise InvalidError(f"needs {expected} as {name}")
    return value


def _moment(text):
    """Seconds since 1970 of a time; None for what is no time."""
    try:
        short = FRACTION.sub(lambda found: f".{found[1]:0<6}", text)
        return datetime.fromisoformat(short.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


def _error(told):
    symptom, message = _get(told, "symptom", str), _get(told, "message", str, "")
    return f"{symptom}: {message}" if message else symptom


def _value(told):
    value = told.get("value")
    if not is_value(value):
        raise InvalidError("needs a text, a finite number of at most 64 bits, or true or false as value")
    return value.encode("utf-8", "backslashreplace").decode()[:LONGEST_TEXT] if isinstance(value, str) else value


def _listed(told, name):
    """A list of objects in a message, which may be missing. Raises InvalidError for anything else."""
    given = told.get(name, [])
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise InvalidError(f"needs a list of objects as {name}")
    return given
