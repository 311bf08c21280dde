# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from rack_recipes.report.table_model import named
from rack_recipes.report.writers import ocp

SCHEMAS = [
    json.loads(path.read_text())
    for path in sorted(Path(__file__).parents[1].joinpath("cases/schemas/ocp").glob("*.json"))
]
REGISTRY = Registry().with_resources([(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS])
(OUTPUT,) = (schema for schema in SCHEMAS if schema["title"] == "OutputArtifact")
VALIDATOR = Draft202012Validator(OUTPUT, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER)
ROOT = Path(__file__).resolve().parents[5]


def read(path):
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def parts(artifacts, kind, of="testStepArtifact"):
    return [artifact[of][kind] for artifact in artifacts if kind in artifact.get(of, {})]


def test_every_line_is_valid_and_in_order(report, outcomes, tmp_path):
    for number, tables in enumerate((report, tuple(outcomes.values()))):
        folder = tmp_path / str(number)
        folder.mkdir()
        for path in ocp.write(tables, folder):
            artifacts = read(path)
            for artifact in artifacts:
                VALIDATOR.validate(artifact)
            assert [artifact["sequenceNumber"] for artifact in artifacts] == list(range(len(artifacts)))
            assert "schemaVersion" in artifacts[0]
            assert "testRunEnd" in artifacts[-1]["testRunArtifact"]


def test_the_published_schema_refuses_what_is_wrong(report, tmp_path):
    start = read(ocp.write(report, tmp_path)[0])[1]
    assert VALIDATOR.is_valid(start)
    assert not VALIDATOR.is_valid({**start, "testRunArtifact": {"testRunStart": {"name": "x"}}})
    assert not VALIDATOR.is_valid({**start, "more": 1})


def test_what_is_written_can_be_read_back(report, outcomes, tmp_path, monkeypatch):
    """By the reader that takes the output of others' diagnostics."""
    monkeypatch.syspath_prepend(str(ROOT))
    ocp_stream = importlib.import_module("scriptlets.tools.ocp_stream")
    for number, tables in enumerate((report, tuple(outcomes.values()))):
        folder = tmp_path / str(number)
        folder.mkdir()
        for path in ocp.write(tables, folder):
            reader = ocp_stream.OcpReader()
            for line in path.read_text("ascii").splitlines():
                reader.line(line)
            reader.finish()
            assert reader.problems == []
            assert (reader.outcome == "failed") == any(case.outcome == "failed" for case in reader.cases)


def test_a_file_for_each_host_with_all_its_results(report, tmp_path):
    verdicts = named(report)["verdicts"]
    counted = [row for row in verdicts.rows if not row[verdicts.place("instances")]]
    paths = ocp.write(report, tmp_path)
    assert [path.name for path in paths] == [ocp.file_name(host) for host in dict.fromkeys(row[0] for row in counted)]
    assert sum(len(parts(read(path), "testStepStart")) for path in paths) == len(counted)
    assert sum(len(parts(read(path), "measurement")) for path in paths) == len(named(report)["values"].rows)


def test_the_result_of_a_host_is_that_of_its_gravest_outcome(report, tmp_path):
    verdicts = named(report)["verdicts"]
    by_host = {}
    for row in verdicts.rows:
        by_host.setdefault(row[0], set()).add(row[verdicts.place("verdict")])
    for host, path in zip(by_host, ocp.write(report, tmp_path), strict=True):
        (end,) = parts(read(path), "testRunEnd", "testRunArtifact")
        assert (end["result"] == "FAIL") == ("failed" in by_host[host])


def test_limits_are_validators_and_a_warning_is_none():
    value = {"name": "rx", "value": 3, "unit": "frames", "verdict": "passed"}
    measured = ocp._measurement(value | {"limits": "min 1, max 9.5, warn max 8"})
    assert measured["validators"] == [
        {"type": "GREATER_THAN_OR_EQUAL", "value": 1},
        {"type": "LESS_THAN_OR_EQUAL", "value": 9.5},
    ]
    assert "validators" not in ocp._measurement(value | {"limits": "eq a, max 5"})
    assert "validators" not in ocp._measurement(value | {"limits": None})


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("r01-u07", "r01-u07.jsonl"),
        ("(run)", "%28run%29.jsonl"),
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd.jsonl"),
        ("a\x00b", "a%E2%9F%A8U%2B0000%E2%9F%A9b.jsonl"),
    ],
)
def test_any_host_has_a_file_name(host, name):
    assert ocp.file_name(host) == name


def test_long_names_are_cut_and_stay_different():
    one, other = ocp.file_name("x" * 5000 + "1"), ocp.file_name("x" * 5000 + "2")
    assert one != other
    assert max(len(one), len(other)) < 200


def test_hostile_text_reads_back(said, hostile, tmp_path):
    for path in ocp.write(said(hostile), tmp_path):
        assert path.parent == tmp_path / "ocp"
        for artifact in read(path):
            VALIDATOR.validate(artifact)
