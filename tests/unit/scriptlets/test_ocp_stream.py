# SPDX-License-Identifier: GPL-3.0-or-later

"""Streams of Open Compute diagnostics: what is read of them, and that nothing passes of which a part is missing."""

from __future__ import annotations

import copy
import importlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[3]
CAPTURED = Path(__file__).with_name("captured") / "ocptv-0.1.7-fans.jsonl"
MESSAGES = [json.loads(line) for line in CAPTURED.read_text(encoding="utf-8").splitlines()]
ANY_VALUE = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats() | st.just([]) | st.just({})


@pytest.fixture(scope="module")
def ocp():
    """The module as a host has it. The tests with many examples need it, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        yield importlib.import_module("scriptlets.tools.ocp_stream")


def read(ocp, messages):
    """What is read of messages; those that are no text become JSON."""
    reader = ocp.OcpReader()
    for message in messages:
        reader.line(message if isinstance(message, str) else json.dumps(message))
    reader.finish()
    return reader


def numbered(parts):
    """Messages of their parts, with numbers and times."""
    time = "2026-11-29T01:00:{:02}.123456789Z"
    return [{**part, "sequenceNumber": at, "timestamp": time.format(at)} for at, part in enumerate(parts)]


def stream(*parts, status="COMPLETE", result="PASS", step="COMPLETE"):
    """A stream with one step that has these parts."""
    about = {"name": "diag", "version": "1", "commandLine": "", "parameters": {}, "dutInfo": {"dutInfoId": "d"}}
    inner = [("testStepStart", {"name": "s"}), *parts, ("testStepEnd", {"status": step})]
    return numbered([
        {"schemaVersion": {"major": 2, "minor": 0}},
        {"testRunArtifact": {"testRunStart": about}},
        *({"testStepArtifact": {"testStepId": "0", kind: told}} for kind, told in inner),
        {"testRunArtifact": {"testRunEnd": {"status": status, "result": result}}},
    ])  # fmt: skip


def is_whole(reader):
    """Whether a step would pass, or be skipped."""
    return not reader.problems and reader.outcome in ("passed", "skipped")


def test_a_captured_stream(ocp):
    reader = read(ocp, MESSAGES)
    assert (reader.problems, reader.outcome, reader.name) == ([], "passed", "fan test")
    assert [(case.name, case.outcome) for case in reader.cases] == [
        ("spin: fan-ok [fan 1]", "passed"),
        ("idle", "passed"),
    ]
    assert [(each.name, each.unit, each.values) for each in reader.measured] == [
        ("spin: speed [fan 1]", "rpm", [5100]),
        ("spin: temperature", "C", [40, 45.5, 43]),
    ]
    assert [*map(len, (reader.measured[0].validators, reader.measured[1].validators))] == [2, 1]
    assert reader.files == [("log.txt", "file:///var/log/fans.txt", "")]
    assert all(0 <= seconds < 1 for _name, seconds in reader.times)


def test_the_log_of_the_program_may_stand_in_between(ocp):
    reader = read(ocp, ["starting", *MESSAGES[:3], "", "[1, 2]", *MESSAGES[3:], "bye"])
    assert is_whole(reader)


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "it printed no message of the Open Compute format"),
        (["hello"], "it printed no message of the Open Compute format"),
        (MESSAGES[:-1], "it has no testRunEnd: it stopped early"),
        ([*MESSAGES[:-1], '{"testRunArt'], "message 18 is no whole JSON: Unterminated string"),
        ([*MESSAGES, MESSAGES[-1]], "message 19 has the number 17, not 18: messages were lost"),
        ([*MESSAGES[:4], *MESSAGES[5:]], "message 5 has the number 5, not 4: messages were lost"),
        (numbered([{"testRunArtifact": {}}]), "message 1 comes before a schemaVersion"),
        (numbered([{"schemaVersion": {"major": 3, "minor": 1}}]), "message 1 has the version 3.1, known here is 2.0"),
        (numbered([{"schemaVersion": {"major": "2"}}]), "message 1 needs a whole number as major"),
        (numbered([{}]), "message 1 is neither schemaVersion, testRunArtifact nor testStepArtifact"),
        (['{"sequenceNumber": 1e999}'], "message 1 needs a whole number as sequenceNumber"),
        (['{"sequenceNumber": NaN}'], "message 1 is no whole JSON: NaN is no number of JSON"),
        (['{"a":' * 100_000], "message 1 is no whole JSON: "),
        (['{"sequenceNumber": ' + "9" * 5000 + "}"], "message 1 is no whole JSON: Exceeds the limit"),
        (stream(result="GOOD"), "message 5 ends the run with status COMPLETE and result GOOD, which do not agree"),
        (stream(status="SKIP"), "message 5 ends the run with status SKIP and result PASS, which do not agree"),
        (stream(step="FINE"), "message 4 ends a step with the status 'FINE', known are COMPLETE, ERROR, SKIP"),
        (stream(("x", {})), "message 4 is a testStepArtifact that says none of testStepStart, testStepEnd"),
        (stream(("testStepStart", {"name": "t"})), "message 4 starts the step '0' a second time"),
        (stream(("diagnosis", {"verdict": "v", "type": "GOOD"})), "message 4 has a diagnosis of the type 'GOOD'"),
        (stream(("error", {})), "message 4 needs a text as symptom"),
        (stream(("measurement", {"name": "m", "value": None})), "message 4 needs a text, a finite number of at most"),
        (stream(("measurement", {"name": "m", "value": 2**63})), "message 4 needs a text, a finite number of at most"),
        (stream(("measurement", {"name": "m", "value": 1, "validators": 1})), "message 4 needs a list of objects as"),
        (
            stream(("measurementSeriesElement", {"measurementSeriesId": "7", "index": 0, "value": 1})),
            "message 4 belongs to the series '7', which is not open",
        ),
        (
            stream(("measurementSeriesStart", {"measurementSeriesId": "7", "name": "t"})),
            "series s: t has no measurementSeriesEnd",
        ),
        (
            stream(
                ("measurementSeriesStart", {"measurementSeriesId": "7", "name": "t"}),
                ("measurementSeriesEnd", {"measurementSeriesId": "7", "totalCount": 2}),
            ),
            "message 5 says that s: t has 2 values, but 0 came",
        ),
    ],
)
def test_what_is_wrong_is_said(ocp, messages, problem):
    reader = read(ocp, messages)
    assert reader.problems
    assert reader.problems[0].startswith(problem)


def outcomes(reader):
    return [(case.name, case.outcome, case.message) for case in reader.cases]


def test_steps_and_diagnoses_are_cases(ocp):
    diagnoses = [("diagnosis", {"verdict": kind.lower(), "type": kind, "message": "m"}) for kind in ("PASS", "UNKNOWN")]
    reader = read(ocp, stream(*diagnoses, status="ERROR", result="NOT_APPLICABLE"))
    assert (reader.problems, reader.outcome) == ([], "error")
    assert outcomes(reader) == [("s: pass", "passed", "m"), ("s: unknown", "error", "m")]
    error = ("error", {"symptom": "no-fan", "message": "it is not there"})
    assert outcomes(read(ocp, stream(error))) == [("s", "error", "no-fan: it is not there")]
    log = ("log", {"severity": "INFO", "message": "no such part"})
    skipped = read(ocp, stream(log, step="SKIP", status="SKIP", result="NOT_APPLICABLE"))
    assert (outcomes(skipped), skipped.outcome) == ([("s", "skipped", "no such part")], "skipped")


def test_what_was_measured_of_is_part_of_the_name(ocp):
    part = {"name": "chip", "location": "U1"}
    told = {"name": "v", "value": 1, "hardwareInfoId": "unknown-7", "subcomponent": part}
    assert read(ocp, stream(("measurement", told))).measured[0].name == "s: v [unknown-7 chip]"


@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_a_stream_without_one_message_does_not_pass(ocp, number):
    assert not is_whole(read(ocp, MESSAGES[:number] + MESSAGES[number + 1 :]))


@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_a_stream_that_is_cut_off_does_not_pass(ocp, number):
    half = json.dumps(MESSAGES[number])
    assert not is_whole(read(ocp, [*MESSAGES[:number], half[: len(half) // 2]]))


def places(value, path=()):
    """The paths of all values inside of a message."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from places(part, (*path, name))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_message_breaks_the_reader(ocp, data):
    """Whatever stands in place of one of its values."""
    messages = copy.deepcopy(MESSAGES)
    number = data.draw(st.integers(0, len(messages) - 1))
    *path, last = data.draw(st.sampled_from([path for path in places(messages[number]) if path]))
    inner = messages[number]
    for name in path:
        inner = inner[name]
    inner[last] = data.draw(ANY_VALUE)
    reader = read(ocp, messages)
    assert reader.problems or reader.outcome


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=30) | st.text('{}[]":,0e-"', max_size=20).map(lambda text: "{" + text)))
def test_no_text_passes(ocp, lines):
    assert not is_whole(read(ocp, lines))
