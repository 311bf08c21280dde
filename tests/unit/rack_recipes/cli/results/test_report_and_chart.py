# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import FIRST, SECOND
from rack_recipes.cli.results import report_and_chart
from rack_recipes.report.charts import stored_charts


def test_the_paths_are_printed(stored: Path):
    done = call("report", "--format", "md", "--to", "out")
    assert (done.code, done.out, done.err) == (0, "out/report.md\n", "")


def test_full_is_markdown_whatever_other_formats_there_are(stored: Path):
    done = call("report", "--full", "--format", "junit", "--to", "out")
    assert [Path(path).suffix for path in done.out.split()] == [".xml", ".md"]
    call("report", "--out", "short.md")
    call("report", "--full", "--out", "full.md")
    assert len(Path("full.md").read_text()) > len(Path("short.md").read_text())
    assert "expected --out FILE.md, got 'x.csv'" in call("report", "--full", "--out", "x.csv").err


def test_a_folder_that_cannot_be_written_is_wrong_usage(stored: Path):
    done = call("report", "--to", "/proc/nowhere", "--json")
    assert (done.code, done.answer["exit_code"]) == (2, 2)
    assert done.err == "the report cannot be written to /proc/nowhere: No such file or directory\n"


def test_a_package_that_is_missing_is_named(stored: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    done = call("report", "--format", "xlsx")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("a report cannot be made: ")
    assert done.err.endswith("`pip install rack-recipes` brings it\n")


def test_the_command_knows_every_kind():
    assert tuple(stored_charts.KINDS) == report_and_chart.KINDS


@pytest.mark.parametrize(
    "words",
    [
        ("histogram", "--key", "heat"),
        ("histogram", "--key", "wire.state_v1.mtu"),
        ("box-plot", "--key", "heat", "--by", "rack"),
        ("trend", "heat"),
        ("trend", "--key", "heat", "--host", "leaf*", "--step", "burn"),
        ("heat-map",),
        ("heat-map", "--host", "leaf1"),
        ("heat-map", "--step", "burn"),
        ("timeline",),
        ("timeline", "--host", "leaf1", "--step", "burn"),
    ],
    ids=" ".join,
)
def test_a_picture_on_stdout(stored: Path, words: tuple[str, ...]):
    done = call("chart", *words)
    assert (done.code, done.err) == (0, "")
    assert ET.fromstring(done.out).tag == "{http://www.w3.org/2000/svg}svg"


def test_files_by_their_ending(stored: Path):
    pytest.importorskip("resvg_py")
    assert call("chart", "trend", "--key", "heat", "--to", "heat.svg").out == "heat.svg\n"
    assert call("chart", "trend", "--key", "heat", "--to", "heat.PNG").out == "heat.PNG\n"
    assert ET.parse("heat.svg").getroot().get("role") == "img"
    assert Path("heat.PNG").read_bytes().startswith(b"\x89PNG")


def test_the_figures_and_another_run(stored: Path):
    done = call("chart", "box-plot", FIRST, "--key", "heat", "--json")
    (row,) = done.answer["figures"]["rows"]
    assert (done.answer["run_id"], done.answer["kind"], done.answer["file"]) == (FIRST, "box-plot", None)
    assert (row["min"], row["median"], row["max"]) == (40, 65.5, 91)
    assert call("chart", "timeline", "--json").answer["run_id"] == SECOND


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("histogram",), "which value? --key NAME; the run has dead, heat, wire.state_v1.mtu"),
        (("histogram", "--key", "heet"), "the run has no numbers of the name 'heet' (did you mean 'heat'?)"),
        (("histogram", "--key", "heat", "--host", "leaf9"), "no host that matches 'leaf9' has a value (did you"),
        (("histogram", "heet"), "the run has no numbers of the name 'heet' (did you mean 'heat'?)"),
        (("histogram", "1999", "--key", "heat"), "there is no run '1999' in the store"),
        (("timeline", "--host", "x"), "no host that matches 'x' has a value"),
        (("correlation", "--key", "heat"), "a correlation needs no key, or two and more"),
        (("correlation",), "a correlation needs two values that differ from host to host"),
        (("heat-map", "--step", "brn"), "--step brn: this run has no such step (did you mean 'burn'?)"),
        (("heat-map", "--key", "heat"), "no host with this value has the attributes rack and position"),
        (("heat-map", "--to", "map.gif"), "expected a file that ends with .svg or .png, got 'map.gif'"),
        (("heat-map", "--to", "/proc/map.svg"), "the chart cannot be written to /proc/map.svg: "),
        (("pie",), "argument kind: expected one of histogram, box-plot"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_what_is_wrong_is_said(stored: Path, words: tuple[str, ...], said: str):
    done = call("chart", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_the_folder_of_a_file_is_made(stored: Path):
    assert call("chart", "heat-map", "--to", "charts/new/a.svg").out == "charts/new/a.svg\n"
    assert call("report", "--out", "reports/a.json").out == "reports/a.json\n"
    assert Path("charts/new/a.svg").stat().st_size
    assert Path("reports/a.json").stat().st_size


def test_png_needs_its_package(stored: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    done = call("chart", "heat-map", "--to", "map.png")
    assert (done.code, done.out) == (2, "")
    assert "a PNG cannot be drawn: " in done.err
    assert "`pip install rack-recipes[png]` brings it" in done.err
