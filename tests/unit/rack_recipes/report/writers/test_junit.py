# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from lxml import etree

from rack_recipes.report.format_values import visible
from rack_recipes.report.table_model import named
from rack_recipes.report.writers import junit

SCHEMA = Path(__file__).parents[1] / "cases" / "schemas" / "jenkins-junit.xsd"


@pytest.fixture(scope="module")
def schema():
    return etree.XMLSchema(etree.parse(SCHEMA))


def read(tables, folder):
    (path,) = junit.write(tables, folder)
    return ET.parse(path).getroot()


def test_it_is_valid(report, outcomes, schema, tmp_path):
    for tables in (report, tuple(outcomes.values())):
        (path,) = junit.write(tables, tmp_path)
        schema.assertValid(etree.parse(path))
        assert all(re.fullmatch(r"[0-9]+\.[0-9]{3}", part.get("time")) for part in ET.parse(path).iter("testcase"))


def test_a_suite_for_each_host_and_a_case_for_each_result(report, tmp_path):
    suites = read(report, tmp_path)
    counts = dict(
        zip(named(report)["counts"].values("verdict"), named(report)["counts"].values("results"), strict=True)
    )
    assert len(list(suites.iter("testcase"))) == sum(counts.values())
    assert len(list(suites.iter("failure"))) == counts["failed"]
    for suite in suites:
        children = {name: len(list(suite.iter(name))) for name in ("failure", "error", "skipped")}
        told = {"failure": "failures", "error": "errors", "skipped": "skipped"}
        assert children == {name: int(suite.get(told[name])) for name in told}
        assert int(suite.get("tests")) == len(list(suite.iter("testcase")))
        names = [(case.get("classname"), case.get("name")) for case in suite.iter("testcase")]
        assert len(set(names)) == len(names)


def test_what_a_case_says(report, tmp_path):
    cases = list(read(report, tmp_path).iter("testcase"))
    failed = next(case for case in cases if case.find("failure") is not None)
    assert failed.find("failure").get("type") == "failed"
    assert failed.find("failure").get("message") == failed.find("failure").text
    assert any("marginal: " in (case.findtext("system-out") or "") for case in cases)


def test_a_step_that_ran_a_suite_is_one_with_its_cases(report, schema, tmp_path):
    verdicts, values = named(report)["verdicts"], named(report)["values"]
    row = next(row for row in verdicts.rows if row[verdicts.place("verdict")] == "failed")
    host, step = (row[verdicts.place(name)] for name in ("host", "step"))
    measured = [
        ("cases.skipped", 1, None),
        ("t::cold", "passed", "eq passed"),
        ("t::cold.seconds", 1.25, None),
        ("t::warm", "failed: 95: above 90", "eq passed"),
        ("t::odd", "error", "eq passed"),
        ("t::pump", "skipped: no pump", None),
        ("t::skipper", "skipped by hand", None),
        ("state", "up", "eq up"),
    ]
    cells = dict.fromkeys((column.name for column in values.columns), None) | {"host": host, "step": step}
    rows = tuple(
        tuple({**cells, "name": name, "value": value, "limits": limits}.values()) for name, value, limits in measured
    )
    changed = replace(values, rows=(*(other for other in values.rows if other[:2] != (host, step)), *rows))
    tables = [changed if table.name == "values" else table for table in report]
    suites = [suite for suite in read(tables, tmp_path) if suite.get("name") == f"{host}.{step}"]
    (suite,) = suites
    told = [(case.get("name"), case.get("time"), [child.tag for child in case]) for case in suite]
    assert told == [
        ("t::cold", "1.250", []),
        ("t::warm", "0.000", ["failure"]),
        ("t::odd", "0.000", ["error"]),
        ("t::pump", "0.000", ["skipped"]),
    ]
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")] == [*"4111", "1.250"]
    assert suite[1].find("failure").get("message") == "95: above 90"
    assert all(case.get("classname").endswith(f".{host}.{step}") for case in suite)
    schema.assertValid(etree.parse(tmp_path / "junit.xml"))


def test_hostile_text_reads_back(said, hostile, schema, tmp_path):
    (path,) = junit.write(said(hostile), tmp_path)
    schema.assertValid(etree.parse(path, etree.XMLParser(huge_tree=True)))
    failure = next(ET.parse(path).iter("failure"))
    seen = visible(hostile).replace("\t", " ").replace("\n", " ")
    assert failure.get("message").replace("\n", " ").replace("\t", " ")[:200] == seen[:200]
